/** A log in memory, for tests and for trying out: the same contract as the segment files, gone with the process. */
import {
  type EventLog,
  type LogReader,
  type LogRecord,
  LogUnavailable,
  OffsetOutOfRange,
  type RecordToAppend,
  type Topic,
} from '../../ports/event-log.ts';
import { partitionOf } from '../../ports/partitioner.ts';
import type { Random } from '../../ports/random.ts';
import type { JournalCallback, VisitJournal } from '../../ports/visit-journal.ts';

export interface MemoryEventLogOptions {
  readonly partitions: number;
  /** Gives the ids of the log and of the producer. */
  readonly random: Random;
}

export interface MemoryEventLog {
  readonly log: EventLog;
  readonly journal: VisitJournal;
  /** Drops the records before `offset`. Returns the new start offset. */
  dropBefore(topic: Topic, partition: number, offset: number): number;
}

export function createMemoryEventLog(options: MemoryEventLogOptions): MemoryEventLog {
  const producerId = options.random.id();
  const { partitions } = options;
  const create = (): MemoryPartition[] => Array.from({ length: partitions }, () => new MemoryPartition(producerId));
  const topics: Record<Topic, readonly MemoryPartition[]> = { links: create(), visits: create() };
  const find = (topic: Topic, partition: number): MemoryPartition => {
    const found = topics[topic][partition];
    if (found === undefined) throw new RangeError(`${topic} has no partition ${partition}`);
    return found;
  };
  const every = (): MemoryPartition[] => [...topics.links, ...topics.visits];

  const log: EventLog = {
    logId: options.random.id(),
    partitions: () => partitions,
    partitionOf: (key) => partitionOf(key, partitions),
    append: async (topic, partition, records) => {
      const to = find(topic, partition);
      return new Promise((resolve, reject) => {
        to.append(records, (error, sequence) => (error === null ? resolve(sequence) : reject(error)));
      });
    },
    reader: async (topic, partition) => find(topic, partition).reader(),
    endOffset: async (topic, partition) => find(topic, partition).endOffset(),
    close: async () => {
      for (const partition of every()) partition.close();
    },
  };
  const journal: VisitJournal = {
    producerId,
    append(code, value, done): void {
      find('visits', partitionOf(code, partitions)).append([{ key: code, value: Buffer.from(value) }], done);
    },
    depth() {
      const waiting = topics.visits.flatMap((partition) => partition.waiting());
      return { visits: waiting.length, bytes: waiting.reduce((sum, { value }) => sum + value.length, 0) };
    },
    async flush(): Promise<void> {
      for (const partition of topics.visits) partition.commit();
    },
  };
  return { log, journal, dropBefore: (topic, partition, offset) => find(topic, partition).dropBefore(offset) };
}

interface PendingAppend {
  readonly records: readonly RecordToAppend[];
  readonly done: JournalCallback;
}

/** One producer for its whole life, so that offset and sequence of a record are the same number. */
class MemoryPartition {
  readonly #producerId: string;
  readonly #records: LogRecord[] = [];
  #startOffset = 0;
  #pending: PendingAppend[] = [];
  #closed = false;
  readonly #listeners = new Set<() => void>();

  constructor(producerId: string) {
    this.#producerId = producerId;
  }

  append(records: readonly RecordToAppend[], done: JournalCallback): void {
    const error = this.#refusal(records);
    if (error !== null) {
      done(error, -1);
      return;
    }
    const copies = records.map(({ key, value }) => ({ key, value: Buffer.from(value) }));
    this.#pending.push({ records: copies, done });
    if (this.#pending.length === 1) setImmediate(() => this.commit());
  }

  commit(): void {
    const pending = this.#pending;
    this.#pending = [];
    const firsts = pending.map(({ records }) => {
      const first = this.endOffset();
      for (const { key, value } of records) {
        const offset = this.endOffset();
        this.#records.push({ offset, key, value, producerId: this.#producerId, sequence: offset });
      }
      return first;
    });
    for (const listener of [...this.#listeners]) listener();
    pending.forEach(({ done }, index) => {
      done(null, firsts[index] ?? -1);
    });
  }

  waiting(): readonly RecordToAppend[] {
    return this.#pending.flatMap(({ records }) => records);
  }

  endOffset(): number {
    return this.#startOffset + this.#records.length;
  }

  dropBefore(offset: number): number {
    const dropped = Math.max(0, Math.min(offset, this.endOffset()) - this.#startOffset);
    this.#records.splice(0, dropped);
    this.#startOffset += dropped;
    return this.#startOffset;
  }

  close(): void {
    this.commit();
    this.#closed = true;
  }

  reader(): LogReader {
    const waits = new Set<() => void>();
    let closed = false;
    return {
      read: async (nextOffset, maxBytes) => {
        if (closed) throw new Error('the reader is closed');
        if (!Number.isSafeInteger(nextOffset) || nextOffset < this.#startOffset || nextOffset > this.endOffset()) {
          throw new OffsetOutOfRange(nextOffset, this.#startOffset, this.endOffset());
        }
        return this.#slice(nextOffset, maxBytes);
      },
      waitFor: (nextOffset, timeoutMs) => {
        if (closed || this.endOffset() > nextOffset) return Promise.resolve();
        return new Promise((resolve) => {
          const timer = setTimeout(finish, timeoutMs);
          const listeners = this.#listeners;
          const look = (): void => {
            if (this.endOffset() > nextOffset) finish();
          };
          function finish(): void {
            clearTimeout(timer);
            listeners.delete(look);
            waits.delete(finish);
            resolve();
          }
          listeners.add(look);
          waits.add(finish);
        });
      },
      endOffset: () => this.endOffset(),
      startOffset: () => this.#startOffset,
      close: async () => {
        closed = true;
        for (const finish of [...waits]) finish();
      },
    };
  }

  #slice(nextOffset: number, maxBytes: number): readonly LogRecord[] {
    const from = nextOffset - this.#startOffset;
    let to = from;
    for (let bytes = 0; to < this.#records.length && (to === from || bytes < maxBytes); to++) {
      const record = this.#records[to];
      bytes += (record?.key.length ?? 0) + (record?.value.length ?? 0);
    }
    return this.#records.slice(from, to);
  }

  #refusal(records: readonly RecordToAppend[]): Error | null {
    if (this.#closed) return new LogUnavailable('the log is closed');
    if (records.length === 0) return new RangeError('there is no record to append');
    const isAscii = (key: string): boolean => Array.from(key).every((character) => character.charCodeAt(0) < 0x80);
    if (!records.every(({ key }) => isAscii(key))) return new RangeError('a key has a character that is not ASCII');
    return null;
  }
}
