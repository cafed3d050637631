/** The journal of an instance whose log is elsewhere: its bound, what it gives back, and where forwarding begins. */
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ForwardedPositions } from '../../../src/adapters/segments/forwarded-positions.ts';
import {
  type OpenVisitJournal,
  openVisitJournal,
  type VisitJournalOptions,
} from '../../../src/adapters/segments/open-visit-journal.ts';
import { openSegmentReader } from '../../../src/adapters/segments/segment-reader.ts';
import type { EventLog, LogRecord } from '../../../src/ports/event-log.ts';
import { partitionOf } from '../../../src/ports/partitioner.ts';
import { put, visitJournalContract } from '../../contracts/visit-journal.ts';
import {
  collectingLogger,
  type LoggedLine,
  noSync,
  removeFolder,
  testClock,
  testRandom,
} from './support/temporary-log.ts';

const dayMs = 24 * 60 * 60_000;

function open(folder: string, changes: Partial<VisitJournalOptions> = {}): Promise<OpenVisitJournal> {
  return openVisitJournal({
    folder,
    partitions: 1,
    logId: 'the-log',
    visitFsync: 'off',
    maxBytes: 1e9,
    clock: testClock,
    random: testRandom,
    logger: collectingLogger(),
    ...changes,
  });
}

function newFolder(): string {
  return join(mkdtempSync(join(tmpdir(), 'tallyhop-journal-')), 'journal');
}

visitJournalContract('the journal of a distributed instance', async () => {
  const folder = newFolder();
  const { journal, shared, close } = await open(folder);
  const log: Pick<EventLog, 'reader' | 'close'> = {
    reader: async (topic, partition) => openSegmentReader({ folder, topic, partition, shared }),
    close,
  };
  return {
    journal,
    log: log as EventLog,
    dispose: async () => {
      await close();
      removeFolder(folder);
    },
  };
});

describe('the journal of a distributed instance', () => {
  let folder: string;
  let opened: OpenVisitJournal;
  let lines: LoggedLine[];

  beforeEach(() => {
    folder = newFolder();
    lines = [];
  });
  afterEach(async () => {
    await opened.close();
    removeFolder(folder);
  });

  async function openAgain(changes: Partial<VisitJournalOptions> = {}): Promise<OpenVisitJournal> {
    opened = await open(folder, { logger: collectingLogger(lines), ...changes });
    return opened;
  }

  const putMany = (count: number, value = '["some value"]'): Promise<number[]> =>
    Promise.all(Array.from({ length: count }, (_, i) => put(opened.journal, `code${i}`, value)));

  async function read(partition: number, from: number): Promise<readonly LogRecord[]> {
    const reader = openSegmentReader({ folder, topic: 'visits', partition, shared: opened.shared });
    const records = await reader.read(from, 1e9);
    await reader.close();
    return records;
  }

  const segmentsOf = (partition: number): string[] => readdirSync(join(folder, 'visits', String(partition)));
  const keepPositions = (offsets: readonly number[]): void =>
    new ForwardedPositions(folder, opened.journalId).write(offsets);
  const told = (level: string): string[] => lines.filter((line) => line.level === level).map(({ message }) => message);

  it('has a folder for each partition of visits and none of links', async () => {
    await openAgain({ partitions: 16 });
    expect(readdirSync(folder).sort()).toEqual(['log.id', 'visits', 'visits-for.id']);
    expect(readdirSync(join(folder, 'visits'))).toHaveLength(16);
    expect(opened.forwardFrom).toEqual(new Array(16).fill(0));
  });

  it('refuses another number of partitions than it was made with', async () => {
    await openAgain({ partitions: 2 });
    await opened.close();
    await expect(open(folder, { partitions: 3 })).rejects.toThrow('keeps the number of partitions');
  });

  it('writes the visits of a turn with one write for each partition that they touch, densely numbered in each', async () => {
    let writes = 0;
    const write = (fd: number, bytes: Buffer, offset: number, length: number, position: number): number => {
      writes += 1;
      return writeSync(fd, bytes, offset, length, position);
    };
    await openAgain({ partitions: 16, fileCalls: { ...noSync, write } });
    const codes = Array.from({ length: 400 }, (_, i) => `code${i % 40}`);
    const touched = new Set(codes.map((code) => partitionOf(code, 16)));
    const sequences = await Promise.all(codes.map((code) => put(opened.journal, code, '[]')));
    expect(touched.size).toBeGreaterThan(8);
    expect(writes).toBe(touched.size);
    const next = new Array(16).fill(0);
    expect(sequences).toEqual(codes.map((code) => next[partitionOf(code, 16)]++));
    for (const partition of touched) expect(await read(partition, 0)).toHaveLength(next[partition]);
  });

  it('refuses visits when it is full, tells it once, and takes them again when some are forwarded', async () => {
    await openAgain({ partitions: 2, maxBytes: 400_000 });
    const value = JSON.stringify('x'.repeat(1_000));
    let taken = 0;
    for (let refused = 0; refused < 100; ) {
      const results = await Promise.allSettled(
        Array.from({ length: 10 }, (_, i) => put(opened.journal, `code${i}`, value)),
      );
      for (const result of results) {
        if (result.status === 'fulfilled') taken += 1;
        else refused += 1;
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ name: 'LogUnavailable' });
      }
    }
    expect(told('error')).toEqual(['the journal is full: visits are refused until some are forwarded']);
    expect(opened.figures()).toMatchObject({ isFull: true, writeErrors: 0 });
    // The bound may be passed by the visits of one turn.
    expect(opened.figures().diskBytes).toBeLessThan(420_000);
    expect(opened.endOffset(0) + opened.endOffset(1)).toBe(taken);

    // A tenth must be free, so that it is not full again at once.
    const oneSegment = Number(segmentsOf(0)[1]?.slice(0, 20));
    opened.forwarded(0, oneSegment);
    await put(opened.journal, 'code', value);
    expect(told('info')).toEqual(['the journal takes visits again']);
    for (const partition of [0, 1]) opened.forwarded(partition, opened.endOffset(partition));
    expect(opened.figures()).toMatchObject({ isFull: false, diskBytes: 2 * 52 });
  });

  it('takes visits again after a bound that its active segments alone have reached', async () => {
    await openAgain({ maxBytes: 30_000 });
    await putMany(30, JSON.stringify('x'.repeat(1_000)));
    await expect(put(opened.journal, 'code', '[]')).rejects.toThrow('the journal is full');
    expect(segmentsOf(0)).toHaveLength(1);
    opened.forwarded(0, 30);
    expect(await put(opened.journal, 'code', '[]')).toBe(30);
    expect(await read(0, 30)).toMatchObject([{ offset: 30, sequence: 30, key: 'code' }]);
  });

  it('does not keep the disk once all is forwarded, and keeps what is not', async () => {
    await openAgain({ maxBytes: 400_000 });
    for (let turn = 0; turn < 10; turn++) await putMany(100, JSON.stringify('x'.repeat(200)));
    const before = opened.figures().diskBytes;
    expect(before).toBeGreaterThan(200_000);
    opened.forwarded(0, 999);
    expect(opened.figures().diskBytes).toBeLessThan(0.6 * before);
    expect(await read(0, 999)).toMatchObject([{ offset: 999, sequence: 999 }]);
    opened.forwarded(0, 1_000);
    expect(opened.figures().diskBytes).toBe(52);
    expect(await read(0, 1_000)).toEqual([]);
    expect(await put(opened.journal, 'next', '[]')).toBe(1_000);
    await opened.close();

    await openAgain();
    expect(opened.forwardFrom).toEqual([1_000]);
    expect(opened.figures().diskBytes).toBe(statSync(join(folder, 'visits', '0', segmentsOf(0)[0] ?? '')).size);
    expect((await read(0, 1_000))[0]?.key).toBe('next');
  });

  it('does not make a new segment for each few visits that are forwarded', async () => {
    await openAgain();
    await putMany(10);
    opened.forwarded(0, 10);
    expect(segmentsOf(0)).toEqual([`${'0'.repeat(20)}.log`]);
  });

  it('begins where an earlier process was, and with the oldest visit when that is not known', async () => {
    await openAgain({ partitions: 2 });
    await putMany(100);
    const ends = [opened.endOffset(0), opened.endOffset(1)];
    keepPositions([7, ends[1] as number]);
    await opened.close();
    await openAgain({ partitions: 2 });
    expect(opened.forwardFrom).toEqual([7, ends[1]]);
    await opened.close();

    const file = join(folder, 'forwarded.json');
    const kept = readFileSync(file, 'utf8');
    for (const damaged of ['', '[]', '{', kept.slice(0, 20), kept.replace(',7,', ',8,'), kept.replace(',7,', ',-7,')]) {
      writeFileSync(file, damaged);
      await openAgain({ partitions: 2 });
      expect(opened.forwardFrom).toEqual([0, 0]);
      await opened.close();
    }
    new ForwardedPositions(folder, testRandom.id()).write([7, 7]);
    await openAgain({ partitions: 2 });
    expect(opened.forwardFrom).toEqual([0, 0]);
  });

  it('passes over no visit when a power cut took the end of the journal that was forwarded', async () => {
    await openAgain();
    for (let i = 0; i < 10; i++) await put(opened.journal, `code${i}`, '[]');
    const file = join(folder, 'visits', '0', segmentsOf(0)[0] ?? '');
    const bytesOfFive = 52 + ((statSync(file).size - 52) / 10) * 5;
    keepPositions([10]);
    await opened.close();
    truncateSync(file, bytesOfFive);
    await openAgain();
    expect(opened.forwardFrom).toEqual([0]);
    expect(told('warn')).toEqual(['the journal ends before what was forwarded']);
    // New visits pass the old position before anything is forwarded, and the process is killed again.
    await putMany(20);
    await opened.close();
    await openAgain();
    expect(opened.endOffset(0)).toBe(25);
    expect(opened.forwardFrom).toEqual([0]);
  });

  it('refuses to bring visits to another log than the one they are for', async () => {
    await openAgain();
    await putMany(3);
    await opened.close();
    await expect(open(folder, { logId: 'another-log' })).rejects.toThrow(
      'holds 3 visits for the log the-log, but the log is another-log',
    );
    await openAgain();
    expect(opened.forwardFrom).toEqual([0]);
    keepPositions([3]);
    await opened.close();
    // Without any it goes over, and does not go back.
    await openAgain({ logId: 'another-log' });
    await putMany(1);
    await opened.close();
    await expect(open(folder)).rejects.toThrow('holds 1 visits for the log another-log');
  });

  it('cuts off a damaged tail and forwards what was whole', async () => {
    await openAgain();
    await putMany(10);
    const earlier = opened.journal.producerId;
    await opened.close();
    appendFileSync(join(folder, 'visits', '0', segmentsOf(0)[0] ?? ''), Buffer.from('THF1 and then a power cut'));
    await openAgain();
    expect(told('warn')).toEqual(['an unfinished tail of the log was cut off']);
    await put(opened.journal, 'new', '[]');
    const records = await read(0, 0);
    expect(records.map(({ producerId, sequence }) => [producerId, sequence])).toEqual([
      ...Array.from({ length: 10 }, (_, i) => [earlier, i]),
      [opened.journal.producerId, 0],
    ]);
  });

  it('sets visits aside that are too old to be sent, with an alarm, and keeps the others', async () => {
    let nowMs = 1_700_000_000_000;
    const clock = { ...testClock, nowMs: () => nowMs };
    await openAgain({ clock });
    await putMany(10);
    keepPositions([4]);
    nowMs += 29.5 * dayMs;
    await putMany(5);
    await opened.close();
    await openAgain({ clock });
    expect(opened.forwardFrom).toEqual([4]);
    await opened.close();

    nowMs += dayMs;
    await openAgain({ clock });
    expect(opened.forwardFrom).toEqual([10]);
    expect(opened.figures().setAsideVisits).toBe(6);
    expect(lines.filter(({ level }) => level === 'error')).toMatchObject([{ fields: { partition: 0, visits: 6 } }]);
    expect(readdirSync(join(folder, 'set-aside', '0'))).toEqual([`${'0'.repeat(20)}.log`]);
    expect((await read(0, 10)).map(({ offset }) => offset)).toEqual([10, 11, 12, 13, 14]);
    await opened.close();

    nowMs += 100 * dayMs;
    await openAgain({ clock });
    expect(opened.forwardFrom).toEqual([15]);
    expect(await put(opened.journal, 'new', '[]')).toBe(0);
    expect(await read(0, 15)).toMatchObject([{ offset: 15, sequence: 0, key: 'new' }]);
  });

  it('sets nothing aside that was forwarded', async () => {
    let nowMs = 1_700_000_000_000;
    const clock = { ...testClock, nowMs: () => nowMs };
    await openAgain({ clock });
    await putMany(10);
    keepPositions([10]);
    await opened.close();
    nowMs += 100 * dayMs;
    await openAgain({ clock });
    expect(opened.forwardFrom).toEqual([10]);
    expect(opened.figures().setAsideVisits).toBe(0);
    expect(told('error')).toEqual([]);
    expect(existsSync(join(folder, 'set-aside'))).toBe(false);
    await put(opened.journal, 'new', '[]');
    expect(await read(0, 10)).toMatchObject([{ key: 'new' }]);
  });

  it('answers with an error while the disk is full, and goes on when there is room', async () => {
    let isFull = false;
    const write = (fd: number, bytes: Buffer, offset: number, length: number, position: number): number => {
      if (isFull) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
      return writeSync(fd, bytes, offset, length, position);
    };
    await openAgain({ maxBytes: 1_000_000, fileCalls: { ...noSync, write } });
    await putMany(300, JSON.stringify('x'.repeat(200)));
    isFull = true;
    await expect(put(opened.journal, 'code', '[]')).rejects.toMatchObject({ name: 'LogUnavailable' });
    // What is forwarded cannot give its room back, for want of room for a new segment: it stays whole.
    opened.forwarded(0, 300);
    expect(await read(0, 299)).toHaveLength(1);
    expect(opened.figures().writeErrors).toBe(1);
    isFull = false;
    expect(await put(opened.journal, 'code', '[]')).toBe(300);
    opened.forwarded(0, 301);
    expect(opened.figures().diskBytes).toBe(52);
    expect(existsSync(join(folder, 'visits', '0', `${'0'.repeat(20)}.log`))).toBe(false);
  });
});
