/** A disk that fills up, writes short, fails or is slow to sync: what the writer promises then. */
import { appendFileSync, fdatasync, ftruncateSync, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { SegmentLog } from '../../../src/adapters/segments/open-segment-log.ts';
import { LogUnavailable } from '../../../src/ports/event-log.ts';
import { readAll, record } from '../../contracts/event-log.ts';
import { put } from '../../contracts/visit-journal.ts';
import {
  collectingLogger,
  type LoggedLine,
  noSync,
  openIn,
  removeFolder,
  temporaryFolder,
} from './support/temporary-log.ts';

/** A disk with so many bytes free; a write that does not fit is written in part and then fails, as on a real one. */
class FullDisk {
  freeBytes = 1_000_000;
  cannotTruncate = false;

  readonly write = (fd: number, bytes: Buffer, offset: number, length: number, position: number): number => {
    if (this.freeBytes === 0) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    const written = writeSync(fd, bytes, offset, Math.min(length, this.freeBytes), position);
    this.freeBytes -= written;
    return written;
  };

  readonly truncate = (fd: number, bytes: number): void => {
    if (this.cannotTruncate) throw Object.assign(new Error('input/output error'), { code: 'EIO' });
    ftruncateSync(fd, bytes);
  };
}

/** Holds syncs back until they are let go, one by one. */
class SlowSync {
  readonly waiting: (() => void)[] = [];
  failing = false;
  #holds = true;

  readonly sync = (fd: number, done: (error: Error | null) => void): void => {
    if (!this.#holds) {
      fdatasync(fd, done);
      return;
    }
    this.waiting.push(() => {
      if (this.failing) done(Object.assign(new Error('input/output error'), { code: 'EIO' }));
      else fdatasync(fd, done);
    });
  };

  letGo(): void {
    this.waiting.shift()?.();
  }

  /** Lets go all that wait, and holds back no more. */
  letGoAll(): void {
    this.#holds = false;
    while (this.waiting.length > 0) this.letGo();
  }
}

/** Resolves when `condition` holds; looks once a turn of the event loop. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

describe('a segment log on a failing disk', () => {
  let folder: string;
  let opened: SegmentLog;
  let lines: LoggedLine[];

  beforeEach(() => {
    folder = temporaryFolder();
    lines = [];
  });
  afterEach(async () => {
    await opened.log.close();
    removeFolder(folder);
  });

  async function open(options: Parameters<typeof openIn>[1] = {}): Promise<SegmentLog> {
    opened = await openIn(folder, { logger: collectingLogger(lines), ...options });
    return opened;
  }

  async function keys(): Promise<string[]> {
    return (await readAll(opened.log, 'visits', 0, 0)).map(({ key }) => key);
  }

  it('gives every visit of a failed write the error, uses up no offset, and goes on when there is room again', async () => {
    const disk = new FullDisk();
    const { journal, log, figures } = await open({ fileCalls: { ...noSync, write: disk.write } });
    expect(await put(journal, 'before', '[]')).toBe(0);
    for (const freeBytes of [0, 1, 59, 60, 61, 100]) {
      disk.freeBytes = freeBytes;
      const results = await Promise.allSettled(['a', 'b', 'c'].map((code) => put(journal, code, '["long value"]')));
      for (const result of results) {
        expect(result).toMatchObject({
          status: 'rejected',
          reason: { name: 'LogUnavailable', cause: { code: 'ENOSPC' } },
        });
      }
    }
    disk.freeBytes = 1_000_000;
    expect(await Promise.all([put(journal, 'after', '[]'), put(journal, 'then', '[]')])).toEqual([1, 2]);
    expect(await keys()).toEqual(['before', 'after', 'then']);
    expect(figures('visits', 0)).toMatchObject({ writeErrors: 6, records: 3, frames: 2, waitingRecords: 0 });
    // A full disk must not fill the rest of it with lines about it.
    expect(lines.map(({ level }) => level)).toEqual(['error', 'info']);

    await log.close();
    await open();
    expect(await keys()).toEqual(['before', 'after', 'then']);
    expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(0);
  });

  it('rejects the append of link events in the same way', async () => {
    const disk = new FullDisk();
    const { log } = await open({ fileCalls: { ...noSync, write: disk.write } });
    disk.freeBytes = 10;
    await expect(log.append('links', 0, [record('a')])).rejects.toThrow(LogUnavailable);
    disk.freeBytes = 1_000_000;
    expect(await log.append('links', 0, [record('a')])).toBe(0);
  });

  it('goes on when a new segment could not be made', async () => {
    const disk = new FullDisk();
    const { journal } = await open({ segmentBytes: 100, fileCalls: { ...noSync, write: disk.write } });
    await put(journal, 'a', '["some value to fill the segment"]');
    for (const freeBytes of [0, 20]) {
      disk.freeBytes = freeBytes;
      await expect(put(journal, 'b', '[]')).rejects.toThrow(LogUnavailable);
      expect(readdirSync(join(folder, 'visits', '0'))).toHaveLength(1);
    }
    // The segment fits and its first frame does not.
    disk.freeBytes = 60;
    await expect(put(journal, 'b', '[]')).rejects.toThrow(LogUnavailable);
    disk.freeBytes = 1_000_000;
    expect(await put(journal, 'b', '[]')).toBe(1);
    expect(await keys()).toEqual(['a', 'b']);
    expect(readdirSync(join(folder, 'visits', '0'))).toHaveLength(2);
  });

  it('refuses appends when a failed write cannot be cut off, until it is opened again', async () => {
    const disk = new FullDisk();
    const { journal, log } = await open({ fileCalls: { ...noSync, write: disk.write, truncate: disk.truncate } });
    await put(journal, 'a', '[]');
    disk.freeBytes = 30;
    disk.cannotTruncate = true;
    await expect(put(journal, 'b', '[]')).rejects.toThrow(LogUnavailable);
    disk.freeBytes = 1_000_000;
    disk.cannotTruncate = false;
    await expect(put(journal, 'c', '[]')).rejects.toThrow(/must be opened again/);
    expect(await keys()).toEqual(['a']);
    await log.close();

    const again = await open();
    expect(lines.at(-1)).toMatchObject({ level: 'warn', fields: { bytes: 30 } });
    await put(again.journal, 'd', '[]');
    expect(await keys()).toEqual(['a', 'd']);
  });

  it('writes frames whole however short the writes are', async () => {
    const { journal, log } = await open({
      segmentBytes: 300,
      fileCalls: { write: (fd, bytes, offset, length, at) => writeSync(fd, bytes, offset, Math.min(7, length), at) },
    });
    const codes = Array.from({ length: 40 }, (_, i) => `code${i}`);
    for (let i = 0; i < 40; i += 4) await Promise.all(codes.slice(i, i + 4).map((code) => put(journal, code, '["v"]')));
    expect(await keys()).toEqual(codes);
    await log.close();
    await open();
    expect(await keys()).toEqual(codes);
  });

  it('answers a visit beyond the bound of waiting bytes at once', async () => {
    const { journal } = await open({ maxWaitingBytes: 1000 });
    const outcomes: (string | number)[] = [];
    for (let i = 0; i < 10; i++) {
      journal.append('code', Buffer.alloc(100, 'x'), (error, sequence) => outcomes.push(error?.name ?? sequence));
    }
    expect(outcomes.length).toBeGreaterThan(0);
    expect(new Set(outcomes)).toEqual(new Set(['LogUnavailable']));
    expect(journal.depth().bytes).toBeLessThanOrEqual(1000);
    const refused = outcomes.length;
    await journal.flush();
    expect(outcomes.slice(refused)).toEqual(Array.from({ length: 10 - refused }, (_, i) => i));
    await expect(put(journal, 'code', 'x'.repeat(1001))).rejects.toThrow(RangeError);
    expect(await put(journal, 'code', 'x'.repeat(100))).toBe(10 - refused);
  });

  it('with VISIT_FSYNC=always answers after a sync, one at a time, each for all that came before it', async () => {
    const slow = new SlowSync();
    const { journal, figures } = await open({
      visitFsync: 'always',
      fileCalls: { sync: slow.sync },
      maxWaitingBytes: 2000,
    });
    const answered: number[] = [];
    const visit = (): void =>
      journal.append('code', Buffer.from('[]'), (error, sequence) => answered.push(error ? -1 : sequence));
    visit();
    await until(() => slow.waiting.length === 1);
    const reader = await opened.log.reader('visits', 0);
    for (let i = 0; i < 3; i++) {
      visit();
      await until(() => reader.endOffset() === i + 2);
    }
    expect(answered).toEqual([]);
    expect(slow.waiting).toHaveLength(1);
    expect(figures('visits', 0).waitingBytes).toBeGreaterThan(0);
    slow.letGo();
    await until(() => slow.waiting.length === 1);
    expect(answered).toEqual([0]);
    slow.letGo();
    await until(() => answered.length === 4);
    expect(answered).toEqual([0, 1, 2, 3]);
    expect(figures('visits', 0)).toMatchObject({ syncs: 2, waitingBytes: 0 });
    await reader.close();
    slow.letGoAll();
  });

  it('bounds what waits for a slow sync', async () => {
    const slow = new SlowSync();
    const { journal } = await open({ visitFsync: 'always', fileCalls: { sync: slow.sync }, maxWaitingBytes: 500 });
    const outcomes: (string | number)[] = [];
    while (outcomes.length === 0) {
      journal.append('code', Buffer.alloc(20, 'x'), (error, sequence) => outcomes.push(error?.name ?? sequence));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(outcomes).toEqual(['LogUnavailable']);
    slow.letGoAll();
    await journal.flush();
    expect(outcomes.length).toBeGreaterThan(2);
    expect(outcomes.slice(1)).toEqual(outcomes.slice(1).map((_, i) => i));
  });

  it('rejects what a failed sync should have covered, and refuses appends until it is opened again', async () => {
    const slow = new SlowSync();
    const { log, figures } = await open({ fileCalls: { sync: slow.sync } });
    const first = log.append('links', 0, [record('a')]);
    await until(() => slow.waiting.length === 1);
    const second = log.append('links', 0, [record('b')]);
    await until(() => figures('links', 0).frames === 2);
    slow.failing = true;
    slow.letGo();
    await expect(first).rejects.toThrow(LogUnavailable);
    await until(() => slow.waiting.length === 1);
    slow.failing = false;
    slow.letGo();
    await expect(second).rejects.toThrow(LogUnavailable);
    await expect(log.append('links', 0, [record('c')])).rejects.toThrow(/must be opened again/);
    expect(figures('links', 0)).toMatchObject({ syncErrors: 1 });
    slow.letGoAll();
  });

  it('with VISIT_FSYNC=interval answers at once and syncs later, only when there is something new', async () => {
    let syncs = 0;
    const { journal, figures } = await open({
      visitFsync: 'interval',
      syncIntervalMs: 10,
      fileCalls: {
        sync: (fd, done) => {
          syncs += 1;
          fdatasync(fd, done);
        },
      },
    });
    await Promise.all(Array.from({ length: 100 }, () => put(journal, 'code', '[]')));
    expect(syncs).toBe(0);
    await until(() => figures('visits', 0).syncs === 1);
    expect(syncs).toBe(1);
    await put(journal, 'code', '[]');
    await put(journal, 'code', '[]');
    await until(() => figures('visits', 0).syncs === 2);
    expect(syncs).toBe(2);
    expect(figures('visits', 0).lastSyncMs).toBeGreaterThan(0);
  });

  it('cuts what is left of a write that the process did not survive', async () => {
    const { journal, log } = await open();
    await put(journal, 'a', '[]');
    await log.close();
    appendFileSync(join(folder, 'visits', '0', `${'0'.repeat(20)}.log`), Buffer.from('THF1 and half a header'));
    await open();
    expect(await keys()).toEqual(['a']);
    expect(lines.at(-1)).toMatchObject({ level: 'warn', fields: { bytes: 22 } });
  });
});
