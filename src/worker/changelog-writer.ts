/**
 * The owner's side of the changelog: gathers the rows of commits and flushes them now and then, denser than they were committed, each
 * flush closed by a checkpoint. Verifies where each append came to stand, and so finds out about other writers: a later owner's barrier
 * ends this one ({@link Fenced}), what a stale owner wrote over is rewritten (docs/decisions/0019).
 */
import { type Changelog, type ChangelogEntry, type ChangelogRecord, changelogAppendMax } from '../ports/changelog.ts';
import type { Clock } from '../ports/clock.ts';
import type { StateStore } from '../ports/state-store.ts';
import type { Timer } from '../ports/timer.ts';
import { encodeChangelogCheckpoint } from './changelog-checkpoint.ts';
import {
  type ChangelogPosition,
  encodePosition,
  type Identity,
  keptCheckpointKey,
  positionKey,
  staleKeyPrefix,
} from './changelog-position.ts';
import { ChangelogSource } from './changelog-source.ts';
import type { ResumePoint, TaskCounts } from './checkpoint.ts';
import { Fenced } from './fenced.ts';
import { Interrupt, Interrupted } from './interrupt.ts';
import { PackedRows } from './packed-rows.ts';
import type { Watermark } from './producer-watermarks.ts';
import { type RetryOptions, type RetryPolicy, retryOutages } from './retry.ts';
import type { Tenure } from './take-over.ts';
import { StoreUnusable } from './task.ts';
import type { DeadLetter, TaskCommit } from './task-commit.ts';

export interface ChangelogWriterOptions {
  readonly identity: Identity;
  readonly tenure: Tenure;
  /** The task's store: values to rewrite are read from it, and where the changelog stands is kept in it. */
  readonly store: StateStore;
  readonly changelog: Changelog;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly policy: FlushPolicy;
  /** Resolves when the letters are where they are kept; throws an outage to be called again. The same letters may come twice. */
  sendDeadLetters(partition: number, letters: readonly DeadLetter[]): Promise<void>;
  onFlush?(flush: FlushFigures): void;
  onOutage?(error: Error): void;
}

export interface FlushPolicy extends RetryPolicy {
  /** While there is something: at least this far apart. */
  readonly flushIntervalMs: number;
  /** Flush at once when this many rows, or bytes, are gathered; a key counts again with each commit that has it. */
  readonly flushRowsMax: number;
  readonly flushBytesMax: number;
  /** The fold pauses while more than this is gathered. */
  readonly gatheredRowsMax: number;
  readonly gatheredBytesMax: number;
  /** Nothing to flush: look this often whether somebody else has written. Far below `min.compaction.lag.ms`. */
  readonly endCheckIntervalMs: number;
  /** The last flush of a graceful end may take this long. What it does not reach, the next owner folds again. */
  readonly lastFlushMs: number;
}

export interface FlushFigures {
  readonly keys: number;
  readonly rewritten: number;
  readonly bytes: number;
  readonly durationMs: number;
  /** Every record before this offset is in the changelog. */
  readonly checkpointOffset: number;
}

export interface ChangelogWriterStatus {
  readonly epoch: number;
  readonly gatheredRows: number;
  readonly gatheredBytes: number;
  /** Keys that a stale owner wrote over and that are still to be rewritten. */
  readonly rewrite: number;
  /** Records of its own that it met a second time, because the answer to an append was lost. */
  readonly ownResends: number;
  /** Records that a stale owner wrote, or that came again late. */
  readonly staleRecords: number;
  /** -1 before the first flush. */
  readonly checkpointOffset: number;
}

/** What a flush writes: all of one moment. */
interface Gathered {
  commits: PackedRows[];
  rows: number;
  bytes: number;
  deadLetters: DeadLetter[];
}

const gapReadBytes = 1024 * 1024;
const gapWaitMs = 250;
/** What a record of the changelog needs beside its key and value, about. */
const entryOverheadBytes = 32;

export class ChangelogWriter {
  private readonly options: ChangelogWriterOptions;
  private readonly interrupt = new Interrupt();
  private readonly watermarks: Map<string, Watermark>;
  private gathered = nothingGathered();
  /** Keys whose newest value must be written again. */
  private readonly toRewrite: Set<string>;
  /** The last commit that was added. */
  private nextOffset: number;
  private streamTimeMs: number;
  private counts: TaskCounts;
  private nextChangelogOffset: number;
  private send = 0;
  private earlierBarriers: Tenure['earlierBarriers'];
  private flushedOffset = -1;
  private ownResends = 0;
  private staleRecords = 0;
  private staleKeys: readonly string[];
  /** A flush is due although no row has changed: something of this owner's no longer stands last. */
  private isRestless = true;
  private isClosing = false;
  private lastFlushAtMs: number;
  /** When this owner last knew the changelog's end. */
  private lastLookAtMs: number;
  private readonly retry: RetryOptions;
  private wake = (): void => undefined;
  private cancelDeadline = (): void => undefined;
  private roomWaiters: (() => void)[] = [];

  constructor(options: ChangelogWriterOptions) {
    const { resume, rewrite, earlierBarriers, nextChangelogOffset } = options.tenure;
    this.options = options;
    this.watermarks = new Map(resume.watermarks);
    this.nextOffset = resume.nextOffset;
    this.streamTimeMs = resume.streamTimeMs;
    this.counts = resume.counts;
    this.nextChangelogOffset = nextChangelogOffset;
    this.earlierBarriers = earlierBarriers;
    this.staleKeys = rewrite;
    this.toRewrite = new Set(rewrite);
    this.lastFlushAtMs = Number.NEGATIVE_INFINITY;
    this.lastLookAtMs = options.clock.monotonicMs();
    const { timer, policy } = options;
    const onOutage = (error: Error): void => options.onOutage?.(error);
    this.retry = { timer, policy, interrupt: this.interrupt, onOutage };
  }

  /** Takes up a commit that the store has. Commits come in order, none left out. */
  add(commit: TaskCommit): void {
    const { gathered } = this;
    gathered.commits.push(commit.rows);
    gathered.rows += commit.rows.size;
    gathered.bytes += commit.rows.byteLength;
    for (const letter of commit.deadLetters) {
      gathered.deadLetters.push(letter);
      gathered.bytes += letter.value.length;
    }
    for (const [id, watermark] of commit.watermarks) {
      if (watermark === null) this.watermarks.delete(id);
      else this.watermarks.set(id, watermark);
    }
    this.nextOffset = commit.nextOffset;
    this.streamTimeMs = commit.streamTimeMs;
    this.counts = commit.counts;
    this.wake();
  }

  /** Null while another commit can be taken; else resolves when it can, or when the writer has ended. */
  room(): Promise<void> | null {
    if (this.hasRoom() || this.interrupt.requested) return null;
    return new Promise((resolve) => {
      this.roomWaiters.push(resolve);
    });
  }

  /**
   * Flushes what is added until {@link close} or {@link abandon}. Throws {@link Fenced}, {@link StoreUnusable} (the changelog has
   * lost records), and what the store throws.
   */
  async run(): Promise<void> {
    try {
      if (this.options.tenure.isFoldedAnew) await this.withdrawCheckpoint();
      while (!this.interrupt.requested) {
        const restMs = this.untilFlushMs();
        if (restMs <= 0) await this.flush();
        else if (this.isClosing) return;
        else if (this.untilEndCheckMs() <= 0) await this.checkEnd();
        else await this.rest(Math.min(restMs, this.untilEndCheckMs()));
      }
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
    } finally {
      this.cancelDeadline();
      this.abandon();
    }
  }

  /** Lets {@link run} end when all that was added is flushed, or `lastFlushMs` are over. */
  close(): void {
    this.isClosing = true;
    this.cancelDeadline = this.options.timer.after(this.options.policy.lastFlushMs, () => this.abandon());
    this.wake();
  }

  /** Lets {@link run} end now. An append under way may still come to stand in the changelog. */
  abandon(): void {
    this.interrupt.request();
    this.giveRoom();
    this.wake();
  }

  status(): ChangelogWriterStatus {
    return {
      epoch: this.options.tenure.epoch,
      gatheredRows: this.gathered.rows,
      gatheredBytes: this.gathered.bytes,
      rewrite: this.toRewrite.size,
      ownResends: this.ownResends,
      staleRecords: this.staleRecords,
      checkpointOffset: this.flushedOffset,
    };
  }

  private hasRoom(): boolean {
    const { gatheredRowsMax, gatheredBytesMax } = this.options.policy;
    return this.gathered.rows <= gatheredRowsMax && this.gathered.bytes <= gatheredBytesMax;
  }

  private giveRoom(): void {
    for (const resolve of this.roomWaiters.splice(0)) resolve();
  }

  private hasWork(): boolean {
    const { rows, deadLetters } = this.gathered;
    if (this.isRestless || rows > 0 || deadLetters.length > 0 || this.toRewrite.size > 0) return true;
    return this.nextOffset > this.flushedOffset;
  }

  private untilFlushMs(): number {
    if (!this.hasWork()) return Number.POSITIVE_INFINITY;
    const { flushRowsMax, flushBytesMax, flushIntervalMs } = this.options.policy;
    const isFull = this.gathered.rows >= flushRowsMax || this.gathered.bytes >= flushBytesMax;
    return isFull || this.isClosing ? 0 : this.lastFlushAtMs + flushIntervalMs - this.options.clock.monotonicMs();
  }

  private untilEndCheckMs(): number {
    return this.lastLookAtMs + this.options.policy.endCheckIntervalMs - this.options.clock.monotonicMs();
  }

  private rest(durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.options.timer.after(durationMs, () => this.wake());
      this.wake = () => {
        cancel();
        this.wake = () => undefined;
        resolve();
      };
    });
  }

  /** One flush: everything of one moment, in this order, and only then the checkpoint that speaks for it. */
  private async flush(): Promise<void> {
    const { clock } = this.options;
    const startedAtMs = clock.monotonicMs();
    this.lastFlushAtMs = startedAtMs;
    const flushed = this.gathered;
    this.gathered = nothingGathered();
    this.isRestless = false;
    const { nextOffset, streamTimeMs, counts } = this;
    const point = { nextOffset, streamTimeMs, counts, watermarks: new Map(this.watermarks) };
    this.giveRoom();

    if (flushed.deadLetters.length > 0) await this.sendDeadLetters(flushed.deadLetters);
    let keys = 0;
    for (const entries of appendsOf(flushed.commits)) {
      await this.append(entries);
      keys += entries.length;
    }
    // What a stale owner wrote meanwhile, too: the checkpoint speaks for the last value of each key before it.
    let rewritten = 0;
    while (this.toRewrite.size > 0) rewritten += await this.rewrite();
    const checkpoint = await this.appendCheckpoint(point);
    if (checkpoint !== null) {
      this.flushedOffset = nextOffset;
      await this.settle(checkpoint);
    } else this.isRestless = true;

    this.options.onFlush?.({
      keys,
      rewritten,
      bytes: flushed.bytes,
      durationMs: clock.monotonicMs() - startedAtMs,
      checkpointOffset: nextOffset,
    });
  }

  /**
   * An owner that folds anew says so before it writes a row: while the last checkpoint counts, its rows would be taken for ones that
   * contain all that the checkpoint speaks for.
   */
  private async withdrawCheckpoint(): Promise<void> {
    while ((await this.appendCheckpoint(this.options.tenure.resume)) === null);
  }

  /** The checkpoint's bytes if it stands where it was expected to, so that it counts; else null. */
  private async appendCheckpoint(point: ResumePoint): Promise<Buffer | null> {
    const { identity } = this.options;
    const standsAt = this.nextChangelogOffset;
    const value = encodeChangelogCheckpoint({ ...identity, ...point, standsAt });
    const baseOffset = await this.append([{ kind: 'checkpoint', key: identity.topology, value }]);
    return baseOffset === standsAt ? value : null;
  }

  private sendDeadLetters(letters: readonly DeadLetter[]): Promise<void> {
    return retryOutages(this.retry, () => this.options.sendDeadLetters(this.options.identity.partition, letters));
  }

  /** Writes the store's values of keys that a stale owner wrote over, and says how many. */
  private async rewrite(): Promise<number> {
    const all = [...this.toRewrite];
    this.toRewrite.clear();
    for (let from = 0; from < all.length; from += changelogAppendMax.entries) {
      const some = all.slice(from, from + changelogAppendMax.entries);
      const values = await this.options.store.getMany(some);
      const held = new PackedRows();
      for (const [index, key] of some.entries()) {
        const value = values[index];
        // A stale owner may have been ahead: its value will be met when the fold comes there.
        if (value !== undefined) held.add(key, value);
      }
      for (const entries of appendsOf([held])) await this.append(entries);
    }
    return all.length;
  }

  /**
   * After a checkpoint that counts: earlier barriers have done their work, and the store contains the changelog up to here. (The store
   * had these rows before the flush; its position may follow in a batch of its own.)
   */
  private async settle(checkpoint: Buffer): Promise<void> {
    const { identity, tenure, store } = this.options;
    const { epoch, barrierKey, highestVersion } = tenure;
    const position: ChangelogPosition = {
      ...identity,
      nextOffset: this.nextChangelogOffset,
      epoch,
      barriers: [...this.earlierBarriers, [barrierKey, epoch]],
      checkpointEpoch: epoch,
      checkpointSend: this.send - 1,
      isWarm: true,
      highestVersion: Math.max(highestVersion, this.nextOffset - 1),
      damagedRecords: 0,
    };
    const batch = store.batch();
    batch.put(keptCheckpointKey, checkpoint);
    batch.put(positionKey, encodePosition(position));
    for (const key of this.staleKeys) batch.delete(staleKeyPrefix + key);
    this.staleKeys = [];
    await batch.write();
    for (const entries of tombstonesOf(this.earlierBarriers.map(([key]) => key))) await this.append(entries);
    this.earlierBarriers = [];
  }

  /** Appends, looks at what came to stand between this and the append before, and returns where it stands. */
  private async append(entries: readonly ChangelogEntry[]): Promise<number> {
    const { changelog, identity, tenure } = this.options;
    const { partition } = identity;
    const baseOffset = await retryOutages(this.retry, () =>
      changelog.append(partition, entries, tenure.epoch, this.send),
    );
    await this.lookBetween(baseOffset);
    this.nextChangelogOffset = baseOffset + entries.length;
    this.send++;
    return baseOffset;
  }

  /** Nothing was written for a while: somebody else may have. */
  private async checkEnd(): Promise<void> {
    const { changelog, identity } = this.options;
    const endOffset = await retryOutages(this.retry, () => changelog.endOffset(identity.partition));
    if (endOffset <= this.nextChangelogOffset) {
      this.lastLookAtMs = this.options.clock.monotonicMs();
      return;
    }
    await this.lookBetween(endOffset);
    this.nextChangelogOffset = endOffset;
  }

  /** Reads what somebody else has written from the last known end up to `endOffset`. */
  private async lookBetween(endOffset: number): Promise<void> {
    if (endOffset < this.nextChangelogOffset) {
      throw new StoreUnusable(`the changelog has lost records: ${endOffset} follows ${this.nextChangelogOffset}`);
    }
    if (endOffset > this.nextChangelogOffset) {
      const source = await ChangelogSource.open(this.options.changelog, this.options.identity.partition, this.retry);
      try {
        let offset = this.nextChangelogOffset;
        while (offset < endOffset) {
          const { records, nextOffset } = await source.read(offset, gapReadBytes);
          for (const record of records) if (record.offset < endOffset) this.lookAt(record);
          if (nextOffset === offset) await source.waitFor(offset, gapWaitMs);
          offset = nextOffset;
        }
      } finally {
        await source.close();
      }
    }
    this.lastLookAtMs = this.options.clock.monotonicMs();
  }

  /** A record that is not of the append before it nor of the one after it. */
  private lookAt(record: ChangelogRecord): void {
    // Whatever it was, it was not mine, or it was mine a second time.
    if (record.invalid !== undefined) return;
    const { epoch } = this.options.tenure;
    const isBarrier = record.kind === 'barrier' && record.value !== null;
    if (isBarrier ? record.offset > epoch : record.epoch > epoch) {
      throw new Fenced(`another owner wrote at ${record.offset}, after my barrier at ${epoch}`);
    }
    if (record.epoch === epoch && record.send === this.send) {
      this.ownResends++;
      return;
    }
    this.staleRecords++;
    if (record.kind === 'row') this.toRewrite.add(record.key);
    // Compaction now keeps this one instead of mine, and nobody may go on from it.
    else if (record.kind === 'checkpoint') this.isRestless = true;
  }
}

function nothingGathered(): Gathered {
  return { commits: [], rows: 0, bytes: 0, deadLetters: [] };
}

/** Each key once, with its value in the last commit that has it, as appends of at most {@link changelogAppendMax}. */
function* appendsOf(commits: readonly PackedRows[]): Generator<ChangelogEntry[]> {
  const met = new Set<string>();
  let entries: ChangelogEntry[] = [];
  let bytes = 0;
  for (let place = commits.length - 1; place >= 0; place--) {
    const rows = commits[place] as PackedRows;
    for (let index = 0; index < rows.size; index++) {
      const key = rows.keyAt(index);
      if (met.has(key)) continue;
      // Nothing is looked up any more after the oldest commit.
      if (place > 0) met.add(key);
      const value = rows.valueAt(index);
      const entryBytes = key.length + value.length + entryOverheadBytes;
      if (entries.length === changelogAppendMax.entries || bytes + entryBytes > changelogAppendMax.bytes) {
        if (entries.length > 0) yield entries;
        entries = [];
        bytes = 0;
      }
      entries.push({ kind: 'row', key, value });
      bytes += entryBytes;
    }
  }
  if (entries.length > 0) yield entries;
}

function* tombstonesOf(barrierKeys: readonly string[]): Generator<ChangelogEntry[]> {
  for (let from = 0; from < barrierKeys.length; from += changelogAppendMax.entries) {
    yield barrierKeys
      .slice(from, from + changelogAppendMax.entries)
      .map((key) => ({ kind: 'barrier', key, value: null }) as const);
  }
}
