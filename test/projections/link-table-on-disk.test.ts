import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLevelStateStore } from '../../src/adapters/level/level-state-store.ts';
import { setAsideFolder } from '../../src/adapters/level/set-aside-folder.ts';
import type { Link } from '../../src/domain/link.ts';
import { type OpenLinkTable, openLinkTable } from '../../src/projections/link-table.ts';
import { createFakeEventLog, type FakeEventLog } from '../support/fake-event-log.ts';
import { openLinkTableWorld } from '../support/link-table-world.ts';
import { createQuietLogger } from '../support/quiet-logger.ts';

const links = 1000;

describe('the link table on disk', () => {
  let parent: string;
  let folder: string;
  let log: FakeEventLog;
  const clock = { nowMs: () => 0, monotonicMs: () => 0 };

  async function open(): Promise<OpenLinkTable> {
    const table = await openLinkTable({
      openStore: () => openLevelStateStore({ folder, writeBufferBytes: 256 * 1024 }),
      setStoreAside: async () => {
        await setAsideFolder(folder, clock);
      },
      log,
      logger: createQuietLogger(),
      clock,
    });
    await table.load();
    return table;
  }

  async function answersOf(table: OpenLinkTable): Promise<unknown> {
    const all: Link[] = [];
    for (let index = 0; index < links; index += 97) {
      const link = table.find(`c${index}`);
      if (link !== undefined) all.push(link);
    }
    const tagged = await table.scan({ descending: true, limit: 50, tag: 'tag3' });
    return [
      table.size(),
      all,
      tagged,
      await table.tags(),
      await table.history('c5', -1, 10),
      table.outcomeOf('command-7'),
    ];
  }

  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'tallyhop-table-'));
    folder = join(parent, 'links');
    log = createFakeEventLog();
    const world = await openLinkTableWorld({ log });
    for (let index = 0; index < links; index += 1) {
      await world.create(`c${index}`, { url: `https://example.com/${index}`, tags: [`tag${index % 10}`] });
    }
    await world.write('c5', { type: 'LinkDeleted' }, { expectedVersion: 1 });
    await world.close();
  });

  afterEach(async () => {
    await rm(parent, { recursive: true, force: true });
  });

  it('gives the same answers after a restart, without folding anything again', async () => {
    const first = await open();
    const before = await answersOf(first);
    await first.close();
    const second = await open();
    expect(second.nextOffset(0)).toBe(links + 1);
    expect(await answersOf(second)).toEqual(before);
    expect(second.find('never')).toBeUndefined();
    await second.close();
    expect((await readdir(parent)).filter((name) => name.includes('damaged'))).toEqual([]);
  });

  it('sets a damaged store aside and gives the same answers from a new fold', async () => {
    const first = await open();
    const before = await answersOf(first);
    await first.close();
    // Opening moves the rows from the log into a table file.
    await (await open()).close();
    const table = (await readdir(folder)).find((name) => name.endsWith('.ldb'));
    const file = join(folder, table ?? '');
    const bytes = await readFile(file);
    bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 0x10, bytes.length >> 1);
    await writeFile(file, bytes);

    const second = await open();
    expect(await answersOf(second)).toEqual(before);
    await second.close();
    expect((await readdir(parent)).filter((name) => name.startsWith('links.damaged-'))).toHaveLength(1);
  });
});
