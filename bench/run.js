/**
 * Measures the built program: `npm run bench -- [--quick] [--links=N] [--visits=N] [--part=NAME] [measurement …]`. Prints one table and
 * writes JSON. `--quick` is a smoke test of the measurements themselves. Those of the distributed mode start a Kafka and a Redis
 * and run only when they are named: `npm run bench -- distributed`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeLinks } from './links.js';
import { printTable, writeResults } from './table.js';

/** In this order. Each is a file here that exports `measure(context)`. */
const measurements = ['redirect', 'start', 'freshness', 'create', 'memory', 'fold'];
/** Only when they are asked for by name. */
const onDemand = ['distributed'];
const byDefault = { links: 100_000, visits: 1_500_000 };
const byDefaultQuick = { links: 10_000, visits: 100_000 };

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    links: { type: 'string' },
    visits: { type: 'string' },
    part: { type: 'string', multiple: true },
  },
});
const known = [...measurements, ...onDemand];
const unknown = positionals.filter((name) => !known.includes(name));
if (unknown.length > 0) throw new Error(`no such measurement: ${unknown.join(', ')} (there are ${known.join(', ')})`);
const wanted = positionals.length === 0 ? measurements : known.filter((name) => positionals.includes(name));
const sizes = options.quick ? byDefaultQuick : byDefault;

const workDir = mkdtempSync(join(tmpdir(), 'tallyhop-bench-'));
const context = {
  quick: options.quick,
  links: Number(options.links ?? sizes.links),
  /** Of the folds. */
  visits: Number(options.visits ?? sizes.visits),
  workDir,
  /** Of `distributed`: only these, when some are named. */
  parts: options.part ?? [],
  /** A folder of the program with all links. */
  dataDir: join(workDir, 'data'),
  /** Code of link number i. */
  codes: [],
};

const rows = [];
const details = {};
try {
  context.codes = await writeLinks(context.dataDir, context.links);
  for (const name of wanted) {
    console.log(`measuring: ${name}`);
    const { measure } = await import(`./${name}.js`);
    const result = await measure(context);
    rows.push(...result.rows);
    details[name] = result.details ?? null;
  }
} finally {
  rmSync(workDir, { recursive: true, force: true });
  printTable(rows);
}
const { quick, links, visits } = context;
console.log(`\nwritten to ${writeResults({ quick, links, visits, rows, details })}`);
