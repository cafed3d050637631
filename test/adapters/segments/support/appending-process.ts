/** A process that appends visits to the log in its argument for ever, and prints each sequence that was acknowledged. */
import { writeSync } from 'node:fs';
import { openSegmentLog } from '../../../../src/adapters/segments/open-segment-log.ts';
import { collectingLogger, testClock, testRandom } from './temporary-log.ts';

const { journal } = await openSegmentLog({
  folder: process.argv[2] ?? '',
  partitions: 1,
  visitFsync: 'off',
  clock: testClock,
  random: testRandom,
  logger: collectingLogger(),
  segmentBytes: 20_000,
});
let acknowledged = '';

/** Prints what was acknowledged, as far as the pipe takes it. */
function print(): void {
  try {
    acknowledged = acknowledged.slice(writeSync(1, acknowledged));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  }
}

function turn(): void {
  if (acknowledged !== '') print();
  // A pipe that is full holds the appends up, too.
  for (let i = 0; i < 20 && acknowledged.length < 10_000; i++) {
    journal.append(`code${i}`, Buffer.from(`["${journal.producerId}",${i}]`), (error, sequence) => {
      acknowledged += error === null ? `${journal.producerId} ${sequence}\n` : `${error.message}\n`;
    });
  }
  setImmediate(turn);
}
turn();
