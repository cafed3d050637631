/**
 * Drives one task: read, fold, decide when to commit, wait for more. Commits come at once when the task is caught up and the
 * store is idle, so that a visit is in the numbers a few milliseconds later, and in bigger batches the further it is behind.
 */
import type { Clock } from '../ports/clock.ts';
import type { LogReader } from '../ports/event-log.ts';
import { gatheringMs } from './pacing.ts';
import type { Task } from './task.ts';

export interface RunLoopOptions {
  readonly task: Task;
  readonly reader: LogReader;
  readonly clock: Clock;
  readonly policy?: Partial<CommitPolicy>;
  /** Called after each commit with how long it took, ms. */
  readonly onCommit: (commitDurationMs: number) => void;
  /** How many such loops run in this thread; default 1. */
  readonly loopsInThread?: () => number;
  /** Asked before each read: while a commit could not be taken, the promise that is over when it can; null = go on. */
  readonly room?: () => Promise<void> | null;
  /** Resolves when messages and finished I/O were handled; a simulation decides when that is. */
  readonly nextTurn?: () => Promise<void>;
}

export interface CommitPolicy {
  /** Read at most about this much at once: the loop answers queries between two reads. */
  readonly readBytes: number;
  /** Commit when this many rows have changed. */
  readonly dirtyRowsMax: number;
  /** The same for dead letters, whose bytes are in memory. */
  readonly deadLetterBytesMax: number;
  /** While records keep coming, however fast: commit at least this often. */
  readonly busyIntervalMs: number;
  /** The same while further behind than `behindRecords`: rarer, denser commits. */
  readonly behindIntervalMs: number;
  readonly behindRecords: number;
  /** Caught up: leave the store at least this many times as long alone as its last commit took (and longer when records come fast). */
  readonly idleRatio: number;
  /** Longest wait for new records: also how late a stop is noticed. */
  readonly waitMs: number;
}

/**
 * Commits compete with redirects for the processor, and many visits of one link in a commit cost as much as one: so they are
 * rare while records keep coming. A lone visit is not held back, because its commit takes a fraction of a millisecond.
 */
export const defaultCommitPolicy: CommitPolicy = {
  readBytes: 512 * 1024,
  dirtyRowsMax: 60_000,
  deadLetterBytesMax: 8 * 1024 * 1024,
  busyIntervalMs: 1_000,
  behindIntervalMs: 2_000,
  behindRecords: 50_000,
  idleRatio: 10,
  waitMs: 250,
};

export class RunLoop {
  private readonly options: RunLoopOptions;
  private readonly policy: CommitPolicy;
  private stopping = false;
  private lastCommitAtMs: number;
  private lastCommitDurationMs = 0;
  private commit: Promise<void> | null = null;
  private failure: unknown = null;

  constructor(options: RunLoopOptions) {
    this.options = options;
    this.policy = { ...defaultCommitPolicy, ...options.policy };
    this.lastCommitAtMs = options.clock.monotonicMs();
  }

  /** Runs until {@link stop}; rejects with what made it impossible to go on (damaged log, damaged store, a hole in the offsets). */
  async run(): Promise<void> {
    const { task, reader, clock } = this.options;
    while (!this.stopping) {
      const room = this.options.room?.() ?? null;
      if (room !== null) {
        await room;
        if (this.failure !== null) throw this.failure;
        continue;
      }
      const { nextOffset, committedOffset } = task.status();
      const records = await reader.read(nextOffset, this.policy.readBytes);
      if (this.failure !== null) throw this.failure;
      if (records.length > 0) task.fold(records);
      const uncommitted = task.status().nextOffset > committedOffset;
      const sinceMs = clock.monotonicMs() - this.lastCommitAtMs;
      if (records.length > 0) {
        if (uncommitted && this.isDue(sinceMs)) await this.startCommit();
        else await (this.options.nextTurn ?? nextTurn)();
        continue;
      }
      const restMs = this.gatherMs(task.status().nextOffset - committedOffset) - sinceMs;
      if (uncommitted && this.commit === null && restMs <= 0) await this.startCommit();
      else if (this.commit !== null) await this.commit;
      else {
        const { waitMs } = this.policy;
        await reader.waitFor(nextOffset, uncommitted ? Math.min(Math.ceil(restMs), waitMs) : waitMs);
      }
    }
    if (this.commit !== null) await this.commit;
    if (this.failure !== null) throw this.failure;
  }

  /** Ends {@link run} after the records in hand; the caller then closes the task, which commits them. */
  stop(): void {
    this.stopping = true;
  }

  /** Ends {@link run} with `error`: for what was found out beside the loop, as by a reader of the store. */
  abort(error: unknown): void {
    this.failure ??= error;
  }

  /** How long after the start of the last commit the next one may start, now that the loop has caught up. */
  private gatherMs(uncommitted: number): number {
    const { idleRatio, busyIntervalMs } = this.policy;
    return gatheringMs(uncommitted, {
      shortestMs: idleRatio * this.lastCommitDurationMs,
      longestMs: busyIntervalMs,
      loops: this.options.loopsInThread?.() ?? 1,
    });
  }

  private isDue(sinceMs: number): boolean {
    const { task, reader } = this.options;
    const { nextOffset, dirtyRows, deadLetterBytes } = task.status();
    if (dirtyRows >= this.policy.dirtyRowsMax || deadLetterBytes >= this.policy.deadLetterBytesMax) return true;
    const behind = reader.endOffset() - nextOffset > this.policy.behindRecords;
    return sinceMs >= (behind ? this.policy.behindIntervalMs : this.policy.busyIntervalMs);
  }

  /** Waits for the commit before, then starts one and lets it run beside the fold. */
  private async startCommit(): Promise<void> {
    if (this.commit !== null) await this.commit;
    if (this.failure !== null) throw this.failure;
    const startedAtMs = this.options.clock.monotonicMs();
    this.lastCommitAtMs = startedAtMs;
    this.commit = this.options.task.commit().then(
      () => {
        this.commit = null;
        this.lastCommitDurationMs = this.options.clock.monotonicMs() - startedAtMs;
        this.options.onCommit(this.lastCommitDurationMs);
      },
      (error: unknown) => {
        this.commit = null;
        this.failure = error;
      },
    );
  }
}

/** Lets messages and finished I/O be handled before the next read. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
