import { decodeIdentified, encodeIdentified } from '../../../src/adapters/kafka/identified-record.ts';
import { createKafkaLogReader } from '../../../src/adapters/kafka/kafka-log-reader.ts';
import type { PartitionCursor } from '../../../src/adapters/kafka/partition-cursor.ts';
import {
  encodeRecordBatch,
  openBatch,
  type RecordBatch,
  splitBatches,
} from '../../../src/adapters/kafka/record-batch.ts';
import { LogDamaged, LogUnavailable } from '../../../src/ports/event-log.ts';

const visit = (sequence: number) =>
  encodeIdentified({ key: 'abc', value: Buffer.from(`visit ${sequence}`) }, { producerId: 'p-1', sequence });
const stranger = { key: 'abc', value: Buffer.from('hello'), headers: [] };

function fetched(records: Parameters<typeof encodeRecordBatch>[0]): RecordBatch {
  const [batch] = splitBatches(encodeRecordBatch(records, 1_000));
  if (batch === undefined) throw new Error('no batch');
  return batch;
}

/** As it comes when a byte of its records is turned around on the way. */
function damaged(batch: RecordBatch): RecordBatch {
  const bytes = Buffer.from(batch.bytes);
  const at = bytes.indexOf('visit 1');
  bytes[at] = 0x56;
  return { ...batch, bytes };
}

/** A cursor whose fetches give these batches, one after the other. */
function cursorOf(fetches: readonly RecordBatch[]): PartitionCursor & { fetches: number } {
  const cursor = {
    fetches: 0,
    batchAt: async () => fetches[Math.min(cursor.fetches, fetches.length - 1)] ?? null,
    batchHere: () => null,
    discard: () => void cursor.fetches++,
    waitFor: async () => undefined,
    endOffset: () => 3,
    startOffset: () => 0,
    close: () => undefined,
  };
  return cursor;
}

describe('a batch whose bytes are not what was written', () => {
  const whole = fetched([visit(0), visit(1), visit(2)]);

  it('is fetched again when it was damaged on the way: no visit goes to the dead letters for it', async () => {
    const cursor = cursorOf([damaged(whole), whole]);
    const reader = createKafkaLogReader('visits/0', cursor, async () => undefined);
    expect((await reader.read(0, 1_000_000)).map(({ sequence }) => sequence)).toEqual([0]);
    await expect(reader.read(1, 1_000_000)).rejects.toThrow(LogUnavailable);
    const rest = await reader.read(1, 1_000_000);
    expect(rest.map(({ sequence, invalid }) => ({ sequence, invalid }))).toEqual([
      { sequence: 1, invalid: undefined },
      { sequence: 2, invalid: undefined },
    ]);
    expect(cursor.fetches).toBe(1);
  });

  it('is damage of the log when it comes like that again and again', async () => {
    const reader = createKafkaLogReader('visits/0', cursorOf([damaged(whole)]), async () => undefined);
    for (let time = 1; time < 5; time++) await expect(reader.read(1, 1_000_000)).rejects.toThrow(LogUnavailable);
    await expect(reader.read(1, 1_000_000)).rejects.toThrow(LogDamaged);
  });

  it('is told from one that a stranger wrote so', async () => {
    const cursor = cursorOf([fetched([visit(0), stranger, visit(1)])]);
    const records = await createKafkaLogReader('visits/0', cursor, async () => undefined).read(0, 1_000_000);
    expect(records.map(({ invalid }) => invalid !== undefined)).toEqual([false, true, false]);
    expect(cursor.fetches).toBe(0);
  });

  it('shows in the record by its own checksum', () => {
    expect(openBatch(damaged(whole)).map((record) => decodeIdentified(record).invalid !== undefined)).toEqual([
      false,
      true,
      false,
    ]);
  });
});
