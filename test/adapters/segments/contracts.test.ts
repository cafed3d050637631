import { eventLogContract } from '../../contracts/event-log.ts';
import { visitJournalContract } from '../../contracts/visit-journal.ts';
import { openIn, removeFolder, temporaryFolder } from './support/temporary-log.ts';

eventLogContract('the segment log', async (partitions) => {
  const folder = temporaryFolder();
  const { log, dropBefore } = await openIn(folder, { partitions, segmentBytes: 700 });
  return {
    log,
    dropBefore,
    dispose: async () => {
      await log.close();
      removeFolder(folder);
    },
  };
});

for (const visitFsync of ['off', 'interval', 'always'] as const) {
  visitJournalContract(`the segment log with VISIT_FSYNC=${visitFsync}`, async () => {
    const folder = temporaryFolder();
    const { log, journal } = await openIn(folder, { visitFsync, segmentBytes: 700 });
    return {
      log,
      journal,
      dispose: async () => {
        await log.close();
        removeFolder(folder);
      },
    };
  });
}
