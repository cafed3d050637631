/** What every event log must do, whatever it is kept in. An adapter's test calls this with a way to open one. */
import { type EventLog, LogUnavailable, OffsetOutOfRange, type RecordToAppend } from '../../src/ports/event-log.ts';

export interface OpenedLog {
  readonly log: EventLog;
  /** Drops records before `offset` as far as the log can; returns the new start offset. */
  dropBefore(topic: 'links' | 'visits', partition: number, offset: number): number | Promise<number>;
  /** Closes the log and removes what it kept. */
  dispose(): Promise<void>;
}

/** `open` gives an empty log with so many partitions, whose segments (if any) hold a few hundred bytes. */
export function eventLogContract(name: string, open: (partitions: number) => Promise<OpenedLog>): void {
  describe(`${name} as an event log`, () => {
    let opened: OpenedLog;
    let log: EventLog;

    beforeEach(async () => {
      opened = await open(3);
      log = opened.log;
    });
    afterEach(() => opened.dispose());

    it('gives dense offsets from 0, one partition independent of the other', async () => {
      expect(await log.append('links', 0, [record('a'), record('b')])).toBe(0);
      expect(await log.append('links', 0, [record('c')])).toBe(2);
      expect(await log.append('links', 1, [record('d')])).toBe(0);
      expect(await log.append('visits', 0, [record('e')])).toBe(0);
      expect(await log.endOffset('links', 0)).toBe(3);
      expect(await log.endOffset('links', 2)).toBe(0);
    });

    it('gives back what was appended, byte for byte, with dense sequences of one producer', async () => {
      const value = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
      await log.append('visits', 2, [{ key: 'code-1', value }, record('')]);
      await log.append('visits', 2, [{ key: 'code_2', value: Buffer.alloc(0) }]);
      const records = await readAll(log, 'visits', 2, 0);
      expect(records.map(({ offset, key, sequence }) => [offset, key, sequence])).toEqual([
        [0, 'code-1', 0],
        [1, '', 1],
        [2, 'code_2', 2],
      ]);
      expect(records[0]?.value).toEqual(value);
      expect(records[2]?.value).toHaveLength(0);
      expect(new Set(records.map(({ producerId }) => producerId)).size).toBe(1);
      expect(records[0]?.producerId).toMatch(/^[0-9a-f-]{36}$/);
    });

    it('keeps the value that was appended when the caller goes on to use the buffer', async () => {
      const value = Buffer.from('first');
      const appended = log.append('links', 0, [{ key: 'a', value }]);
      value.fill('x');
      await appended;
      expect((await readAll(log, 'links', 0, 0))[0]?.value.toString()).toBe('first');
    });

    it('keeps appends of one turn in the order of the calls', async () => {
      const offsets = await Promise.all(
        Array.from({ length: 50 }, (_, i) => log.append('links', 0, [record(`a${i}`), record(`b${i}`)])),
      );
      expect(offsets).toEqual(Array.from({ length: 50 }, (_, i) => 2 * i));
      const keys = (await readAll(log, 'links', 0, 0)).map(({ key }) => key);
      expect(keys).toEqual(Array.from({ length: 50 }, (_, i) => [`a${i}`, `b${i}`]).flat());
    });

    it('reads from any offset on, also from the middle of what was appended together', async () => {
      for (let i = 0; i < 10; i++)
        await log.append('links', 0, [record(`${3 * i}`), record(`${3 * i + 1}`), record('')]);
      const reader = await log.reader('links', 0);
      for (const from of [29, 0, 4, 15, 14, 1, 28]) {
        expect((await reader.read(from, 1))[0]?.offset).toBe(from);
        expect((await readAll(log, 'links', 0, from)).map(({ offset }) => offset)).toEqual(
          Array.from({ length: 30 - from }, (_, i) => from + i),
        );
      }
      await reader.close();
    });

    it('returns about as much as was asked for, and at least one record', async () => {
      for (let i = 0; i < 20; i++) await log.append('links', 0, [{ key: 'k', value: Buffer.alloc(100) }]);
      const reader = await log.reader('links', 0);
      expect(await reader.read(0, 1)).toHaveLength(1);
      const some = await reader.read(0, 500);
      expect(some.length).toBeGreaterThan(1);
      expect(some.length).toBeLessThan(20);
      await reader.close();
    });

    it('returns nothing at the end and goes on when more is appended', async () => {
      const reader = await log.reader('links', 0);
      expect(await reader.read(0, 1000)).toEqual([]);
      await log.append('links', 0, [record('a')]);
      expect(await reader.read(0, 1000)).toHaveLength(1);
      expect(await reader.read(1, 1000)).toEqual([]);
      await log.append('links', 0, [record('b')]);
      expect((await reader.read(1, 1000)).map(({ key }) => key)).toEqual(['b']);
      expect(reader.endOffset()).toBe(2);
      await reader.close();
    });

    it('refuses an offset behind the end, and one that is no offset', async () => {
      await log.append('links', 0, [record('a')]);
      const reader = await log.reader('links', 0);
      await expect(reader.read(2, 1000)).rejects.toThrow(OffsetOutOfRange);
      await expect(reader.read(-1, 1000)).rejects.toThrow(OffsetOutOfRange);
      await expect(reader.read(0.5, 1000)).rejects.toThrow(OffsetOutOfRange);
      await expect(reader.read(Number.NaN, 1000)).rejects.toThrow(OffsetOutOfRange);
      await reader.close();
    });

    it('refuses what retention has dropped and says where the log starts', async () => {
      for (let i = 0; i < 20; i++) await log.append('visits', 0, [{ key: 'k', value: Buffer.alloc(100, i) }]);
      const reader = await log.reader('visits', 0);
      const start = await opened.dropBefore('visits', 0, 12);
      expect(start).toBeGreaterThan(0);
      expect(start).toBeLessThanOrEqual(12);
      await expect(reader.read(start - 1, 1000)).rejects.toMatchObject({
        name: 'OffsetOutOfRange',
        startOffset: start,
        endOffset: 20,
      });
      expect(reader.startOffset()).toBe(start);
      const rest = await readAll(log, 'visits', 0, start);
      expect(rest.map(({ offset }) => offset)).toEqual(Array.from({ length: 20 - start }, (_, i) => start + i));
      expect(await log.append('visits', 0, [record('next')])).toBe(20);
      await reader.close();
    });

    it('wakes who waits for a record when it is there', async () => {
      const reader = await log.reader('links', 0);
      const other = await log.reader('links', 1);
      let woken = false;
      const waited = reader.waitFor(1, 20_000).then(() => {
        woken = true;
      });
      const waitedElsewhere = other.waitFor(0, 20_000);
      await log.append('links', 0, [record('a')]);
      await reader.waitFor(0, 20_000);
      expect(woken).toBe(false);
      await log.append('links', 0, [record('b')]);
      await waited;
      expect(reader.endOffset()).toBe(2);
      await reader.close();
      await other.close();
      await waitedElsewhere;
    });

    it('stops waiting after the time given', async () => {
      const reader = await log.reader('links', 0);
      await reader.waitFor(0, 5);
      expect(reader.endOffset()).toBe(0);
      await reader.close();
    });

    it('takes no more than ASCII keys and at least one record', async () => {
      await expect(log.append('links', 0, [record('ü')])).rejects.toThrow(RangeError);
      await expect(log.append('links', 0, [])).rejects.toThrow(RangeError);
      await expect(log.append('links', 3, [record('a')])).rejects.toThrow(RangeError);
      expect(await log.endOffset('links', 0)).toBe(0);
    });

    it('puts a key into one partition, the same for each topic', () => {
      expect(log.partitions('links')).toBe(3);
      expect(log.partitions('visits')).toBe(3);
      const used = new Set(Array.from({ length: 100 }, (_, i) => log.partitionOf(`code${i}`)));
      expect([...used].sort()).toEqual([0, 1, 2]);
      expect(log.partitionOf('code7')).toBe(log.partitionOf('code7'));
    });

    it('refuses appends after it was closed, with what waited written', async () => {
      const reader = await log.reader('links', 0);
      const waiting = log.append('links', 0, [record('a')]);
      await log.close();
      expect(await waiting).toBe(0);
      await expect(log.append('links', 0, [record('b')])).rejects.toThrow(LogUnavailable);
      expect(reader.endOffset()).toBe(1);
      await reader.close();
    });
  });
}

export function record(key: string): RecordToAppend {
  return { key, value: Buffer.from(`value of ${key}`) };
}

export interface KeptRecord {
  readonly offset: number;
  readonly key: string;
  readonly value: Buffer;
  readonly producerId: string;
  readonly sequence: number;
}

/** All records from `from` on, copied out of the reader's buffers. */
export async function readAll(
  log: EventLog,
  topic: 'links' | 'visits',
  partition: number,
  from: number,
): Promise<KeptRecord[]> {
  const reader = await log.reader(topic, partition);
  const kept: KeptRecord[] = [];
  try {
    for (;;) {
      const records = await reader.read(from + kept.length, 300);
      if (records.length === 0) return kept;
      for (const each of records) kept.push({ ...each, value: Buffer.from(each.value) });
    }
  } finally {
    await reader.close();
  }
}
