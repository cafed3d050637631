/** Reads a partition of links or visits: every offset gives a record, and one that is not ours is given as such. */
import { LogDamaged, type LogReader, type LogRecord, LogUnavailable } from '../../ports/event-log.ts';
import { decodeIdentified } from './identified-record.ts';
import type { PartitionCursor } from './partition-cursor.ts';
import { type BatchRecord, isWhole, openBatch, type RecordBatch, UnreadableBatch } from './record-batch.ts';

/** What a record without bytes counts for in a read. */
const recordOverheadBytes = 50;
const damagedFetchesMax = 5;

/** `ready` is awaited before anything is read: whether this is the log that it should be. */
export function createKafkaLogReader(name: string, cursor: PartitionCursor, ready: () => Promise<void>): LogReader {
  let damagedFetches = 0;
  let opened: { readonly batch: RecordBatch; readonly records: readonly BatchRecord[] | UnreadableBatch } | null = null;

  function open(batch: RecordBatch): readonly BatchRecord[] | UnreadableBatch {
    if (opened?.batch !== batch) opened = { batch, records: readBatch(batch) };
    return opened.records;
  }

  /** What was damaged on the way comes whole the next time; what is damaged where it is kept does not. */
  function fetchAgain(offset: number): Error {
    damagedFetches++;
    if (damagedFetches >= damagedFetchesMax) {
      return new LogDamaged(name, offset, `its batch fails its checksum, ${damagedFetches} times in a row`);
    }
    cursor.discard();
    return new LogUnavailable(`the batch at offset ${offset} of ${name} was damaged on the way: it is fetched again`);
  }

  return {
    async read(nextOffset, maxBytes) {
      await ready();
      const found: LogRecord[] = [];
      let next = nextOffset;
      let bytes = 0;
      let batch = await firstBatch(name, cursor, nextOffset);
      while (batch !== null && (bytes < maxBytes || found.length === 0)) {
        const records = open(batch);
        const skipped = next - batch.baseOffset;
        if (skipped < 0) throw new LogDamaged(name, next, `the next record is at offset ${batch.baseOffset}`);
        while (next <= batch.lastOffset && (bytes < maxBytes || found.length === 0)) {
          const record = recordAt(records, next, next - batch.baseOffset);
          if (record === undefined) throw new LogDamaged(name, next, 'there is no record at this offset');
          if (record.invalid !== undefined && !isWhole(batch)) {
            if (found.length === 0) throw fetchAgain(next);
            return found;
          }
          found.push(record);
          bytes += recordOverheadBytes + record.key.length + record.value.length;
          next++;
        }
        damagedFetches = 0;
        if (next > batch.lastOffset) batch = cursor.batchHere(next);
      }
      return found;
    },
    waitFor: (nextOffset, timeoutMs) => cursor.waitFor(nextOffset, timeoutMs),
    endOffset: () => cursor.endOffset(),
    startOffset: () => cursor.startOffset(),
    close: async () => cursor.close(),
  };
}

async function firstBatch(name: string, cursor: PartitionCursor, nextOffset: number): Promise<RecordBatch | null> {
  try {
    return await cursor.batchAt(nextOffset);
  } catch (error) {
    if (error instanceof UnreadableBatch) throw new LogDamaged(name, nextOffset, error.message);
    throw error;
  }
}

function readBatch(batch: RecordBatch): readonly BatchRecord[] | UnreadableBatch {
  try {
    return openBatch(batch);
  } catch (error) {
    if (error instanceof UnreadableBatch) return error;
    throw error;
  }
}

/** The record at `offset`, or undefined when the batch has none there. */
function recordAt(
  records: readonly BatchRecord[] | UnreadableBatch,
  offset: number,
  place: number,
): LogRecord | undefined {
  if (records instanceof UnreadableBatch) {
    return { offset, key: '', value: Buffer.alloc(0), producerId: '', sequence: 0, invalid: records.message };
  }
  const record = records[place];
  return record?.offset === offset ? decodeIdentified(record) : undefined;
}
