/**
 * A task folds one partition of the source topic into its own store, exactly once: rows, producer watermarks and the next
 * offset go into one atomic batch (design: docs/decisions/0004). It reads no clock: when to commit is the run loop's business.
 */
import type { LogRecord } from '../ports/event-log.ts';
import type { StateBatch, StateStore } from '../ports/state-store.ts';
import {
  type Checkpoint,
  checkpointKey,
  decodeCheckpoint,
  encodeCheckpoint,
  mismatch,
  noCounts,
} from './checkpoint.ts';
import { ProducerWatermarks, producerKeyPrefix } from './producer-watermarks.ts';
import { type TaskState, transition } from './task-state.ts';
import { PoisonRecord, type Processor, type Topology } from './topology.ts';
import { DirtyRows, VersionedRows } from './versioned-rows.ts';
import { WrittenKeys } from './written-keys.ts';

export interface TaskOptions {
  readonly topology: Topology;
  readonly partition: number;
  readonly logId: string;
  readonly store: StateStore;
  /** The log's end when the task is opened: numbers are readable once it is folded. */
  readonly logEndOffset: number;
  /** A producer silent for this long in stream time is forgotten. */
  readonly producerSilenceMs: number;
}

/** The store's checkpoint does not fit this log or this topology: set the store aside and open the task on an empty one. */
export class StoreUnusable extends Error {
  override readonly name = 'StoreUnusable';
}

/** Rows of records that can never be folded: `!x/<16-digit offset>`, value = JSON of what was wrong and the record's first bytes. */
export const deadLetterKeyPrefix = '!x/';
const deadLetterValueBytes = 64 * 1024;
const producersReadMax = 10_000;

export class Task {
  readonly partition: number;
  /** Where the store stood when it was opened. */
  readonly openedAtOffset: number;
  /** The log's end when the task was opened. */
  readonly readableFromOffset: number;
  private state: TaskState = 'catching-up';
  private readonly options: TaskOptions;
  private readonly watermarks: ProducerWatermarks;
  private readonly dirtyRows = new DirtyRows();
  private readonly processor: Processor;
  private deadLetters: (readonly [key: string, value: Buffer])[] = [];
  private nextOffset: number;
  private committedOffset: number;
  private streamTimeMs: number;
  private readonly counts: { folded: number; duplicates: number; gaps: number; deadLetters: number };
  private committing: Promise<void> | null = null;

  private constructor(options: TaskOptions, checkpoint: Checkpoint | undefined, watermarks: ProducerWatermarks) {
    this.options = options;
    this.partition = options.partition;
    this.watermarks = watermarks;
    this.nextOffset = checkpoint?.nextOffset ?? 0;
    this.committedOffset = this.nextOffset;
    this.openedAtOffset = this.nextOffset;
    this.readableFromOffset = options.logEndOffset;
    this.streamTimeMs = checkpoint?.streamTimeMs ?? 0;
    this.counts = { ...(checkpoint?.counts ?? noCounts) };
    const written = checkpoint === undefined ? new WrittenKeys() : null;
    this.processor = options.topology.createProcessor({
      rows: (codec) => new VersionedRows(options.store, codec, this.dirtyRows, written),
    });
    this.noteReadable();
  }

  /** Opens the task where its store stands. Throws {@link StoreUnusable}. */
  static async open(options: TaskOptions): Promise<Task> {
    const bytes = options.store.getSync(checkpointKey);
    const checkpoint = bytes === undefined ? undefined : decodeCheckpoint(bytes);
    if (bytes !== undefined && checkpoint === undefined) throw new StoreUnusable('its checkpoint cannot be read');
    if (checkpoint !== undefined) {
      const expected = { logId: options.logId, topology: topologyId(options.topology), partition: options.partition };
      const reason = mismatch(checkpoint, expected, options.logEndOffset);
      if (reason !== null) throw new StoreUnusable(reason);
    } else if ((await options.store.range({ gte: '', limit: 1 })).length > 0) {
      throw new StoreUnusable('it holds rows but no checkpoint');
    }
    const watermarks = new ProducerWatermarks();
    let after: string = producerKeyPrefix;
    for (;;) {
      const rows = await options.store.range({ gt: after, lt: '!p0', limit: producersReadMax });
      for (const row of rows) watermarks.restore(row);
      if (rows.length < producersReadMax) break;
      after = rows[rows.length - 1]?.[0] ?? after;
    }
    return new Task(options, checkpoint, watermarks);
  }

  /** Folds records that follow each other without a hole from the task's next offset on. Throws on a hole: a bug or a lossy log. */
  fold(records: readonly LogRecord[]): void {
    for (const record of records) {
      if (record.offset !== this.nextOffset) {
        throw new Error(`expected offset ${this.nextOffset} of partition ${this.partition}, got ${record.offset}`);
      }
      this.foldOne(record);
      this.nextOffset = record.offset + 1;
    }
  }

  private foldOne(record: LogRecord): void {
    if (record.invalid !== undefined) {
      this.bury(record, record.invalid);
      return;
    }
    const verdict = this.watermarks.judge(record.producerId, record.sequence);
    if (verdict === 'duplicate') {
      this.counts.duplicates++;
      return;
    }
    if (verdict === 'out-of-reach') {
      this.bury(record, 'its sequence is out of reach');
      return;
    }
    try {
      const eventTimeMs = this.processor.process(record);
      if (eventTimeMs > this.streamTimeMs) this.streamTimeMs = eventTimeMs;
    } catch (error) {
      if (!(error instanceof PoisonRecord)) throw error;
      this.bury(record, error.message);
      return;
    }
    if (verdict === 'effective-after-gap') this.counts.gaps++;
    this.watermarks.raise(record.producerId, record.sequence, this.streamTimeMs);
    this.counts.folded++;
  }

  private bury(record: LogRecord, reason: string): void {
    this.counts.deadLetters++;
    const letter = {
      reason,
      key: record.key,
      producerId: record.producerId,
      sequence: record.sequence,
      bytes: record.value.length,
      value: record.value.subarray(0, deadLetterValueBytes).toString('base64'),
    };
    const key = deadLetterKeyPrefix + String(record.offset).padStart(16, '0');
    this.deadLetters.push([key, Buffer.from(JSON.stringify(letter))]);
  }

  /**
   * Starts one atomic commit of everything folded so far and resolves when it is written. Folding may go on meanwhile; a second
   * commit waits for the first.
   */
  async commit(): Promise<void> {
    while (this.committing !== null) await this.committing;
    if (this.nextOffset === this.committedOffset) return;
    const upTo = this.nextOffset;
    const batch = this.options.store.batch();
    const commit = this.drainInto(batch);
    this.committing = batch.write().then(
      () => {
        this.committing = null;
        this.committedOffset = upTo;
        this.dirtyRows.stored = commit;
        this.processor.committed();
        this.noteReadable();
      },
      (error: unknown) => {
        this.committing = null;
        throw error;
      },
    );
    await this.committing;
  }

  private drainInto(batch: StateBatch): number {
    const commit = this.dirtyRows.drainInto(batch);
    this.watermarks.drainInto(batch, this.streamTimeMs, this.options.producerSilenceMs);
    for (const [key, value] of this.deadLetters) batch.put(key, value);
    this.deadLetters = [];
    batch.put(
      checkpointKey,
      encodeCheckpoint({
        logId: this.options.logId,
        topology: topologyId(this.options.topology),
        partition: this.partition,
        nextOffset: this.nextOffset,
        streamTimeMs: this.streamTimeMs,
        counts: this.counts,
      }),
    );
    return commit;
  }

  private noteReadable(): void {
    if (this.state === 'catching-up' && this.committedOffset >= this.readableFromOffset) {
      this.state = transition(this.state, 'running');
    }
  }

  /** Where the task stands: `nextOffset` is folded in memory, `committedOffset` is in the store. */
  status(): TaskStatus {
    return {
      partition: this.partition,
      state: this.state,
      nextOffset: this.nextOffset,
      committedOffset: this.committedOffset,
      streamTimeMs: this.streamTimeMs,
      openedAtOffset: this.openedAtOffset,
      readableFromOffset: this.readableFromOffset,
      dirtyRows: this.dirtyRows.size,
      producers: this.watermarks.size(),
      counts: { ...this.counts },
    };
  }

  /** Commits what is folded and ends the task. The store stays the caller's to close. */
  async close(): Promise<void> {
    await this.commit();
    this.state = transition(this.state, 'closed');
  }
}

export interface TaskStatus {
  readonly partition: number;
  readonly state: TaskState;
  readonly nextOffset: number;
  readonly committedOffset: number;
  readonly streamTimeMs: number;
  readonly openedAtOffset: number;
  readonly readableFromOffset: number;
  readonly dirtyRows: number;
  readonly producers: number;
  readonly counts: Checkpoint['counts'];
}

function topologyId(topology: Topology): string {
  return `${topology.name}@${topology.version}`;
}
