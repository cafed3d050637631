/**
 * Runs the tasks of the visits' topology: opens a store and a reader for each partition, drives the loop, answers reads. A
 * damaged or foreign store is set aside and folded anew; a disk that fails is tried again; a damaged log halts the task and
 * is told. Knows no thread: it is given a way to send and called with what comes.
 */
import { join } from 'node:path';
import { VisitorSketchMalformed } from '../domain/visitor-sketch.ts';
import type { Clock } from '../ports/clock.ts';
import { LogDamaged, type LogReader, OffsetOutOfRange } from '../ports/event-log.ts';
import { type StateStore, StoreDamaged, StoreLocked } from '../ports/state-store.ts';
import { visitStatistics } from '../projections/visit-statistics.ts';
import { RowMalformed } from '../serde/varint.ts';
import { RunLoop } from '../worker/run-loop.ts';
import { StoreUnusable, Task } from '../worker/task.ts';
import { readTaskStore } from '../worker/task-store.ts';
import type { FromStatisticsThread, ToStatisticsThread } from './statistics-messages.ts';

export interface StatisticsWorkerOptions {
  readonly dataDir: string;
  readonly logId: string;
  readonly partitions: number;
  readonly clock: Clock;
  openStore(folder: string): Promise<StateStore>;
  /** Renames a store's folder out of the way and returns its new name. */
  setAside(folder: string): Promise<string>;
  openReader(partition: number): Promise<LogReader>;
  send(message: FromStatisticsThread): void;
}

/** How often a store is set aside and folded anew before the task asks for a person. */
const rebuildsMax = 2;
const retryDelayMs = { first: 500, max: 30_000 };
const progressIntervalMs = 200;
/** 35 days: longer than any journal is resent. */
const producerSilenceMs = 35 * 24 * 60 * 60_000;

export class StatisticsWorker {
  private readonly options: StatisticsWorkerOptions;
  private readonly runs: PartitionRun[];
  private progressTimer: NodeJS.Timeout | null = null;

  constructor(options: StatisticsWorkerOptions) {
    this.options = options;
    this.runs = Array.from({ length: options.partitions }, (_, partition) => new PartitionRun(options, partition));
  }

  /** Resolves when {@link receive} was told to stop and every task is closed. */
  async run(): Promise<void> {
    this.progressTimer = setInterval(() => {
      for (const run of this.runs) run.tellCatchingUp();
    }, progressIntervalMs);
    await Promise.all(this.runs.map((run) => run.run()));
    clearInterval(this.progressTimer);
    this.options.send({ type: 'stopped' });
  }

  receive(message: ToStatisticsThread): void {
    if (message.type === 'stop') {
      for (const run of this.runs) run.stop();
      return;
    }
    const { id, request } = message;
    const run = this.runs[request.partition];
    const answer =
      run === undefined ? Promise.reject(new Error(`no partition ${request.partition}`)) : run.read(request);
    answer.then(
      (rows) => this.options.send({ type: 'answer', id, answer: rows }),
      (error: Error) => this.options.send({ type: 'failure', id, message: error.message }),
    );
  }
}

/** One partition's store, task and loop, over its rebuilds. */
class PartitionRun {
  private readonly options: StatisticsWorkerOptions;
  private readonly partition: number;
  private readonly folder: string;
  private store: StateStore | null = null;
  private task: Task | null = null;
  private loop: RunLoop | null = null;
  private stopping = false;
  private rebuilds = 0;
  private retryMs = retryDelayMs.first;
  private wake = (): void => undefined;

  constructor(options: StatisticsWorkerOptions, partition: number) {
    this.options = options;
    this.partition = partition;
    this.folder = join(options.dataDir, 'stores', `${visitStatistics.name}-${partition}`);
  }

  async run(): Promise<void> {
    while (!this.stopping) {
      try {
        await this.runOnce();
        return;
      } catch (error) {
        await this.closeStore();
        if (!(await this.recoverFrom(error))) {
          this.haltFor(error);
          return;
        }
      }
    }
  }

  /** Makes another try possible, or says that there is no point in one. */
  private async recoverFrom(error: unknown): Promise<boolean> {
    const { partition, folder } = this;
    if (isStoreUnusable(error) && this.rebuilds < rebuildsMax) {
      this.rebuilds++;
      const movedTo = await this.options.setAside(folder).catch((failure: unknown) => {
        if ((failure as { readonly code?: unknown }).code === 'ENOENT') return null;
        throw failure;
      });
      this.log('warn', { err: error, partition, folder, movedTo }, 'store set aside, the numbers are folded anew');
      return true;
    }
    if (!isSystemError(error)) return false;
    // While a disk stays full, every try fails alike: it is told once.
    if (this.retryMs === retryDelayMs.first) {
      this.log('warn', { err: error, partition, folder }, 'the store cannot be used now and is tried again');
    }
    this.options.send({ type: 'halted', partition, reason: remedyFor(error) });
    await this.rest(this.retryMs);
    this.retryMs = Math.min(this.retryMs * 2, retryDelayMs.max);
    return true;
  }

  private rest(durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, durationMs);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private async runOnce(): Promise<void> {
    this.store = await this.options.openStore(this.folder);
    const reader = await this.options.openReader(this.partition);
    try {
      const task = await Task.open({
        topology: visitStatistics,
        partition: this.partition,
        logId: this.options.logId,
        store: this.store,
        logEndOffset: reader.endOffset(),
        producerSilenceMs,
      });
      this.task = task;
      this.tell(null);
      const onCommit = (durationMs: number): void => {
        this.retryMs = retryDelayMs.first;
        this.tell(durationMs);
      };
      this.loop = new RunLoop({ task, reader, clock: this.options.clock, onCommit });
      if (this.stopping) this.loop.stop();
      await this.loop.run();
      await task.close();
      this.tell(null);
    } finally {
      await reader.close();
    }
    await this.closeStore();
  }

  private async closeStore(): Promise<void> {
    const store = this.store;
    this.store = null;
    this.task = null;
    this.loop = null;
    // A store that failed may fail to close; what it had committed is what the next opening finds.
    await store?.close().catch(() => undefined);
  }

  read(request: Parameters<typeof readTaskStore>[1]) {
    if (this.store === null) return Promise.reject(new Error(`the store of partition ${this.partition} is not open`));
    return readTaskStore(this.store, request).catch((error: unknown) => {
      if (isStoreUnusable(error)) this.loop?.abort(error);
      throw error;
    });
  }

  stop(): void {
    this.stopping = true;
    this.loop?.stop();
    this.wake();
  }

  tellCatchingUp(): void {
    if (this.task?.status().state === 'catching-up') this.tell(null);
  }

  private tell(commitDurationMs: number | null): void {
    if (this.task === null) return;
    this.options.send({ type: 'progress', status: this.task.status(), commitDurationMs });
  }

  private haltFor(error: unknown): void {
    const { partition } = this;
    this.log(
      'error',
      { err: error, partition },
      'the task has halted: redirects and the journal go on, the numbers do not',
    );
    this.options.send({ type: 'halted', partition, reason: remedyFor(error) });
  }

  private log(level: 'warn' | 'error', fields: { err: unknown; [name: string]: unknown }, message: string): void {
    const err = fields.err as Error;
    this.options.send({
      type: 'log',
      level,
      fields: { ...fields, err: { name: err.name, message: err.message, stack: err.stack } },
      message,
    });
  }
}

function isStoreUnusable(error: unknown): boolean {
  return (
    error instanceof StoreDamaged ||
    error instanceof StoreUnusable ||
    error instanceof RowMalformed ||
    error instanceof VisitorSketchMalformed
  );
}

/** A disk that is full or fails is tried again; what has no code of the system or of LevelDB is a defect or needs a person. */
function isSystemError(error: unknown): boolean {
  if (error instanceof LogDamaged || error instanceof OffsetOutOfRange || error instanceof StoreLocked) return false;
  const { code } = error as { readonly code?: unknown };
  return typeof code === 'string' && /^(E[A-Z]+|LEVEL_\w+)$/.test(code);
}

function remedyFor(error: unknown): string {
  const what = (error as Error).message;
  if (error instanceof LogDamaged)
    return `${what}. Restore that file from a backup and start again; nothing was skipped.`;
  if (error instanceof OffsetOutOfRange) {
    return `${what}. The numbers cannot be folded from the beginning: restore DATA_DIR/stores from a backup.`;
  }
  return what;
}
