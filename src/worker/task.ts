/**
 * A task folds one partition of the source topic into its own store, exactly once: rows, producer watermarks and the next
 * offset go into one atomic batch (design: docs/decisions/0004). It reads no clock: when to commit is the run loop's business.
 */
import type { LogRecord } from '../ports/event-log.ts';
import type { StateBatch, StateStore } from '../ports/state-store.ts';
import { positionKey } from './changelog-position.ts';
import {
  type Checkpoint,
  checkpointKey,
  decodeCheckpoint,
  encodeCheckpoint,
  mismatch,
  type ResumePoint,
  resumeAtStart,
} from './checkpoint.ts';
import { PackedRows } from './packed-rows.ts';
import { decodeWatermark, encodeWatermark, ProducerWatermarks, producerKeyPrefix } from './producer-watermarks.ts';
import type { DeadLetter, TaskCommit } from './task-commit.ts';
import { type TaskState, transition } from './task-state.ts';
import { PoisonRecord, type Processor, type Topology, topologyId } from './topology.ts';
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
  /** Tasks that share this thread's memory; default 1. */
  readonly tasksInThread?: () => number;
  /**
   * Set where tasks move between instances. The task then begins at `resume`, whatever rows the store holds beyond it, and its
   * watermarks and dead letters go to the listener instead of the store. `onCommit` is called when the store has the commit.
   */
  readonly shared?: { readonly resume: ResumePoint; readonly onCommit: (commit: TaskCommit) => void };
}

/** The store's checkpoint does not fit this log or this topology: set the store aside and open the task on an empty one. */
export class StoreUnusable extends Error {
  override readonly name = 'StoreUnusable';
}

/** Rows of records that can never be folded: `!x/<16-digit offset>`, value = JSON of what was wrong and the record's first bytes. */
export const deadLetterKeyPrefix = '!x/';
const deadLetterValueBytes = 64 * 1024;
const producersReadMax = 10_000;
/** Keys of the worker's own begin with `!`; those of rows come after them. */
const firstRowKey = '"';

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
  private deadLetters: DeadLetter[] = [];
  private deadLetterBytes = 0;
  private nextOffset: number;
  private committedOffset: number;
  private streamTimeMs: number;
  private readonly counts: { folded: number; duplicates: number; gaps: number; deadLetters: number };
  private committing: Promise<void> | null = null;

  private constructor(
    options: TaskOptions,
    from: Omit<ResumePoint, 'watermarks'>,
    watermarks: ProducerWatermarks,
    written: WrittenKeys | null,
  ) {
    this.options = options;
    this.partition = options.partition;
    this.watermarks = watermarks;
    this.nextOffset = from.nextOffset;
    this.committedOffset = this.nextOffset;
    this.openedAtOffset = this.nextOffset;
    this.readableFromOffset = options.logEndOffset;
    this.streamTimeMs = from.streamTimeMs;
    this.counts = { ...from.counts };
    this.processor = options.topology.createProcessor({
      rows: (codec) => new VersionedRows(options.store, codec, this.dirtyRows, written),
      tasksInThread: () => options.tasksInThread?.() ?? 1,
    });
    this.noteReadable();
  }

  /** Opens the task where its store stands, or where `shared` says. Throws {@link StoreUnusable}. */
  static async open(options: TaskOptions): Promise<Task> {
    const watermarks = new ProducerWatermarks(options.producerSilenceMs);
    if (options.shared !== undefined) {
      const { resume } = options.shared;
      for (const [id, watermark] of resume.watermarks) watermarks.restore(id, watermark);
      const [row] = await options.store.range({ gte: firstRowKey, limit: 1 });
      return new Task(options, resume, watermarks, row === undefined ? new WrittenKeys() : null);
    }
    if (options.store.getSync(positionKey) !== undefined) {
      throw new StoreUnusable('it was restored from a changelog, which alone knows its watermarks');
    }
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
    let after: string = producerKeyPrefix;
    for (;;) {
      const rows = await options.store.range({ gt: after, lt: '!p0', limit: producersReadMax });
      for (const row of rows) {
        const { id, watermark } = decodeWatermark(row);
        watermarks.restore(id, watermark);
      }
      if (rows.length < producersReadMax) break;
      after = rows[rows.length - 1]?.[0] ?? after;
    }
    return new Task(
      options,
      checkpoint ?? resumeAtStart,
      watermarks,
      checkpoint === undefined ? new WrittenKeys() : null,
    );
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
    const verdict = this.watermarks.judge(record.producerId, record.sequence, this.streamTimeMs);
    if (verdict === 'duplicate') {
      this.counts.duplicates++;
      return;
    }
    if (verdict === 'out-of-reach' || verdict === 'malformed-producer') {
      this.bury(record, verdict === 'out-of-reach' ? 'its sequence is out of reach' : 'its producer id is malformed');
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
    // A copy: the record's bytes are only valid until the next read.
    const value = Buffer.from(record.value.subarray(0, deadLetterValueBytes));
    const { offset, key, producerId, sequence } = record;
    this.deadLetters.push({ offset, reason, key, producerId, sequence, bytes: record.value.length, value });
    this.deadLetterBytes += value.length;
  }

  /**
   * Starts one atomic commit of everything folded so far and resolves when it is written. Folding may go on meanwhile; a second
   * commit waits for the first.
   */
  async commit(): Promise<void> {
    while (this.committing !== null) await this.committing;
    if (this.nextOffset === this.committedOffset) return;
    const batch = this.options.store.batch();
    const { commit, told } = this.drainInto(batch);
    this.committing = batch.write().then(
      () => {
        this.committing = null;
        this.committedOffset = told.nextOffset;
        this.dirtyRows.stored = commit;
        this.processor.committed();
        this.noteReadable();
        this.options.shared?.onCommit(told);
      },
      (error: unknown) => {
        this.committing = null;
        throw error;
      },
    );
    await this.committing;
  }

  private drainInto(batch: StateBatch): { readonly commit: number; readonly told: TaskCommit } {
    const { partition, nextOffset, streamTimeMs, deadLetters, options } = this;
    const isShared = options.shared !== undefined;
    const rows = new PackedRows();
    const commit = this.dirtyRows.drainInto(batch, isShared ? rows : null);
    const watermarks = this.watermarks.drain(streamTimeMs);
    this.deadLetters = [];
    this.deadLetterBytes = 0;
    if (!isShared) {
      for (const [id, watermark] of watermarks) {
        if (watermark === null) batch.delete(producerKeyPrefix + id);
        else batch.put(producerKeyPrefix + id, encodeWatermark(watermark));
      }
      for (const letter of deadLetters) batch.put(deadLetterKey(letter), encodeDeadLetter(letter));
    }
    const counts = { ...this.counts };
    const topology = topologyId(options.topology);
    const { logId } = options;
    batch.put(checkpointKey, encodeCheckpoint({ logId, topology, partition, nextOffset, streamTimeMs, counts }));
    return { commit, told: { partition, nextOffset, streamTimeMs, counts, rows, watermarks, deadLetters } };
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
      deadLetterBytes: this.deadLetterBytes,
      producers: this.watermarks.size(),
      counts: { ...this.counts },
    };
  }

  /** Commits what is folded and ends the task. The store stays the caller's to close. */
  async close(): Promise<void> {
    await this.commit();
    this.state = transition(this.state, 'closed');
  }

  /** Ends the task as it is, when a commit under way has come to its end: for a task that may not write any more. */
  async drop(): Promise<void> {
    await this.committing?.catch(() => undefined);
    if (this.state !== 'closed') this.state = transition(this.state, 'closed');
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
  /** Bytes of dead letters that the next commit takes along. */
  readonly deadLetterBytes: number;
  readonly producers: number;
  readonly counts: Checkpoint['counts'];
}

function deadLetterKey(letter: DeadLetter): string {
  return deadLetterKeyPrefix + String(letter.offset).padStart(16, '0');
}

function encodeDeadLetter({ reason, key, producerId, sequence, bytes, value }: DeadLetter): Buffer {
  return Buffer.from(JSON.stringify({ reason, key, producerId, sequence, bytes, value: value.toString('base64') }));
}
