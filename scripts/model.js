/**
 * Checks the protocol of the changelog and of takeovers with spin: `npm run model` (`--small`: what the tests run, under a
 * minute). Searches the whole protocol within several bounds, where no wrong count may be found, and then leaves out one rule at
 * a time, where one must be found: else the model could not see what the rule is for. Exit code 0 when both hold.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const model = fileURLToPath(new URL('../model/changelog.pml', import.meta.url));
const isSmall = process.argv.includes('--small');
const memoryMiB = 4_000;
const depthMax = 100_000;
const sampleMinutes = 3;

/** Bounds of the searches, as the model calls them; it says what each means. */
const two = { TAKEOVERS: 2, STRAYS: 0, RECORDS: 6 };
const stray = { TAKEOVERS: 2, CRASHES: 0, LOSSES: 0, RECORDS: 6 };
/** With EAGER compaction: what has a later record that is as new is gone at once, not only some time. */
const three = { TAKEOVERS: 3, STRAYS: 0, LOSSES: 0, RECORDS: 7, EAGER: 1 };
const redis = { TAKEOVERS: 2, STRAYS: 0, LOSSES: 0, CRASHES: 0, RECORDS: 5, REDIS: 1 };
const all = { INSTANCES: 3, TAKEOVERS: 3, CRASHES: 1, LOSSES: 1, STRAYS: 1, RECORDS: 9 };

const searches = [
  { name: 'two takeovers, a crash, a lost store', bounds: { ...two, RECORDS: isSmall ? 6 : 7 } },
  { name: 'two takeovers, Redis', bounds: redis },
  { name: 'one takeover, an append without an answer', bounds: { TAKEOVERS: 1, RECORDS: 8 } },
  ...(isSmall
    ? []
    : [
        { name: 'two takeovers, an append without an answer', bounds: stray },
        { name: 'three takeovers, a crash', bounds: three },
        { name: 'three takeovers, a crash, a lost store', bounds: { ...three, LOSSES: 1, RECORDS: 6 } },
        { name: 'three owners at once, all of it: a sample', bounds: all, isSample: true },
      ]),
];

const rules = [
  { name: 'a row skips what it already contains', off: 'NO_SKIP_BY_VERSION', bounds: two },
  { name: 'a skipped row is flushed again', off: 'NO_MARK_SKIPPED_DIRTY', bounds: two },
  { name: 'a checkpoint follows its values', off: 'CHECKPOINT_BEFORE_VALUES', bounds: two },
  { name: 'a checkpoint holds the watermarks', off: 'NO_WATERMARKS', bounds: two },
  {
    name: 'a takeover starts with those, not the store’s',
    off: 'LOCAL_WATERMARKS_INSTEAD_OF_CHECKPOINTS',
    bounds: two,
  },
  { name: 'a takeover reads to the end', off: 'READ_TO_OWN_BARRIER_ONLY', bounds: two },
  { name: 'base offsets are verified', off: 'NO_BASE_OFFSET_CHECK', bounds: two },
  { name: 'what a stale owner wrote is rewritten', off: 'NO_REWRITE', bounds: two },
  { name: 'compaction waits for the lag', off: 'NO_LAG', bounds: two },
  {
    name: 'a resend is told by its send, not its epoch',
    off: 'RESEND_BY_EPOCH_ONLY',
    bounds: { TAKEOVERS: 1, RECORDS: 8 },
  },
  {
    name: 'a store keeps no position before all is rewritten',
    off: 'SETTLE_DESPITE_REWRITE',
    bounds: three,
  },
  { name: 'Redis compares versions', off: 'NO_REDIS_GUARD', bounds: redis },
];

ensureTool('spin', 'spin');
ensureTool('gcc', 'gcc libc6-dev');
console.log(row('searched', 'states', 'depth', 'seconds', 'found'));
let failures = 0;
for (const search of searches) {
  const found = check(search.bounds, [], search.isSample === true);
  print(search.name, found);
  if (found.wrongCounts > 0) failures++;
}
console.log('\nwithout the rule that …');
for (const { name, off, bounds } of rules) {
  const found = check(bounds, [off], false);
  print(name, found);
  if (found.wrongCounts === 0) failures++;
}
console.log(failures === 0 ? '\nok' : `\n${failures} not as it must be`);
process.exitCode = failures === 0 ? 0 : 1;

/**
 * One search. Exhaustive: depth first, no reduction, every state kept as a hash of 64 bits and more (-DHC4). A sample: three bits
 * a state among 2^33 (-DBITSTATE), ended after some minutes; it shows errors but cannot show that there are none.
 */
function check(bounds, off, isSample) {
  const folder = mkdtempSync(join(tmpdir(), 'tallyhop-model-'));
  const run = (command, args) => {
    const { status, error, stdout, stderr } = spawnSync('nice', ['-n', '10', command, ...args], {
      cwd: folder,
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    });
    if (error !== undefined || status !== 0) throw new Error(`${command} failed: ${error ?? stdout + stderr}`);
    return stdout;
  };
  try {
    copyFileSync(model, join(folder, 'changelog.pml'));
    const defined = [
      ...Object.entries(bounds).map(([name, value]) => `-D${name}=${value}`),
      ...off.map((rule) => `-D${rule}`),
    ];
    run('spin', ['-a', ...defined, 'changelog.pml']);
    const keep = isSample ? ['-DBITSTATE'] : ['-DHC4'];
    run('gcc', [
      isSmall || off.length > 0 ? '-O0' : '-O2',
      '-w',
      '-DSAFETY',
      '-DNOREDUCE',
      ...keep,
      `-DMEMLIM=${memoryMiB}`,
      '-o',
      'pan',
      'pan.c',
    ]);
    // -E: an owner that has nothing left to do is no deadlock.
    const out = run('./pan', ['-E', `-m${depthMax}`, ...(isSample ? ['-w33', `-Q${sampleMinutes}`] : [])]);
    const number = (pattern) => Number(pattern.exec(out)?.[1]);
    const wrongCounts = number(/errors: (\d+)/);
    const isCut = /max search depth too small|out of memory|Search not completed/.test(out);
    if (Number.isNaN(wrongCounts) || (isCut && wrongCounts === 0 && !isSample))
      throw new Error(`the search did not end:\n${out}`);
    if (wrongCounts > 0 && !/assertion violated/.test(out)) throw new Error(`an error that is no wrong count:\n${out}`);
    const at = number(/assertion violated .*\(at depth (\d+)\)/);
    return {
      wrongCounts,
      states: number(/([\d.e+]+) states, stored/),
      depth: wrongCounts > 0 ? at : number(/depth reached (\d+)/),
      seconds: number(/elapsed time ([\d.e-]+) seconds/) || 0,
      note: isSample && isCut ? ', not all searched' : '',
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function print(name, { wrongCounts, states, depth, seconds, note }) {
  const found = wrongCounts > 0 ? 'a wrong count' : `no wrong count${note}`;
  console.log(row(name, String(states), String(depth), seconds.toFixed(1), found));
}

function row(name, states, depth, seconds, found) {
  return `${name.padEnd(52)}${states.padStart(10)}${depth.padStart(7)}${seconds.padStart(9)}  ${found}`;
}

function ensureTool(command, packages) {
  const isThere = () => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;
  if (isThere()) return;
  if (process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    execFileSync('apt-get', ['update', '-qq'], { stdio: 'inherit' });
    const names = packages.split(' ');
    execFileSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...names], { stdio: 'inherit' });
  }
  if (!isThere()) throw new Error(`The model needs ${command} (Debian: apt-get install ${packages}).`);
}
