/**
 * One partition's worker as a process: takes the partition over, folds it to its end with changelog and store, and leaves. Prints one line of
 * JSON. `node partition-process.js <JSON of brokers, logId, topicPrefix, changelogPrefix, topology, folder, visits>`.
 */
import { writeSync } from 'node:fs';
import { openKafkaChangelog } from '../dist/adapters/kafka/kafka-changelog.js';
import { openKafkaLog } from '../dist/adapters/kafka/kafka-log.js';
import { foldWriteBufferBytes, openLevelStateStore } from '../dist/adapters/level/level-state-store.js';
import { systemClock } from '../dist/adapters/system/system-clock.js';
import { systemRandom } from '../dist/adapters/system/system-random.js';
import { systemTimer } from '../dist/adapters/system/system-timer.js';
import { visitStatistics } from '../dist/projections/visit-statistics.js';
import { PartitionWorker } from '../dist/worker/partition-worker.js';
import { countTopology } from './count-topology.js';
import { logger } from './links.js';

const { brokers, topicPrefix, changelogPrefix, topology, folder, visits } = JSON.parse(process.argv[2]);
const kafka = { brokers, clientId: 'tallyhop-bench', logger, clock: systemClock, random: systemRandom };
const log = await openKafkaLog({
  ...{ ...kafka, topicPrefix, secretFingerprint: 'bench' },
  onRefused(error) {
    throw error;
  },
});
const changelog = await openKafkaChangelog({ ...kafka, topicPrefix: changelogPrefix });
const figures = { flushes: 0, keysFlushed: 0, commits: 0, rowsCommitted: 0 };
let checkpoint = -1;
let folded;
const allFolded = new Promise((resolve) => {
  folded = resolve;
});

const worker = new PartitionWorker({
  ...{ partition: 0, logId: log.logId, instanceId: systemRandom.id(), changelog },
  ...{ clock: systemClock, timer: systemTimer, random: systemRandom, logger },
  topology: topology === 'count' ? countTopology : visitStatistics,
  producerSilenceMs: 35 * 86_400_000,
  openStore: () => openLevelStateStore({ folder, writeBufferBytes: foldWriteBufferBytes }),
  setStoreAside: async (reason) => {
    throw reason;
  },
  openLogReader: () => log.reader('visits', 0),
  sendDeadLetters: async (_partition, letters) => {
    throw new Error(`${letters.length} visits went to the dead letters`);
  },
  isStoreDamage: () => false,
  onStatus({ state, reason }) {
    if (state === 'halted' || state === 'fenced') throw new Error(`the task is ${state}: ${reason}`);
  },
  onCommit({ rows, nextOffset }) {
    figures.commits++;
    figures.rowsCommitted += rows.size;
    if (nextOffset >= visits) folded();
  },
  onFlush({ keys, checkpointOffset }) {
    figures.flushes++;
    figures.keysFlushed += keys;
    checkpoint = checkpointOffset;
  },
});

const openedMs = performance.now();
await worker.becomeActive();
const startMs = performance.now();
const cpuBefore = process.cpuUsage();
const { openedAtOffset } = worker.status().task;
if (openedAtOffset < visits) await allFolded;
const { counts } = worker.status().task;
// With its last commit and its last flush, so that all of it is in the changelog.
await worker.stop();
const seconds = (performance.now() - startMs) / 1_000;
const cpu = process.cpuUsage(cpuBefore);
if (openedAtOffset < visits && checkpoint < visits) throw new Error(`the changelog ends at ${checkpoint}`);
await changelog.close();
await log.close();
const takeOverMs = startMs - openedMs;
const cpuUs = (cpu.user + cpu.system) / visits;
writeSync(1, `${JSON.stringify({ seconds, cpuUs, takeOverMs, folded: counts.folded, ...figures })}\n`);
process.exit(0);
