/** A worker thread that reads the visits of an open log as they are appended; says when it idles, and what it saw. */
import { createHash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { openSegmentReader } from '../../../../src/adapters/segments/segment-reader.ts';

const { folder, shared, records } = workerData as { folder: string; shared: SharedArrayBuffer; records: number };
const reader = openSegmentReader({ folder, topic: 'visits', partition: 0, shared });
const hash = createHash('sha256');
let next = 0;
let waits = 0;
while (next < records) {
  const read = await reader.read(next, 100_000);
  if (read.length === 0) {
    waits += 1;
    const waitedFor = next;
    // Told from a loop that has been idle for a while, and is so again afterwards.
    const idle = setTimeout(() => parentPort?.postMessage({ idleAt: waitedFor }), 30);
    // Longer than the test may take: only a wake through shared memory gets on.
    await reader.waitFor(next, 600_000);
    clearTimeout(idle);
  }
  for (const record of read) {
    if (record.offset !== next || record.sequence !== next) throw new Error(`${record.offset} where ${next} is due`);
    hash.update(record.key).update('\0').update(record.value).update('\0');
    next += 1;
  }
}
await reader.close();
parentPort?.postMessage({ done: true, next, waits, digest: hash.digest('hex') });
