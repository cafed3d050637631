/** Prints the figures asked for and reached as one table and writes them as JSON to bench/results/. */
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';

export function printTable(rows) {
  const head = ['figure', 'reached', 'asked', ''];
  const lines = rows.map(({ figure, reached, unit, atLeast, atMost, kept }) => [
    figure,
    `${format(reached)} ${unit}`.trim(),
    asked(atLeast, atMost),
    kept === null ? '' : kept ? 'yes' : 'NO',
  ]);
  const widths = head.map((title, i) => Math.max(title.length, ...lines.map((line) => line[i].length)));
  const print = (cells) =>
    console.log(
      cells.map((cell, i) => (i === 1 || i === 2 ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join('  '),
    );
  print(head);
  print(widths.map((width) => '-'.repeat(width)));
  for (const line of lines) print(line);
}

/** Returns the name of the file. */
export function writeResults(results) {
  const folder = fileURLToPath(new URL('results/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  const at = new Date().toISOString();
  const file = `${folder}${at.replaceAll(':', '-').slice(0, 19)}-node${process.versions.node.split('.')[0]}.json`;
  const machine = { cpus: os.cpus().map(({ model }) => model), memoryBytes: os.totalmem(), kernel: os.release() };
  writeFileSync(file, `${JSON.stringify({ at, node: process.version, machine, ...results }, null, 2)}\n`);
  return file;
}

function asked(atLeast, atMost) {
  if (atLeast !== null && atLeast === atMost) return `= ${format(atLeast)}`;
  if (atLeast !== null) return `≥ ${format(atLeast)}`;
  return atMost === null ? '' : `≤ ${format(atMost)}`;
}

function format(number) {
  if (Number.isInteger(number)) return number.toLocaleString('en-US');
  return number.toLocaleString('en-US', { maximumFractionDigits: Math.abs(number) < 10 ? 2 : 1 });
}
