/**
 * The statistics thread of the program (composition/statistics-thread.ts), with the rows counted that it writes. Run as
 * a worker thread by fold.js.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { foldWriteBufferBytes, openLevelStateStore } from '../dist/adapters/level/level-state-store.js';
import { setAsideFolder } from '../dist/adapters/level/set-aside-folder.js';
import { openSegmentReader } from '../dist/adapters/segments/segment-reader.js';
import { systemClock } from '../dist/adapters/system/system-clock.js';
import { StatisticsWorker } from '../dist/composition/statistics-worker.js';

const { dataDir, logId, partitions, shared } = workerData;
let rowsWritten = 0;
const worker = new StatisticsWorker({
  dataDir,
  logId,
  partitions,
  clock: systemClock,
  openStore: async (folder) =>
    countingRows(await openLevelStateStore({ folder, writeBufferBytes: foldWriteBufferBytes })),
  setAside: (folder) => setAsideFolder(folder, systemClock),
  openReader: async (partition) => openSegmentReader({ folder: `${dataDir}/log`, topic: 'visits', partition, shared }),
  send: (message) => parentPort.postMessage({ ...message, rowsWritten }),
});
parentPort.on('message', (message) => worker.receive(message));
await worker.run();
parentPort.close();

function countingRows(store) {
  const counting = Object.create(store);
  counting.batch = () => {
    const batch = store.batch();
    const countingBatch = Object.create(batch);
    countingBatch.put = (key, value) => {
      rowsWritten++;
      batch.put(key, value);
    };
    return countingBatch;
  };
  return counting;
}
