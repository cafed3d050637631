/**
 * The log: topics of partitions of records in offset order. It is the only source of truth; every view is a fold of it.
 * Embedded it is a folder of segment files (`adapters/segments`), distributed it is Kafka.
 *
 * Offsets are safe integers (a partition of 10⁶ records a second reaches 2⁵³ after 285 years) and decimal strings on
 * the wire. Always say which: `nextOffset` is the next one to read or write, `lastAppliedOffset` the last one folded.
 */
export type Topic = 'links' | 'visits';

/** A record as it is read back. `value` is only valid until the next read from the same reader: decode, do not keep. */
export interface LogRecord {
  readonly offset: number;
  /** The partitioning key: a short code. */
  readonly key: string;
  readonly value: Buffer;
  /** Who wrote it, and its place among that producer's records of this partition (dense from 0): the record's identity. */
  readonly producerId: string;
  readonly sequence: number;
  /**
   * Set when the record is not what a producer of ours wrote (no identity, wrong checksum, key that is no text): why. It is
   * no event and raises no watermark; it goes to the dead letters.
   */
  readonly invalid?: string;
}

/** A record to append. Its offset is given by the log. */
export interface RecordToAppend {
  readonly key: string;
  readonly value: Buffer;
}

/** Reads one partition in offset order. */
export interface LogReader {
  /**
   * Records from `nextOffset` on, in order and without holes, up to about `maxBytes`; an empty array at the end.
   * Throws {@link OffsetOutOfRange} when retention has passed `nextOffset` or it lies behind the end,
   * {@link LogDamaged} when the bytes are not what was written: stop the task, never skip.
   */
  read(nextOffset: number, maxBytes: number): Promise<readonly LogRecord[]>;
  /** Resolves when records at `nextOffset` can be read, or after `timeoutMs`, whichever is first. */
  waitFor(nextOffset: number, timeoutMs: number): Promise<void>;
  /** The offset that the next appended record will get, as known now. */
  endOffset(): number;
  /** The oldest offset still kept. */
  startOffset(): number;
  close(): Promise<void>;
}

export interface EventLog {
  /** Identity of this log, made when it was created: a store folded from another log is recognised by it. */
  readonly logId: string;
  partitions(topic: Topic): number;
  /** The partition of a key: the same for every topic, so that all that concerns a code stands in one order. */
  partitionOf(key: string): number;
  /**
   * Appends records in one atomic frame and resolves with the offset of the first when they are durable (fsynced).
   * Appends of one turn of the event loop share a write. Throws {@link LogUnavailable}: retry later with the same command id.
   */
  append(topic: Topic, partition: number, records: readonly RecordToAppend[]): Promise<number>;
  reader(topic: Topic, partition: number): Promise<LogReader>;
  /** The offset that the next record will get, asked of the log itself. */
  endOffset(topic: Topic, partition: number): Promise<number>;
  close(): Promise<void>;
}

/** The offset asked for is not in the log. `startOffset`/`endOffset` say what is. */
export class OffsetOutOfRange extends Error {
  override readonly name = 'OffsetOutOfRange';
  readonly startOffset: number;
  readonly endOffset: number;
  constructor(nextOffset: number, startOffset: number, endOffset: number) {
    super(`offset ${nextOffset} is not in the log, which holds ${startOffset} to ${endOffset}`);
    this.startOffset = startOffset;
    this.endOffset = endOffset;
  }
}

/** Bytes of the log are not what was written. The reaction is to stop and tell; nothing is skipped. */
export class LogDamaged extends Error {
  override readonly name = 'LogDamaged';
  readonly file: string;
  readonly position: number;
  constructor(file: string, position: number, what: string) {
    super(`the log is damaged: ${file} at byte ${position}: ${what}`);
    this.file = file;
    this.position = position;
  }
}

/** The log cannot take records now (disk full, broker away). The reaction is to answer 503 and let the client retry. */
export class LogUnavailable extends Error {
  override readonly name = 'LogUnavailable';
}
