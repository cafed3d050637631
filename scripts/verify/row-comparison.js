/**
 * Compares rows of a partition's statistics with the log. A row carries the offset of its last record and every view the position up
 * to which it is complete, so each row is compared at exactly the position that it has.
 */
import { dayOf, decodeDay, decodeTotals, subjectOf, totalsOf } from './stored-rows.js';
import { allLinks } from './visits-oracle.js';

/**
 * @param {import('./oracle.js').Oracle} oracle
 * @param {import('./report.js').ViewReport} view
 * @param {{ key: string, payload: Buffer, version: number | null, partition: number, nextOffset: number }} row `version` is null where
 *   the view does not tell it; everything before `nextOffset` should be in the row
 */
export async function compareRow(oracle, view, { key, payload, version, partition, nextOffset }) {
  const subject = subjectOf(key);
  if (subject === null) return;
  const { code, day } = subject;
  const at = Math.max(nextOffset, (version ?? -1) + 1, oracle.positions[partition].nextOffset);
  const position = `${partition}:${at}`;
  if ((code !== allLinks && oracle.partitionOf(code) !== partition) || !(await oracle.reaches(partition, at))) {
    view.compared();
    view.drift({ key, what: 'position', expected: 'in the log', found: position });
    return;
  }
  // What old visits brought to a row is not in the log any more.
  const wholeFromDay = oracle.wholeFromDay(partition);
  if (wholeFromDay > 0 && (day === null || day < wholeFromDay)) return view.absent();

  const counts = await oracle.visitsAt(code, at, partition);
  const expected = day === null ? totalsOf(counts) : dayOf(counts, day);
  const found = day === null ? decodeTotals(payload) : decodeDay(day, payload);
  if (found === null || expected === null) {
    view.compared();
    view.drift({
      key,
      what: 'the row',
      expected: expected ?? 'no visit',
      found: found ?? payload.toString('hex'),
      position,
    });
    return;
  }
  const ofLog = day === null ? counts.version : counts.days.find((each) => each.day === day).version;
  view.compare(key, position, { ...expected, ...(version !== null && { version: ofLog }) }, { ...found, version });
}

/** Rows that the log asks for, for these codes, and that `has` does not know. @param {(key: string) => boolean} has */
export function compareMissing(oracle, view, partition, codes, has) {
  const { nextOffset } = oracle.positions[partition];
  const wholeFromDay = oracle.wholeFromDay(partition);
  for (const code of codes) {
    const counts = oracle.visitsAtEnd(code);
    const days = counts.days
      .filter(({ day }) => day >= wholeFromDay)
      .map(({ day }) => `d${code}!${String(day).padStart(6, '0')}`);
    for (const key of [`t${code}`, ...days]) {
      if (has(key)) continue;
      view.compared();
      view.drift({
        key,
        what: 'the row',
        expected: totalsOf(counts),
        found: 'missing',
        position: `${partition}:${nextOffset}`,
      });
    }
  }
}
