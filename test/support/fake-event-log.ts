/** A log in memory with as many partitions as asked for; appends are readable at once. */
import type { EventLog, LogReader, LogRecord, RecordToAppend, Topic } from '../../src/ports/event-log.ts';
import { OffsetOutOfRange } from '../../src/ports/event-log.ts';

export interface FakeEventLog extends EventLog {
  /** Drops records from the end of a partition, as a log does that was restored from an older copy. */
  truncate(topic: Topic, partition: number, endOffset: number): void;
}

export function createFakeEventLog(partitionCount = 1, logId = 'log-1'): FakeEventLog {
  const topics: Record<Topic, LogRecord[][]> = { links: [], visits: [] };
  const wakers = new Set<() => void>();
  for (let index = 0; index < partitionCount; index += 1) {
    topics.links.push([]);
    topics.visits.push([]);
  }
  const recordsOf = (topic: Topic, partition: number): LogRecord[] => {
    const records = topics[topic][partition];
    if (records === undefined) throw new RangeError(`no partition ${partition}`);
    return records;
  };
  return {
    logId,
    partitions: () => partitionCount,
    partitionOf: (key) => [...key].reduce((sum, character) => sum + character.charCodeAt(0), 0) % partitionCount,
    async append(topic, partition, records: readonly RecordToAppend[]) {
      const kept = recordsOf(topic, partition);
      const first = kept.length;
      for (const { key, value } of records) {
        const offset = kept.length;
        kept.push({ offset, key, value: Buffer.from(value), producerId: 'producer', sequence: offset });
      }
      for (const wake of wakers) wake();
      return first;
    },
    async reader(topic, partition): Promise<LogReader> {
      let closed = false;
      return {
        async read(nextOffset, maxBytes) {
          const all = recordsOf(topic, partition);
          if (nextOffset > all.length) throw new OffsetOutOfRange(nextOffset, 0, all.length);
          const some: LogRecord[] = [];
          for (let bytes = 0, at = nextOffset; at < all.length && bytes < maxBytes; at += 1) {
            const record = all[at] as LogRecord;
            // A copy that is overwritten by the next read would show who keeps a value too long; a fresh one is enough here.
            some.push({ ...record, value: Buffer.from(record.value) });
            bytes += record.value.length;
          }
          return some;
        },
        async waitFor(nextOffset, timeoutMs) {
          if (closed || recordsOf(topic, partition).length > nextOffset) return;
          await new Promise<void>((resolve) => {
            const wake = (): void => {
              clearTimeout(timer);
              wakers.delete(wake);
              resolve();
            };
            const timer = setTimeout(wake, timeoutMs);
            wakers.add(wake);
          });
        },
        endOffset: () => recordsOf(topic, partition).length,
        startOffset: () => 0,
        close: async () => {
          closed = true;
          for (const wake of wakers) wake();
        },
      };
    },
    endOffset: async (topic, partition) => recordsOf(topic, partition).length,
    truncate(topic, partition, endOffset) {
      recordsOf(topic, partition).length = endOffset;
    },
    close: async () => undefined,
  };
}
