/**
 * The tasks of one instance among many: does what the group's plan says, keeps a worker for each partition that is ours or that
 * we stand by for, lets Redis follow what is ours, answers reads. Knows no thread: it is given a way to send and called with
 * what comes.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { RedisFollower } from '../adapters/redis/redis-follower.ts';
import { VisitorSketchMalformed } from '../domain/visitor-sketch.ts';
import type { Changelog } from '../ports/changelog.ts';
import type { Clock } from '../ports/clock.ts';
import type { EventLog } from '../ports/event-log.ts';
import type { Logger } from '../ports/logger.ts';
import type { Random } from '../ports/random.ts';
import type { StateStore } from '../ports/state-store.ts';
import type { TaskAssignment } from '../ports/task-ownership.ts';
import type { StoreAnswer, StoreRequest } from '../ports/task-stores.ts';
import type { Timer } from '../ports/timer.ts';
import { visitStatistics } from '../projections/visit-statistics.ts';
import { RowMalformed } from '../serde/varint.ts';
import { type PartitionStatus, PartitionWorker } from '../worker/partition-worker.ts';
import type { DeadLetter } from '../worker/task-commit.ts';
import type { FromGroupWorkerThread, ToGroupWorkerThread } from './group-worker-messages.ts';

export interface GroupWorkerOptions {
  readonly dataDir: string;
  readonly instanceId: string;
  readonly log: EventLog;
  readonly changelog: Changelog;
  /** Begins to join the group. */
  readonly openMembership: (callbacks: MembershipCallbacks) => Membership;
  /** Makes the follower, which reads the stores of our tasks through `stores`. */
  readonly createFollower: (stores: OpenStores) => RedisFollower;
  readonly sendDeadLetters: (partition: number, letters: readonly DeadLetter[]) => Promise<void>;
  readonly openStore: (folder: string) => Promise<StateStore>;
  /** Renames a store's folder out of the way and returns its new name. */
  readonly setAside: (folder: string) => Promise<string>;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly random: Random;
  readonly logger: Logger;
  readonly send: (message: FromGroupWorkerThread) => void;
}

export interface MembershipCallbacks {
  readonly taskLags: () => ReadonlyMap<number, number>;
  readonly onAssignment: (assignment: TaskAssignment) => void;
  readonly onLost: () => void;
}

export interface Membership {
  commitForDisplay(nextOffsets: ReadonlyMap<number, number>): Promise<void>;
  close(): Promise<void>;
}

/** The store of a partition that this instance has a worker for, while it is open. */
export type OpenStores = (partition: number) => StateStore | null;

/** 35 days: longer than any journal is resent. */
const producerSilenceMs = 35 * 24 * 60 * 60_000;
/** Statuses of a partition that changes all the time are told this often. */
const statusIntervalMs = 100;
const displayIntervalMs = 5_000;
/** How long stores from before may take to say how far behind they are, before the group is joined. */
const warmUpMaxMs = 3_000;
const lastPushMaxMs = 1_000;

export class GroupWorker {
  private readonly options: GroupWorkerOptions;
  private readonly workers = new Map<number, PartitionWorker>();
  /** Workers that are on their way out, by partition. */
  private readonly leaving = new Map<number, Promise<void>>();
  private readonly followed = new Set<number>();
  private readonly follower: RedisFollower;
  private readonly toldAtMs = new Map<number, number>();
  private readonly toldStates = new Map<number, string>();
  private readonly tellLater = new Map<number, () => void>();
  private wanted: TaskAssignment = { active: [], standby: [] };
  private membership: Membership | null = null;
  private stopping = false;
  private endRun = (): void => undefined;

  constructor(options: GroupWorkerOptions) {
    this.options = options;
    this.follower = options.createFollower((partition) => this.workers.get(partition)?.openedStore() ?? null);
  }

  /** Resolves when {@link receive} was told to stop, every task is closed and the group left. */
  async run(): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      this.endRun = resolve;
    });
    await this.warmUp();
    const display = setInterval(() => this.commitForDisplay(), displayIntervalMs);
    if (!this.stopping) {
      this.membership = this.options.openMembership({
        taskLags: () => this.taskLags(),
        onAssignment: (assignment) => this.take(assignment),
        onLost: () => undefined,
      });
    }
    await ended;
    clearInterval(display);
    await this.close();
    this.options.send({ type: 'stopped' });
  }

  receive(message: ToGroupWorkerThread): void {
    if (message.type === 'stop') {
      this.stopping = true;
      this.endRun();
      return;
    }
    const { id, request } = message;
    this.read(request).then(
      (answer) => this.options.send({ type: 'answer', id, answer }),
      (error: Error) => this.options.send({ type: 'failure', id, message: error.message }),
    );
  }

  private async read(request: StoreRequest): Promise<StoreAnswer> {
    const worker = this.workers.get(request.partition);
    if (worker === undefined) throw new Error(`this instance does not have task ${request.partition}`);
    return worker.read(request);
  }

  /** Stores that an earlier process left are followed before the group is joined, so that its plan can count on them. */
  private async warmUp(): Promise<void> {
    const stores = join(this.options.dataDir, 'stores');
    const partitions = existsSync(stores) ? readdirSync(stores).map(partitionOfFolder) : [];
    const known = partitions.filter((partition) => partition !== null && partition < this.partitions()) as number[];
    for (const partition of known) void this.workerOf(partition).becomeStandby();
    const deadlineMs = this.options.clock.monotonicMs() + warmUpMaxMs;
    const isWarm = (partition: number): boolean => this.lagOf(this.workerOf(partition)) !== null;
    while (!this.stopping && !known.every(isWarm) && this.options.clock.monotonicMs() < deadlineMs) {
      await new Promise<void>((resolve) => this.options.timer.after(20, resolve));
    }
  }

  private take(assignment: TaskAssignment): void {
    if (this.stopping) return;
    this.wanted = assignment;
    const { active, standby } = assignment;
    this.options.logger.info({ active, standby }, 'the group has given this instance its tasks');
    for (const partition of this.workers.keys()) {
      if (!active.includes(partition) && !standby.includes(partition)) void this.letGo(partition);
    }
    for (const partition of active) this.wish(partition);
    for (const partition of standby) this.wish(partition);
  }

  private wish(partition: number): void {
    // It is wished again when the one before is out: what was wanted may have changed by then.
    if (this.leaving.has(partition)) return;
    if (this.wanted.active.includes(partition)) void this.workerOf(partition).becomeActive();
    else if (this.wanted.standby.includes(partition)) void this.workerOf(partition).becomeStandby();
  }

  private letGo(partition: number): Promise<void> {
    const worker = this.workers.get(partition);
    if (worker === undefined) return this.leaving.get(partition) ?? Promise.resolve();
    this.workers.delete(partition);
    this.toldStates.delete(partition);
    const left = worker.stop().finally(() => {
      this.unfollow(partition);
      this.leaving.delete(partition);
      this.options.send({ type: 'gone', partition });
      if (!this.stopping) this.wish(partition);
    });
    this.leaving.set(partition, left);
    return left;
  }

  private workerOf(partition: number): PartitionWorker {
    const known = this.workers.get(partition);
    if (known !== undefined) return known;
    const { options } = this;
    const folder = join(options.dataDir, 'stores', folderOfPartition(partition));
    const worker = new PartitionWorker({
      topology: visitStatistics,
      partition,
      logId: options.log.logId,
      instanceId: options.instanceId,
      changelog: options.changelog,
      clock: options.clock,
      timer: options.timer,
      random: options.random,
      logger: options.logger,
      producerSilenceMs,
      loopsInThread: () => Math.max(1, this.wanted.active.length),
      openStore: () => options.openStore(folder),
      setStoreAside: async (reason) => {
        const movedTo = await options.setAside(folder).catch((error: NodeJS.ErrnoException) => {
          if (error.code === 'ENOENT') return null;
          throw error;
        });
        options.logger.warn({ err: reason, partition, folder, movedTo }, 'store set aside, it is restored');
      },
      openLogReader: () => options.log.reader('visits', partition),
      sendDeadLetters: options.sendDeadLetters,
      isStoreDamage: (error) => error instanceof RowMalformed || error instanceof VisitorSketchMalformed,
      onStatus: (status) => this.note(worker, status),
      onCommit: (commit) => this.follower.commit({ ...commit, rows: new Map(commit.rows) }),
    });
    this.workers.set(partition, worker);
    return worker;
  }

  private note(worker: PartitionWorker, status: PartitionStatus): void {
    const { partition, state, task } = status;
    // A worker on its way out has been unfollowed.
    if (this.workers.get(partition) === worker) {
      if (state === 'running' && task !== null && !this.followed.has(partition)) {
        this.followed.add(partition);
        this.follower.begin(partition, { nextOffset: task.committedOffset, streamTimeMs: task.streamTimeMs });
      } else if (state !== 'running') this.unfollow(partition);
      this.tell(worker, status);
    }
  }

  private unfollow(partition: number): void {
    if (!this.followed.delete(partition)) return;
    this.follower.end(partition);
  }

  /** At once when the state has changed or nothing was told for a while, else a little later. */
  private tell(worker: PartitionWorker, status: PartitionStatus): void {
    const { partition } = status;
    const nowMs = this.options.clock.monotonicMs();
    const state = `${status.state} ${status.task?.state}`;
    const sinceMs = nowMs - (this.toldAtMs.get(partition) ?? Number.NEGATIVE_INFINITY);
    if (sinceMs >= statusIntervalMs || this.toldStates.get(partition) !== state) {
      this.toldStates.set(partition, state);
      this.tellLater.get(partition)?.();
      this.tellLater.delete(partition);
      this.toldAtMs.set(partition, nowMs);
      this.options.send({ type: 'status', status });
      return;
    }
    if (this.tellLater.has(partition)) return;
    const cancel = this.options.timer.after(statusIntervalMs, () => {
      this.tellLater.delete(partition);
      if (this.workers.get(partition) !== worker) return;
      this.toldAtMs.set(partition, this.options.clock.monotonicMs());
      this.options.send({ type: 'status', status: worker.status() });
    });
    this.tellLater.set(partition, cancel);
  }

  private taskLags(): ReadonlyMap<number, number> {
    const lags = new Map<number, number>();
    for (const [partition, worker] of this.workers) {
      const lag = this.lagOf(worker);
      if (lag !== null) lags.set(partition, lag);
    }
    return lags;
  }

  private lagOf(worker: PartitionWorker): number | null {
    const { state, replica } = worker.status();
    return state === 'running' ? 0 : (replica?.lag ?? null);
  }

  private partitions(): number {
    return this.options.log.partitions('visits');
  }

  private commitForDisplay(): void {
    const offsets = new Map<number, number>();
    for (const [partition, worker] of this.workers) {
      const { task } = worker.status();
      if (task !== null) offsets.set(partition, task.committedOffset);
    }
    if (offsets.size > 0) void this.membership?.commitForDisplay(offsets);
  }

  /** Commits and flushes first, then leaves the group: who takes over finds everything. */
  private async close(): Promise<void> {
    await this.follower.settled(lastPushMaxMs).catch(() => undefined);
    await Promise.all([...this.workers.keys()].map((partition) => this.letGo(partition)));
    await Promise.all(this.leaving.values());
    await this.membership?.close();
    await this.follower.close();
    for (const cancel of this.tellLater.values()) cancel();
  }
}

function folderOfPartition(partition: number): string {
  return `${visitStatistics.name}-${partition}`;
}

function partitionOfFolder(folder: string): number | null {
  const prefix = folderOfPartition(0).slice(0, -1);
  const number = folder.slice(prefix.length);
  return folder.startsWith(prefix) && /^\d{1,5}$/.test(number) ? Number(number) : null;
}
