/**
 * Measures the built program: `npm run bench -- [--quick] [--full] [--links=N] [measurement …]`. Prints one table and
 * writes JSON. `--quick` is a smoke test of the measurements themselves, `--full` adds those that take many minutes.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { printTable, writeResults } from './table.js';

/** In this order: the first makes the links that the others need. Each is a file here that exports `measure(context)`. */
const measurements = ['create', 'redirect', 'start', 'freshness', 'memory'];
const linksByDefault = 100_000;
const linksQuick = 2_000;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    links: { type: 'string' },
  },
});
const unknown = positionals.filter((name) => !measurements.includes(name));
if (unknown.length > 0)
  throw new Error(`no such measurement: ${unknown.join(', ')} (there are ${measurements.join(', ')})`);
const wanted = measurements.filter((name, i) => i === 0 || positionals.length === 0 || positionals.includes(name));

const workDir = mkdtempSync(join(tmpdir(), 'tallyhop-bench-'));
const context = {
  quick: options.quick,
  full: options.full,
  links: Number(options.links ?? (options.quick ? linksQuick : linksByDefault)),
  workDir,
  /** The folder of the program with the links of `create`. */
  dataDir: join(workDir, 'data'),
  /** Code of link number i. */
  codes: [],
};
mkdirSync(context.dataDir);

const rows = [];
const details = {};
try {
  for (const name of wanted) {
    console.log(`measuring: ${name}`);
    const { measure } = await import(`./${name}.js`);
    const result = await measure(context);
    rows.push(...result.rows);
    details[name] = result.details ?? null;
  }
} finally {
  rmSync(workDir, { recursive: true, force: true });
}
printTable(rows);
console.log(`\nwritten to ${writeResults({ quick: context.quick, links: context.links, rows, details })}`);
