/**
 * An event log in memory that hands each record to a fold, for tests of what stands in front of the log. Records are
 * taken in the order of the calls and folded a turn of the microtask queue later; failures and delays are asked for.
 */
import {
  type EventLog,
  type LogReader,
  type LogRecord,
  LogUnavailable,
  type RecordToAppend,
  type Topic,
} from '../../src/ports/event-log.ts';

export class TestEventLog implements EventLog {
  readonly logId = 'test-log';
  /** What the next appends shall do: fail before the records are written, after it, or write them as usual. */
  readonly plan: ('fails-unwritten' | 'fails-written')[] = [];
  /** What others write just before the next append of a command; asked each time. */
  overtakenBy: () => readonly RecordToAppend[] = () => [];
  readonly #partitions: LogRecord[][];
  readonly #fold: (partition: number, record: LogRecord) => void;
  #folding: Promise<void> = Promise.resolve();

  constructor(partitions: number, fold: (partition: number, record: LogRecord) => void) {
    this.#partitions = Array.from({ length: partitions }, () => []);
    this.#fold = fold;
  }

  /** Records appended so far, over all partitions. */
  get size(): number {
    return this.#partitions.reduce((sum, records) => sum + records.length, 0);
  }

  recordsOf(partition: number): readonly LogRecord[] {
    return this.#partitions[partition] ?? [];
  }

  /** Nothing more is folded before the returned function is called. */
  holdFolding(): () => void {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.#folding = this.#folding.then(() => held);
    return release;
  }

  partitions(_topic: Topic): number {
    return this.#partitions.length;
  }

  partitionOf(key: string): number {
    return [...key].reduce((sum, character) => sum + character.charCodeAt(0), 0) % this.#partitions.length;
  }

  async append(topic: Topic, partition: number, records: readonly RecordToAppend[]): Promise<number> {
    const kept = this.#partitions[partition];
    if (topic !== 'links' || kept === undefined) throw new Error(`there is no ${topic} ${partition} here`);
    const plan = this.plan.shift();
    if (plan === 'fails-unwritten') throw new LogUnavailable('the disk is full');
    for (const record of this.overtakenBy()) this.#write(partition, kept, record);
    const baseOffset = kept.length;
    for (const record of records) this.#write(partition, kept, record);
    if (plan === 'fails-written') throw new LogUnavailable('the answer was lost');
    return baseOffset;
  }

  #write(partition: number, kept: LogRecord[], { key, value }: RecordToAppend): void {
    const record = { offset: kept.length, key, value, producerId: 'test', sequence: kept.length };
    kept.push(record);
    this.#folding = this.#folding.then(() => this.#fold(partition, record));
  }

  reader(): Promise<LogReader> {
    return Promise.reject(new Error('commands do not read the log'));
  }

  async endOffset(_topic: Topic, partition: number): Promise<number> {
    return this.recordsOf(partition).length;
  }

  async close(): Promise<void> {}
}
