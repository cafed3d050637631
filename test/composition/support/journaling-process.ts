/**
 * A process that journals visits for ever, prints each that was acknowledged, and forwards them in its thread. Arguments: the
 * journal's folder, that of the shared log, and the number of partitions.
 */
import { writeSync } from 'node:fs';
import { openVisitJournal } from '../../../src/adapters/segments/open-visit-journal.ts';
import { systemClock } from '../../../src/adapters/system/system-clock.ts';
import { systemRandom } from '../../../src/adapters/system/system-random.ts';
import { startForwarderThread } from '../../../src/composition/forwarder-client.ts';
import { partitionOf } from '../../../src/ports/partitioner.ts';
import { createQuietLogger } from '../../support/quiet-logger.ts';
import { startForwardingThread } from './start-forwarding-thread.ts';

const [, , folder = '', logFolder = '', partitionCount = ''] = process.argv;
const partitions = Number(partitionCount);
const opened = await openVisitJournal({
  folder,
  partitions,
  logId: 'the-log',
  visitFsync: 'off',
  maxBytes: 1e9,
  clock: systemClock,
  random: systemRandom,
  logger: createQuietLogger(),
});
startForwarderThread({
  folder,
  journal: opened,
  shipper: { folder: logFolder, loseAnswerEvery: 7 },
  clock: systemClock,
  logger: createQuietLogger(),
  startThread: startForwardingThread,
});
const { journal } = opened;
let acknowledged = '';

/** Prints what was acknowledged, as far as the pipe takes it. */
function print(): void {
  try {
    acknowledged = acknowledged.slice(writeSync(1, acknowledged));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  }
}

let number = 0;
function turn(): void {
  if (acknowledged !== '') print();
  // A pipe that is full holds the visits up, too.
  for (let i = 0; i < 20 && acknowledged.length < 10_000; i++) {
    const code = `code${number++ % 50}`;
    const value = `["${journal.producerId}",${number}]`;
    journal.append(code, Buffer.from(value), (error, sequence) => {
      if (error !== null) throw error;
      acknowledged += `${partitionOf(code, partitions)} ${journal.producerId} ${sequence} ${code} ${value}\n`;
    });
  }
  setTimeout(turn, 1);
}
turn();
