/**
 * The fold of visits into all statistics, by the program's own worker in a thread: live, while visits are appended faster
 * than it folds, and as a rebuild from zero over a log that is there. Beside it a bare loop that reads and decodes the
 * same records and counts them in a Map. Afterwards the rows in the store must hold every visit.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { openLevelStateStore } from '../dist/adapters/level/level-state-store.js';
import { openSegmentReader } from '../dist/adapters/segments/segment-reader.js';
import { totalsRowCodec } from '../dist/projections/totals-row.js';
import { overallKey } from '../dist/projections/visit-statistics.js';
import { decodeVisit } from '../dist/serde/visit.js';
import { payloadOf } from '../dist/worker/versioned-rows.js';
import { median, row } from './figures.js';
import { openLog } from './links.js';
import { popularities } from './load.js';
import { threadsCpuUs } from './processes.js';
import { writeVisits } from './visits.js';

const readBytes = 512 * 1024;
/** While the fold is live, the log's end stays about this far ahead of the last commit. */
const leadRecords = 500_000;
const visitsPerAppend = 32;

export async function measure({ quick, links, visits, workDir }) {
  const rounds = quick ? 1 : 3;
  const runs = [];
  for (const popularity of popularities) {
    const dataDir = join(workDir, `fold-${popularity}`);
    mkdirSync(dataDir);
    await writeVisits(dataDir, { visits, links, popularity });
    const round = async () => {
      runs.push({ kind: 'live', popularity, ...(await foldLive(dataDir, visits)) });
      runs.push({ kind: 'rebuild', popularity, ...(await rebuild(dataDir, visits)) });
      runs.push({ kind: 'map', popularity, ...(await countInMap(dataDir, visits)) });
    };
    for (let i = 0; i < (popularity === 'zipf' ? rounds : 1); i++) await round();
    rmSync(dataDir, { recursive: true });
  }
  return { rows: rowsOf(runs), details: { visits, links, runs } };
}

function rowsOf(runs) {
  const of = (kind, popularity, figure) =>
    median(runs.filter((run) => run.kind === kind && run.popularity === popularity).map((run) => run[figure]));
  const rate = (name, kind, popularity, asked) => row(name, of(kind, popularity, 'perSecond'), 'events/s', asked);
  const wrong = runs.filter((run) => run.kind !== 'map').map((run) => run.wrong);
  return [
    rate('fold, live', 'live', 'zipf', { atLeast: 120_000 }),
    rate('fold, live, uniform popularity', 'live', 'uniform'),
    rate('fold, live, one link', 'live', 'one-link'),
    row('fold CPU, live', of('live', 'zipf', 'cpuUs'), 'µs each'),
    row('fold, live: rows written', of('live', 'zipf', 'rowsPerVisit'), 'a visit'),
    row('fold, live: commits', of('live', 'zipf', 'commits'), ''),
    rate('rebuild', 'rebuild', 'zipf', { atLeast: 200_000 }),
    rate('rebuild, uniform popularity', 'rebuild', 'uniform'),
    rate('rebuild, one link', 'rebuild', 'one-link'),
    row('rebuild CPU', of('rebuild', 'zipf', 'cpuUs'), 'µs each'),
    row('rebuild: rows written', of('rebuild', 'zipf', 'rowsPerVisit'), 'a visit'),
    row('rebuild: commits', of('rebuild', 'zipf', 'commits'), ''),
    rate('bare read, decode and count in a Map', 'map', 'zipf'),
    rate('the same, uniform popularity', 'map', 'uniform'),
    rate('the same, one link', 'map', 'one-link'),
    row('visits missing or too many in the rows folded', Math.max(...wrong.map(Math.abs)), '', { atMost: 0 }),
  ];
}

/** Copies the visits into a new log, as a busy journal appends them, while the thread folds it. */
async function foldLive(fromDir, visits) {
  const dataDir = `${fromDir}-live`;
  mkdirSync(dataDir);
  const from = await openLog(fromDir, 'off');
  const to = await openLog(dataDir);
  const reader = await from.log.reader('visits', 0);
  const fold = await startFold(dataDir, to);
  let records = [];
  let taken = 0;
  let failure = null;
  for (let n = 0; n < visits; ) {
    if (n - fold.committed() > leadRecords) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      continue;
    }
    if (taken === records.length) [records, taken] = [await reader.read(n, readBytes), 0];
    for (let i = 0; i < visitsPerAppend && taken < records.length; i++, n++) {
      const { key, value } = records[taken++];
      to.journal.append(key, value, (error) => {
        failure ??= error;
      });
    }
    await new Promise(setImmediate);
    if (failure !== null) throw failure;
  }
  const figures = await fold.end(visits);
  await reader.close();
  await from.log.close();
  await to.log.close();
  const wrong = (await visitsInRows(dataDir)) - visits;
  rmSync(dataDir, { recursive: true });
  return { ...figures, wrong };
}

async function rebuild(dataDir, visits) {
  const opened = await openLog(dataDir, 'off');
  const fold = await startFold(dataDir, opened);
  const figures = await fold.end(visits);
  await opened.log.close();
  const wrong = (await visitsInRows(dataDir)) - visits;
  rmSync(join(dataDir, 'stores'), { recursive: true });
  return { ...figures, wrong };
}

/** Starts the thread and resolves when its task is open, which is where its time and its CPU begin to count. */
async function startFold(dataDir, { log, shared }) {
  const workerData = { dataDir, logId: log.logId, partitions: 1, shared };
  mkdirSync(join(dataDir, 'stores'));
  const thread = new Worker(new URL('./fold-thread.js', import.meta.url), { workerData });
  let committed = 0;
  let commits = 0;
  let rowsWritten = 0;
  let heard = () => {};
  const failed = new Promise((_, reject) => {
    thread.on('error', reject);
    thread.on('message', (message) => {
      if (message.type === 'halted') reject(new Error(message.reason));
      if (message.type !== 'progress') return;
      committed = message.status.committedOffset;
      rowsWritten = message.rowsWritten;
      if (message.commitDurationMs !== null) commits++;
      heard();
    });
  });
  await Promise.race([new Promise((resolve) => (heard = resolve)), failed]);
  const startMs = performance.now();
  const cpuBefore = otherThreadsCpuUs();
  return {
    committed: () => committed,
    /** Resolves with the figures when `visits` visits are committed, after the thread has ended. */
    async end(visits) {
      const done = new Promise((resolve) => {
        heard = () => {
          if (committed >= visits) resolve();
        };
        heard();
      });
      await Promise.race([done, failed]);
      const seconds = (performance.now() - startMs) / 1_000;
      const cpuUs = otherThreadsCpuUs() - cpuBefore;
      const exited = new Promise((resolve) => thread.once('exit', resolve));
      thread.postMessage({ type: 'stop' });
      await exited;
      const perVisit = { cpuUs: cpuUs / visits, rowsPerVisit: rowsWritten / visits };
      return { seconds, perSecond: visits / seconds, commits, ...perVisit };
    },
  };
}

async function countInMap(dataDir, visits) {
  const { log, shared } = await openLog(dataDir, 'off');
  const reader = openSegmentReader({ folder: join(dataDir, 'log'), topic: 'visits', partition: 0, shared });
  const counts = new Map();
  const startMs = performance.now();
  let n = 0;
  while (n < visits) {
    for (const { key, value } of await reader.read(n, readBytes)) {
      const visit = decodeVisit(key, value);
      counts.set(visit.code, (counts.get(visit.code) ?? 0) + 1);
      n++;
    }
  }
  const seconds = (performance.now() - startMs) / 1_000;
  await reader.close();
  await log.close();
  return { seconds, perSecond: visits / seconds };
}

/** CPU time of all threads but this one: the fold's, LevelDB's, the garbage collector's. */
function otherThreadsCpuUs() {
  return threadsCpuUs(process.pid, (threadId) => threadId !== process.pid);
}

/** The sum over the links' rows; fails when the row of all links says something else. */
async function visitsInRows(dataDir) {
  const store = await openLevelStateStore({ folder: join(dataDir, 'stores', 'visit-statistics-0') });
  let sum = 0;
  let gt = 't';
  for (;;) {
    const entries = await store.range({ gt, lt: 'u', limit: 10_000 });
    for (const [key, value] of entries) {
      sum += visitsIn(value);
      gt = key;
    }
    if (entries.length < 10_000) break;
  }
  const overall = visitsIn(store.getSync(overallKey));
  await store.close();
  if (overall !== sum) throw new Error(`the links have ${sum} visits, all together ${overall}`);
  return sum;
}

function visitsIn(stored) {
  const { nonBots, bots, prefetches } = totalsRowCodec.decode(payloadOf(stored));
  return nonBots + bots + prefetches;
}
