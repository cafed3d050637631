import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLevelStateStore } from '../../src/adapters/level/level-state-store.ts';
import { openSegmentLog } from '../../src/adapters/segments/open-segment-log.ts';
import { systemClock } from '../../src/adapters/system/system-clock.ts';
import { systemRandom } from '../../src/adapters/system/system-random.ts';
import { openLinkTable } from '../../src/projections/link-table.ts';
import { encodeLinkEvent } from '../../src/serde/link-event.ts';
import { created } from '../support/link-table-world.ts';
import { createQuietLogger } from '../support/quiet-logger.ts';

describe('the link table over the embedded log', () => {
  it('follows what is appended, and goes on where it stood after a restart', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tallyhop-table-log-'));
    const logger = createQuietLogger();
    let count = 0;
    for (let start = 0; start < 3; start += 1) {
      const { log } = await openSegmentLog({
        folder: join(folder, 'log'),
        partitions: 2,
        visitFsync: 'off',
        clock: systemClock,
        random: systemRandom,
        logger,
        segmentBytes: 64 * 1024,
      });
      const table = await openLinkTable({
        openStore: () => openLevelStateStore({ folder: join(folder, 'links') }),
        setStoreAside: async (reason) => {
          throw new Error(`nothing is wrong with the store, and yet: ${reason}`);
        },
        log,
        logger,
        clock: systemClock,
      });
      await table.load();
      expect(table.size()).toBe(count);

      const until = count + 200;
      for (; count < until; count += 1) {
        const code = `code${count}`;
        const url = `https://example.com/${count}`;
        const envelope = { id: `id-${code}`, code, at: count, by: 'anonymous', commandId: code, expectedVersion: 0 };
        const partition = log.partitionOf(code);
        const value = encodeLinkEvent({ ...envelope, ...created({ url }) });
        const offset = await log.append('links', partition, [{ key: code, value }]);
        await table.applied(partition, offset);
        expect(table.find(code)?.url).toBe(url);
      }
      for (let index = 0; index < count; index += 1) {
        const history = await table.history(`code${index}`, -1, 5);
        expect(history.map(({ event }) => event.id)).toEqual([`id-code${index}`]);
      }
      await table.close();
      await log.close();
    }
    await rm(folder, { recursive: true, force: true });
  });
});
