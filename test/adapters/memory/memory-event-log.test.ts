import { randomBytes } from 'node:crypto';
import { createMemoryEventLog } from '../../../src/adapters/memory/memory-event-log.ts';
import type { Random } from '../../../src/ports/random.ts';
import { eventLogContract } from '../../contracts/event-log.ts';
import { visitJournalContract } from '../../contracts/visit-journal.ts';

const random: Random = {
  bytes: (size) => randomBytes(size),
  id: () =>
    randomBytes(16)
      .toString('hex')
      .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
  code: (size) => randomBytes(size).toString('hex').slice(0, size),
};

eventLogContract('the log in memory', async (partitions) => {
  const memory = createMemoryEventLog({ partitions, random });
  return { ...memory, dispose: () => memory.log.close() };
});

visitJournalContract('the log in memory', async () => {
  const { log, journal } = createMemoryEventLog({ partitions: 1, random });
  return { log, journal, dispose: () => log.close() };
});
