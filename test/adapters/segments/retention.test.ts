import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readAll } from '../../contracts/event-log.ts';
import { put } from '../../contracts/visit-journal.ts';
import { openIn, removeFolder, temporaryFolder } from './support/temporary-log.ts';

describe('the retention of a segment log', () => {
  let folder: string;
  beforeEach(() => {
    folder = temporaryFolder();
  });
  afterEach(() => removeFolder(folder));

  const segments = (): string[] => readdirSync(join(folder, 'visits', '0')).sort();

  it('drops whole sealed segments, never the active one, and keeps offsets', async () => {
    const { log, journal, dropBefore, figures } = await openIn(folder, { segmentBytes: 250 });
    for (let i = 0; i < 20; i++) await put(journal, `code${i}`, '["some value"]');
    const before = segments();
    expect(before.length).toBeGreaterThan(4);
    const second = Number(before[1]?.slice(0, 20));
    expect(dropBefore('visits', 0, second - 1)).toBe(0);
    expect(dropBefore('visits', 0, second)).toBe(second);
    expect(segments()).toEqual(before.slice(1));
    expect(dropBefore('visits', 0, Number.MAX_SAFE_INTEGER)).toBe(Number(before.at(-1)?.slice(0, 20)));
    expect(segments()).toEqual(before.slice(-1));
    expect(figures('visits', 0).segments).toBe(1);
    await log.close();

    const again = await openIn(folder, { segmentBytes: 250 });
    const reader = await again.log.reader('visits', 0);
    expect(reader.startOffset()).toBe(Number(before.at(-1)?.slice(0, 20)));
    expect(reader.endOffset()).toBe(20);
    await reader.close();
    await again.log.close();
  });

  it('lets a reader finish nothing that was dropped before it got there', async () => {
    const { log, journal, dropBefore } = await openIn(folder, { segmentBytes: 250 });
    for (let i = 0; i < 20; i++) await put(journal, `code${i}`, '["some value"]');
    const reader = await log.reader('visits', 0);
    const read = await reader.read(0, 1);
    const start = dropBefore('visits', 0, 10);
    await expect(reader.read(read.length, 1)).rejects.toMatchObject({ name: 'OffsetOutOfRange', startOffset: start });
    expect((await reader.read(start, 1))[0]?.offset).toBe(start);
    await reader.close();
    await log.close();
  });

  it('keeps what follows a segment that cannot be dropped', async () => {
    const { log, journal, dropBefore } = await openIn(folder, { segmentBytes: 250 });
    for (let i = 0; i < 20; i++) await put(journal, `code${i}`, '["some value"]');
    const names = segments();
    const partition = join(folder, 'visits', '0');
    // A folder of the same name cannot be unlinked.
    rmSync(join(partition, names[1] ?? ''));
    mkdirSync(join(partition, names[1] ?? ''));
    const start = dropBefore('visits', 0, 20);
    expect(start).toBe(Number(names[1]?.slice(0, 20)));
    expect(segments()).toEqual(names.slice(1));
    const reader = await log.reader('visits', 0);
    expect(reader.startOffset()).toBe(start);
    await reader.close();
    await log.close();
  });

  it('keeps visits for ever unless told otherwise, and by age only those of sealed segments', async () => {
    let nowMs = 1_000_000;
    const clock = { nowMs: () => nowMs, monotonicMs: () => performance.now() };
    const first = await openIn(folder, { clock });
    for (let i = 0; i < 5; i++) {
      await put(first.journal, `code${i}`, '[]');
      nowMs += 100_000;
    }
    await first.log.close();
    expect(segments()).toHaveLength(1);

    // A segment is left when it is a tenth of the retention old: 100 s here.
    const options = { clock, visitRetentionMs: 1_000_000 };
    const second = await openIn(folder, options);
    for (let i = 5; i < 10; i++) {
      await put(second.journal, `code${i}`, '[]');
      nowMs += 100_000;
    }
    await second.log.close();
    expect(segments().map((name) => Number(name.slice(0, 20)))).toEqual([0, 5, 6, 7, 8, 9]);

    nowMs = 1_000_000 + 700_000 + 1_000_000;
    const third = await openIn(folder, options);
    expect((await readAll(third.log, 'visits', 0, 6)).map(({ key }) => key)).toEqual([
      'code6',
      'code7',
      'code8',
      'code9',
    ]);
    expect(existsSync(join(folder, 'visits', '0', `${'0'.repeat(20)}.log`))).toBe(false);
    await third.log.close();

    nowMs += 1_000_000_000;
    const waiting = await openIn(folder, { ...options, keepVisitsFrom: () => 8 });
    expect((await readAll(waiting.log, 'visits', 0, 8)).map(({ key }) => key)).toEqual(['code8', 'code9']);
    await waiting.log.close();

    const fourth = await openIn(folder, options);
    expect((await readAll(fourth.log, 'visits', 0, 9)).map(({ key }) => key)).toEqual(['code9']);
    await fourth.log.close();
    expect(segments()).toHaveLength(1);
  });
});
