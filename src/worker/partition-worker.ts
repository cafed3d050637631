/**
 * One partition's life on one instance: a warm standby, taking over, the owner, and back, as the membership of the group wishes. What it
 * is told and what it may do are two things: wishes come from outside, the changelog's barriers decide (docs/decisions/0019).
 *
 *   standby ◄──► taking-over ──► running ──► standby | fenced | stopped
 *                     ▲                         │
 *                     └──────── a rest ◄────────┘
 */
import type { Changelog } from '../ports/changelog.ts';
import type { Clock } from '../ports/clock.ts';
import { LogDamaged, type LogReader, OffsetOutOfRange } from '../ports/event-log.ts';
import type { Logger } from '../ports/logger.ts';
import type { Random } from '../ports/random.ts';
import { type StateStore, StoreDamaged, StoreLocked } from '../ports/state-store.ts';
import type { StoreAnswer, StoreRequest } from '../ports/task-stores.ts';
import type { Timer } from '../ports/timer.ts';
import type { Identity } from './changelog-position.ts';
import {
  ChangelogWriter,
  type ChangelogWriterStatus,
  type FlushFigures,
  type FlushPolicy,
} from './changelog-writer.ts';
import { Fenced } from './fenced.ts';
import { Interrupt, Interrupted } from './interrupt.ts';
import { PatientLogReader } from './patient-log-reader.ts';
import { Replica, type ReplicaPolicy, type ReplicaStatus } from './replica.ts';
import { isOutage, type RetryOptions, retryOutages } from './retry.ts';
import { type CommitPolicy, RunLoop } from './run-loop.ts';
import { serialAppends } from './serial-appends.ts';
import { type Tenure, takeOver } from './take-over.ts';
import { StoreUnusable, Task, type TaskStatus } from './task.ts';
import type { DeadLetter, TaskCommit } from './task-commit.ts';
import { readTaskStore } from './task-store.ts';
import { type Topology, topologyId } from './topology.ts';

export interface PartitionWorkerOptions {
  readonly topology: Topology;
  readonly partition: number;
  readonly logId: string;
  readonly instanceId: string;
  readonly changelog: Changelog;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly random: Pick<Random, 'id'>;
  readonly logger: Logger;
  readonly producerSilenceMs: number;
  readonly policy?: Partial<PartitionPolicy>;
  readonly commitPolicy?: Partial<CommitPolicy>;
  /** Partitions that are worked on in this thread; default 1. */
  readonly loopsInThread?: () => number;
  /** As of `RunLoopOptions`. */
  readonly nextTurn?: () => Promise<void>;
  openStore(): Promise<StateStore>;
  /** Puts the closed store out of the way, so that the next {@link openStore} finds none. */
  setStoreAside(reason: Error): Promise<void>;
  /** A reader of the partition of the log. Each is closed again. */
  openLogReader(): Promise<LogReader>;
  /** Keeps dead letters; throws an outage (`LogUnavailable`) to be called again. The same ones may come twice. */
  sendDeadLetters(partition: number, letters: readonly DeadLetter[]): Promise<void>;
  /** Says of errors that the worker does not know whether they mean that the store's bytes are damaged. */
  isStoreDamage(error: unknown): boolean;
  /** Called with each change of state and each bit of progress. */
  onStatus(status: PartitionStatus): void;
  /** Called when the store of this owner has a commit, in order; the rows are absolute values. */
  onCommit(commit: TaskCommit): void;
  onFlush?(flush: FlushFigures): void;
}

export interface PartitionPolicy extends FlushPolicy, ReplicaPolicy {
  /** After a fence: how long to leave the partition alone before taking it over again, if that is still wished. */
  readonly fencedRestMs: number;
  /** A store may be set aside this often within `rebuildsWithinMs`; then a person is needed. */
  readonly rebuildsMax: number;
  readonly rebuildsWithinMs: number;
}

export const defaultPartitionPolicy: PartitionPolicy = {
  flushIntervalMs: 1_000,
  flushRowsMax: 50_000,
  flushBytesMax: 16 * 1024 * 1024,
  gatheredRowsMax: 100_000,
  gatheredBytesMax: 32 * 1024 * 1024,
  endCheckIntervalMs: 60_000,
  lastFlushMs: 5_000,
  retryFirstMs: 100,
  retryMaxMs: 10_000,
  readBytes: 1024 * 1024,
  waitMs: 250,
  staleTrustMs: 3 * 60 * 60_000,
  fencedRestMs: 10_000,
  rebuildsMax: 2,
  rebuildsWithinMs: 60 * 60_000,
};

/**
 * `idle`: nothing was wished yet. `fenced`: another owner came; taken over again after a rest if still wished. `resting`: the disk or the
 * brokers fail, tried again. `halted`: needs a person; `reason` says what, and the next wish tries again.
 */
export type PartitionState =
  | 'idle'
  | 'standby'
  | 'taking-over'
  | 'running'
  | 'fenced'
  | 'resting'
  | 'halted'
  | 'stopped';

export interface PartitionStatus {
  readonly partition: number;
  readonly state: PartitionState;
  /** What went wrong, in `fenced`, `resting` and `halted`. */
  readonly reason: string | null;
  /** In `running`. */
  readonly task: TaskStatus | null;
  readonly writer: ChangelogWriterStatus | null;
  /** In `standby` and `taking-over`. */
  readonly replica: ReplicaStatus | null;
  /** Of the last commit. */
  readonly commitDurationMs: number | null;
}

type Wish = 'standby' | 'active' | 'stopped';

export class PartitionWorker {
  private readonly options: PartitionWorkerOptions;
  private readonly policy: PartitionPolicy;
  private readonly identity: Identity;
  private wish: Wish = 'standby';
  /** How many wishes came. */
  private wishes = 0;
  private life: Promise<void> | null = null;
  private waiting: { readonly wish: Wish; readonly resolve: () => void }[] = [];
  /** Ends what is going on, in its own way. */
  private endPhase = (): void => undefined;
  private interrupt = new Interrupt();
  private store: StateStore | null = null;
  private state: PartitionState = 'idle';
  private reason: string | null = null;
  private task: Task | null = null;
  private writer: ChangelogWriter | null = null;
  private replica: Replica | null = null;
  private loop: RunLoop | null = null;
  private commitDurationMs: number | null = null;
  private restMs: number;
  private rebuiltAtMs: number[] = [];

  constructor(options: PartitionWorkerOptions) {
    this.options = { ...options, changelog: serialAppends(options.changelog) };
    this.policy = { ...defaultPartitionPolicy, ...options.policy };
    const { logId, partition, topology } = options;
    this.identity = { logId, topology: topologyId(topology), partition };
    this.restMs = this.policy.retryFirstMs;
  }

  /** Resolves when this instance no longer writes (last commit and flush included), or when something else is wished. */
  becomeStandby(): Promise<void> {
    return this.become('standby');
  }

  /** Resolves when this instance is the owner, or when something else is wished. May take as long as an outage. */
  becomeActive(): Promise<void> {
    return this.become('active');
  }

  /** Resolves when everything is closed, after a last commit and flush. No other wish is heard any more. */
  stop(): Promise<void> {
    return this.become('stopped');
  }

  status(): PartitionStatus {
    return {
      partition: this.options.partition,
      state: this.state,
      reason: this.reason,
      task: this.task?.status() ?? null,
      writer: this.writer?.status() ?? null,
      replica: this.replica?.status() ?? null,
      commitDurationMs: this.commitDurationMs,
    };
  }

  /** The store while it is open, for reading alone. It may be closed at any moment: then reads throw. */
  openedStore(): StateStore | null {
    return this.store;
  }

  /** Reads the store at one position. Throws when it is not open. */
  async read(request: StoreRequest): Promise<StoreAnswer> {
    if (this.store === null) throw new Error(`the store of partition ${this.options.partition} is not open`);
    try {
      return await readTaskStore(this.store, request);
    } catch (error) {
      if (this.isDamage(error)) this.loop?.abort(error);
      throw error;
    }
  }

  private become(wish: Wish): Promise<void> {
    if (this.wish === 'stopped') return this.life ?? Promise.resolve();
    const isNew = wish !== this.wish || this.life === null;
    this.wish = wish;
    this.wishes++;
    if (isNew) for (const { resolve } of this.waiting.splice(0)) resolve();
    const reached = new Promise<void>((resolve) => {
      this.waiting.push({ wish, resolve });
    });
    if (this.life === null) this.life = this.live();
    else if (isNew || this.isAtRest()) this.endPhase();
    else if (this.isReached(wish)) this.tellReached(wish);
    return wish === 'stopped' ? this.life : reached;
  }

  private isAtRest(): boolean {
    return this.state === 'fenced' || this.state === 'resting' || this.state === 'halted';
  }

  private isReached(wish: Wish): boolean {
    return wish === 'standby' ? this.state === 'standby' : this.state === 'running';
  }

  private tellReached(wish: Wish): void {
    for (const waiter of this.waiting) if (waiter.wish === wish) waiter.resolve();
    this.waiting = this.waiting.filter((waiter) => waiter.wish !== wish);
  }

  private async live(): Promise<void> {
    while (this.wish !== 'stopped') {
      const { wishes } = this;
      this.interrupt = new Interrupt();
      this.endPhase = () => this.interrupt.request();
      try {
        await this.liveAsWished();
      } catch (error) {
        if (!(error instanceof Interrupted)) await this.recoverFrom(error as Error, wishes);
      }
    }
    await this.closeStore();
    this.enter('stopped');
    this.tellReached('stopped');
  }

  private async liveAsWished(): Promise<void> {
    const { identity, options, policy, retry } = this.phase();
    // From here on nothing of an earlier phase writes.
    if (this.wish === 'standby') {
      this.enter('standby');
      this.tellReached('standby');
    } else this.enter('taking-over');
    this.store ??= await options.openStore();
    const { store } = this;
    const { changelog, clock } = options;
    const onProgress = (): void => this.tell();
    const replica = await Replica.open({ identity, store, changelog, clock, retry, policy, onProgress });
    this.replica = replica;
    let tenure: Tenure;
    try {
      if (this.wish === 'standby') return await replica.follow();
      // The earlier owner goes on while a cold store is filled.
      await replica.catchUp(await retryOutages(retry, () => changelog.endOffset(identity.partition)));
      const { instanceId, openLogReader } = options;
      const barrierKey = options.random.id();
      tenure = await takeOver({ replica, identity, changelog, store, openLogReader, instanceId, barrierKey, retry });
    } finally {
      this.replica = null;
      await replica.close();
    }
    await this.runAsOwner(store, tenure);
  }

  private phase(): {
    readonly identity: Identity;
    readonly options: PartitionWorkerOptions;
    readonly policy: PartitionPolicy;
    readonly retry: RetryOptions;
  } {
    const { identity, options, policy, interrupt } = this;
    const onOutage = (error: Error): void => this.noteOutage(error);
    return { identity, options, policy, retry: { timer: options.timer, interrupt, policy, onOutage } };
  }

  private async runAsOwner(store: StateStore, tenure: Tenure): Promise<void> {
    const { identity, options, policy, retry } = this.phase();
    const { changelog, clock, timer, topology, partition, logId, producerSilenceMs } = options;
    const reader = await PatientLogReader.open(() => options.openLogReader(), retry);
    try {
      const writer = new ChangelogWriter({
        identity,
        tenure,
        store,
        changelog,
        clock,
        timer,
        policy,
        sendDeadLetters: (of, letters) => options.sendDeadLetters(of, letters),
        onFlush: (flush) => options.onFlush?.(flush),
        onOutage: (error) => this.noteOutage(error),
      });
      const onCommit = (commit: TaskCommit): void => {
        writer.add(commit);
        options.onCommit(commit);
      };
      // A reader may not know the end before it has read.
      await reader.read(tenure.resume.nextOffset, 1);
      const task = await Task.open({
        topology,
        partition,
        logId,
        store,
        logEndOffset: reader.endOffset(),
        producerSilenceMs,
        ...(options.loopsInThread === undefined ? {} : { tasksInThread: options.loopsInThread }),
        shared: { resume: tenure.resume, onCommit },
      });
      this.task = task;
      this.writer = writer;
      await this.drive(task, reader, writer);
    } finally {
      this.task = null;
      this.writer = null;
      this.loop = null;
      await reader.close();
    }
  }

  private async drive(task: Task, reader: LogReader, writer: ChangelogWriter): Promise<void> {
    const { clock, commitPolicy, loopsInThread, nextTurn } = this.options;
    const loop = new RunLoop({
      task,
      reader,
      clock,
      ...(commitPolicy === undefined ? {} : { policy: commitPolicy }),
      ...(loopsInThread === undefined ? {} : { loopsInThread }),
      ...(nextTurn === undefined ? {} : { nextTurn }),
      onCommit: (durationMs) => this.noteCommit(durationMs),
      room: () => writer.room(),
    });
    this.loop = loop;
    const reading = this.interrupt;
    this.endPhase = () => {
      loop.stop();
      reading.request();
    };
    if (reading.requested) loop.stop();
    let failure: unknown = null;
    const writing = writer.run().catch((error: unknown) => {
      failure = error;
      loop.stop();
      reading.request();
    });
    this.enter('running');
    this.tellReached('active');
    try {
      await loop.run().catch((error: unknown) => {
        if (!(error instanceof Interrupted)) throw error;
      });
      if (failure !== null) throw failure;
      await task.close();
      writer.close();
      await writing;
      if (failure !== null) throw failure;
    } catch (error) {
      writer.abandon();
      await writing;
      await task.drop();
      throw error;
    }
  }

  /** Makes another try possible, or waits for the next wish where there is no point in one. */
  private async recoverFrom(error: Error, wishes: number): Promise<void> {
    const { partition } = this.options;
    if (error instanceof Fenced) {
      this.options.logger.info(
        { partition, reason: error.message },
        'fenced: another instance took the partition over',
      );
      await this.rest('fenced', error.message, this.policy.fencedRestMs, wishes);
      return;
    }
    await this.closeStore();
    if (this.isDamage(error) && this.mayRebuild()) {
      const failure = await this.options.setStoreAside(error).then(
        () => null,
        (failed: Error) => failed,
      );
      if (failure !== null) await this.rest('resting', failure.message, this.nextRestMs(), wishes);
      else this.options.logger.warn({ err: error, partition }, 'store set aside, it is restored from the changelog');
      return;
    }
    if (isOutage(error) || isSystemError(error)) {
      // While a disk stays full, every try fails alike: it is told once.
      if (this.restMs === this.policy.retryFirstMs) {
        this.options.logger.warn({ err: error, partition }, 'the partition cannot be worked on now and is tried again');
      }
      await this.rest('resting', error.message, this.nextRestMs(), wishes);
      return;
    }
    this.options.logger.error(
      { err: error, partition },
      'the task has halted: redirects and the journal go on, the numbers do not',
    );
    await this.rest('halted', error.message, null, wishes);
  }

  private nextRestMs(): number {
    const { restMs } = this;
    this.restMs = Math.min(restMs * 2, this.policy.retryMaxMs);
    return restMs;
  }

  /** Until the time is over (null = never) or another wish comes than the `wishes` known to what failed. */
  private async rest(state: PartitionState, reason: string, durationMs: number | null, wishes: number): Promise<void> {
    const interrupt = new Interrupt();
    this.endPhase = () => interrupt.request();
    this.enter(state, reason);
    if (this.wishes !== wishes) return;
    try {
      if (durationMs === null) await interrupt.outcomeOf(new Promise<never>(() => undefined));
      else await interrupt.rest(this.options.timer, durationMs);
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
    }
  }

  private async closeStore(): Promise<void> {
    const { store } = this;
    this.store = null;
    // A store that failed may fail to close; what it had committed is what the next opening finds.
    await store?.close().catch(() => undefined);
  }

  private mayRebuild(): boolean {
    const nowMs = this.options.clock.monotonicMs();
    const { rebuildsWithinMs, rebuildsMax } = this.policy;
    this.rebuiltAtMs = this.rebuiltAtMs.filter((atMs) => nowMs - atMs < rebuildsWithinMs);
    if (this.rebuiltAtMs.length >= rebuildsMax) return false;
    this.rebuiltAtMs.push(nowMs);
    return true;
  }

  private isDamage(error: unknown): boolean {
    return error instanceof StoreDamaged || error instanceof StoreUnusable || this.options.isStoreDamage(error);
  }

  private noteCommit(durationMs: number): void {
    this.restMs = this.policy.retryFirstMs;
    this.commitDurationMs = durationMs;
    this.tell();
  }

  private noteOutage(error: Error): void {
    this.options.logger.debug({ err: error, partition: this.options.partition }, 'an outage, tried again');
  }

  private enter(state: PartitionState, reason: string | null = null): void {
    this.state = state;
    this.reason = reason;
    this.tell();
  }

  private tell(): void {
    this.options.onStatus(this.status());
  }
}

/** A disk that is full or fails is tried again; what has no code of the system or of LevelDB is a defect or needs a person. */
function isSystemError(error: unknown): boolean {
  if (error instanceof LogDamaged || error instanceof OffsetOutOfRange || error instanceof StoreLocked) return false;
  const { code } = error as { readonly code?: unknown };
  return typeof code === 'string' && /^(E[A-Z]+|LEVEL_\w+)$/.test(code);
}
