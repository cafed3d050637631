/** Tables as CSV (RFC 4180) that no spreadsheet takes for formulas. */

export type Cell = string | number | null;

export function csvOf(rows: readonly (readonly Cell[])[]): string {
  return rows.map((row) => `${row.map(cellText).join(',')}\r\n`).join('');
}

/** Text that a spreadsheet would run starts with an apostrophe, which it shows as nothing (OWASP, CSV injection). */
function cellText(cell: Cell): string {
  if (cell === null) return '';
  if (typeof cell === 'number') return String(cell);
  const safe = /^[=+\-@\t\r\n\0]/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n\t\0']/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
