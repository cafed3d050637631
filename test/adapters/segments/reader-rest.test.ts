/** A reader that rests before it waits: it misses nothing, and its rest does not outlast its timeout. */
import { openSegmentReader } from '../../../src/adapters/segments/segment-reader.ts';
import { put } from '../../contracts/visit-journal.ts';
import { openIn, removeFolder, temporaryFolder } from './support/temporary-log.ts';

describe('a reader of segments that rests before it waits', () => {
  let folder: string;
  beforeEach(() => {
    folder = temporaryFolder();
  });
  afterEach(() => removeFolder(folder));

  it('finds what was appended while it rested', async () => {
    const { log, journal, shared } = await openIn(folder);
    const reader = openSegmentReader({ folder, topic: 'visits', partition: 0, shared, restMs: 5 });
    for (let next = 0; next < 20; next++) {
      const found = reader.waitFor(next, 60_000);
      await put(journal, 'code', `["visit",${next}]`);
      await found;
      expect((await reader.read(next, 1_000)).map(({ offset }) => offset)).toEqual([next]);
    }
    await reader.close();
    await log.close();
  });

  it('waits no longer than it was told to', async () => {
    const { log, shared } = await openIn(folder);
    const reader = openSegmentReader({ folder, topic: 'visits', partition: 0, shared, restMs: 3_600_000 });
    await reader.waitFor(0, 1);
    expect(reader.endOffset()).toBe(0);
    await reader.close();
    await log.close();
  });

  it('does not rest when there is something to read', async () => {
    const { log, journal, shared } = await openIn(folder);
    const reader = openSegmentReader({ folder, topic: 'visits', partition: 0, shared, restMs: 3_600_000 });
    await put(journal, 'code', '["visit"]');
    await reader.waitFor(0, 3_600_000);
    expect(await reader.read(0, 1_000)).toHaveLength(1);
    await reader.close();
    await log.close();
  });

  it('ends its waiting when it is closed', async () => {
    const { log, shared } = await openIn(folder);
    const reader = openSegmentReader({ folder, topic: 'visits', partition: 0, shared, restMs: 1 });
    const waited = reader.waitFor(0, 3_600_000);
    await reader.close();
    await waited;
    await log.close();
  });
});
