/** Entry of the statistics thread: gives the worker its stores, its readers of the log, and the way to the main thread. */
import { parentPort, workerData } from 'node:worker_threads';
import { foldWriteBufferBytes, openLevelStateStore } from '../adapters/level/level-state-store.ts';
import { setAsideFolder } from '../adapters/level/set-aside-folder.ts';
import { openSegmentReader } from '../adapters/segments/segment-reader.ts';
import { systemClock } from '../adapters/system/system-clock.ts';
import { yieldToOtherThreads } from '../adapters/system/thread-priority.ts';
import type { StatisticsThreadData, ToStatisticsThread } from './statistics-messages.ts';
import { StatisticsWorker } from './statistics-worker.ts';

/** Visits that come one by one are in the numbers at most this much later, those that come in streams cost far less. */
const restMs = 4;

const port = parentPort;
if (port === null) throw new Error('this file runs as a worker thread');
// Visits are safe in the log; redirects go first where processors are short.
yieldToOtherThreads();
const { dataDir, logId, partitions, shared } = workerData as StatisticsThreadData;
const worker = new StatisticsWorker({
  dataDir,
  logId,
  partitions,
  clock: systemClock,
  openStore: (folder) => openLevelStateStore({ folder, writeBufferBytes: foldWriteBufferBytes }),
  setAside: (folder) => setAsideFolder(folder, systemClock),
  openReader: async (partition) =>
    openSegmentReader({ folder: `${dataDir}/log`, topic: 'visits', partition, shared, restMs }),
  send: (message) => port.postMessage(message),
});
port.on('message', (message: ToStatisticsThread) => worker.receive(message));
await worker.run();
port.close();
