/**
 * One partition of a small cluster, seen through a bad week: instances that crash, freeze, lose their disk or believe both to be the
 * owner, a changelog that loses answers and is compacted, a Redis that is emptied. The worker's code is the real one; the seed decides
 * when each of its waits is over. Whatever happened, the end must be what a plain fold of the log gives.
 */
import type { Changelog, ChangelogRecord } from '../../src/ports/changelog.ts';
import type { LogRecord } from '../../src/ports/event-log.ts';
import type { StateStore } from '../../src/ports/state-store.ts';
import { decodeChangelogCheckpoint } from '../../src/worker/changelog-checkpoint.ts';
import { type PartitionStatus, PartitionWorker } from '../../src/worker/partition-worker.ts';
import type { TaskCommit } from '../../src/worker/task-commit.ts';
import { payloadOf, versionOf } from '../../src/worker/versioned-rows.ts';
import { Oracle } from './oracle.ts';
import { Scheduler } from './scheduler.ts';
import { type ChangelogFaults, type CompactionSettings, SimulatedChangelog } from './simulated-changelog.ts';
import { SimulatedDisk } from './simulated-disk.ts';
import { SimulatedLog } from './simulated-log.ts';
import { SimulatedProcess } from './simulated-process.ts';
import { type Begin, begin, createTallies } from './tallies.ts';

/** What can happen; a run of many seeds must have seen each of them. */
export type Happening =
  | 'killed'
  | 'disk lost'
  | 'disk rolled back'
  | 'paused'
  | 'stopped gracefully'
  | 'fenced'
  | 'two owners at once'
  | 'stale value rewritten'
  | 'stale record met by an owner'
  | 'own resend recognised'
  | 'duplicate skipped'
  | 'record skipped by version'
  | 'takeover with newer rows'
  | 'takeover with a value to rewrite'
  | 'folded anew for want of trust'
  | 'checkpoint that does not count'
  | 'compacted'
  | 'barrier taken away'
  | 'producer forgotten'
  | 'dead letter sent'
  | 'redis emptied'
  | 'outage'
  | 'night';

/** A rule of the protocol put out of force in one process: the simulation must notice. */
export interface Twist {
  readonly begin?: Begin;
  changelog?(port: Changelog): Changelog;
  store?(store: StateStore): StateStore;
  onCommit?(commit: TaskCommit): void;
  /** Instead of waiting for dead letters to be kept. */
  sendDeadLetters?(sent: Promise<void>): Promise<void>;
}

export interface Twists {
  /** Made anew for each process. */
  createTwist?(world: Simulation): Twist;
  readonly compaction?: CompactionSettings;
  /** Mostly frozen owners that come back, and networks that deliver late: where the rarer holes are. */
  readonly isHaunted?: boolean;
}

interface Instance {
  readonly name: string;
  readonly disk: SimulatedDisk;
  process: SimulatedProcess | null;
  worker: PartitionWorker | null;
  status: PartitionStatus | null;
  isRestarting: boolean;
}

export const lagMs = 120_000;
const compaction: CompactionSettings = { lagMs, tombstoneMs: 2 * lagMs };
const silenceMs = 60_000;
const quiet: ChangelogFaults = { answerLost: 0, refused: 0, late: 0, twice: 0, brokenRead: 0 };
const logId = 'log-1';

export class Simulation {
  readonly happened = new Set<Happening>();
  readonly scheduler: Scheduler;
  readonly changelog: SimulatedChangelog;
  readonly log: SimulatedLog;
  private readonly oracle = new Oracle(silenceMs);
  private readonly twists: Twists;
  private readonly instances: Instance[];
  private readonly redis = new Map<string, Buffer>();
  private readonly sequences = new Map<string, number>();
  private readonly letters = new Set<number>();
  private owner = 0;
  private eventShiftMs = 0;
  private barriers = 0;
  private starts = 0;
  private isHealed = false;
  private failure: Error | null = null;

  constructor(seed: number, twists: Twists = {}) {
    this.scheduler = new Scheduler(seed);
    const { scheduler } = this;
    this.twists = twists;
    this.log = new SimulatedLog(this.oracle);
    const level = scheduler.random.pick(twists.isHaunted === true ? [0.15] : [0, 0.03, 0.15]);
    const faults = { answerLost: level, refused: level, late: level, twice: level / 2, brokenRead: level / 10 };
    this.changelog = new SimulatedChangelog(scheduler, faults, (record) => this.checkAppended(record));
    this.instances = Array.from({ length: scheduler.between(twists.isHaunted === true ? 2 : 1, 3) }, (_, index) => ({
      name: `i${index}`,
      disk: new SimulatedDisk((key, value) => this.checkRow(key, value, 'a store')),
      process: null,
      worker: null,
      status: null,
      isRestarting: false,
    }));
  }

  async run(): Promise<ReadonlySet<Happening>> {
    const { scheduler } = this;
    const lengthMs = scheduler.random.pick([20_000, 60_000, 150_000, 400_000]);
    this.plan(lengthMs);
    for (const instance of this.instances) this.start(instance);
    await this.runUntil(() => scheduler.nowMs >= lengthMs);
    await this.heal();
    return this.happened;
  }

  private runUntil(isDone: () => boolean): Promise<void> {
    return this.scheduler.runUntil(() => {
      if (this.failure !== null) throw this.failure;
      return isDone();
    }, 40_000);
  }

  // --- what happens ---

  private plan(lengthMs: number): void {
    const { scheduler } = this;
    scheduler.after(lengthMs, () => undefined);
    const somewhen = (): number => scheduler.random.below(lengthMs);
    for (let bursts = scheduler.between(3, 14); bursts > 0; bursts--) {
      scheduler.after(somewhen(), () => this.visits());
    }
    for (let actions = scheduler.between(2, 12); actions > 0; actions--) {
      scheduler.after(somewhen(), () => this.act());
    }
    for (let times = scheduler.between(0, 3); times > 0; times--) scheduler.after(somewhen(), () => this.compact());
  }

  private act(): void {
    const { scheduler } = this;
    const instance = scheduler.random.pick(this.instances);
    const roll = scheduler.random.below(100);
    if (this.twists.isHaunted === true && scheduler.chance(0.6)) this.zombie();
    else if (roll < 18) this.moveOwnership();
    else if (roll < 30) this.zombie();
    else if (roll < 50) this.kill(instance);
    else if (roll < 65) this.pause(instance);
    else if (roll < 75) this.stopGracefully(instance);
    else if (roll < 80) this.emptyRedis();
    else if (roll < 90) this.outage();
    else if (roll < 97) this.compact();
    else this.night();
  }

  private visits(): void {
    for (let visits = this.scheduler.between(1, 5); visits > 0; visits--) this.visit();
  }

  private visit(): void {
    const { scheduler, log } = this;
    const producerId = scheduler.random.pick(['p', 'q', 'r']);
    const roll = scheduler.random.next();
    const earlier = log.records.length > 0 ? scheduler.random.pick(log.records) : undefined;
    if (roll < 0.15 && earlier !== undefined) {
      log.append(earlier);
      return;
    }
    if (roll < 0.18) this.eventShiftMs += silenceMs * 2;
    const sequence = this.sequences.get(producerId) ?? 0;
    const key = scheduler.random.pick(['a', 'b', 'c', 'd']);
    const at = Math.round(scheduler.nowMs) + this.eventShiftMs + scheduler.between(0, 999);
    const value = Buffer.from(roll > 0.97 ? 'poison' : String(at));
    const record: Omit<LogRecord, 'offset'> = { key, value, producerId, sequence };
    if (roll > 0.95 && roll <= 0.97) {
      log.append({ ...record, invalid: 'checksum' });
      return;
    }
    this.sequences.set(producerId, sequence + 1);
    log.append(record);
  }

  private start(instance: Instance): void {
    const { scheduler } = this;
    const twist = this.twists.createTwist?.(this) ?? {};
    const process = new SimulatedProcess(scheduler, `${instance.name}-${++this.starts}`);
    const port = this.changelog.portIn(process);
    const changelog = twist.changelog?.(port) ?? port;
    instance.process = process;
    instance.worker = new PartitionWorker({
      topology: createTallies(twist.begin ?? begin, () => this.happened.add('record skipped by version')),
      partition: 0,
      logId,
      instanceId: process.name,
      changelog,
      clock: process.clock,
      timer: process.timer,
      random: { id: () => `barrier-${++this.barriers}` },
      logger: silentLogger,
      producerSilenceMs: silenceMs,
      policy: {
        endCheckIntervalMs: 20_000,
        staleTrustMs: lagMs / 2,
        waitMs: 60_000,
        readBytes: 1_000,
        fencedRestMs: 8_000,
        retryMaxMs: 3_000,
        gatheredRowsMax: 4,
        flushRowsMax: 3,
      },
      commitPolicy: { waitMs: 60_000, busyIntervalMs: 30 },
      nextTurn: () => process.call(0.5, () => undefined),
      openStore: async () => {
        const store = await instance.disk.open(process);
        return twist.store?.(store) ?? store;
      },
      setStoreAside: () => process.call(5, () => instance.disk.lose()),
      openLogReader: () => this.log.openReader(process),
      sendDeadLetters: (_partition, letters) => {
        const sent = process.call(10, () => {
          this.happened.add('dead letter sent');
          for (const { offset } of letters) this.letters.add(offset);
        });
        return twist.sendDeadLetters?.(sent) ?? sent;
      },
      isStoreDamage: () => false,
      onStatus: (status) => this.noteStatus(instance, process, status),
      onCommit: (commit) => {
        twist.onCommit?.(commit);
        this.replicate(process, commit);
      },
      onFlush: ({ rewritten }) => {
        if (rewritten > 0) this.happened.add('stale value rewritten');
      },
    });
    const delayMs = this.isHealed ? 0 : scheduler.random.next() * 3_000;
    process.hear(delayMs, () => this.wish(instance, process));
  }

  private wish(instance: Instance, process: SimulatedProcess): void {
    if (instance.process !== process || instance.worker === null) return;
    const isOwner = this.instances[this.owner] === instance;
    const reached = isOwner ? instance.worker.becomeActive() : instance.worker.becomeStandby();
    reached.catch((error: Error) => this.fail(error));
  }

  private moveOwnership(): void {
    this.owner = this.scheduler.random.below(this.instances.length);
    for (const instance of this.instances) {
      const { process } = instance;
      process?.hear(this.scheduler.random.next() * 6_000, () => this.wish(instance, process));
    }
  }

  private kill(instance: Instance): void {
    const { scheduler } = this;
    if (instance.process === null) return;
    this.happened.add('killed');
    this.end(instance);
    const roll = scheduler.random.next();
    if (roll < 0.15) {
      instance.disk.lose();
      this.happened.add('disk lost');
    } else if (roll < 0.35) {
      instance.disk.rollBack(scheduler.between(1, Math.max(1, instance.disk.writeCount)));
      this.happened.add('disk rolled back');
    }
    this.restartLater(instance, scheduler.random.next() * 30_000);
  }

  private end(instance: Instance): void {
    instance.process?.kill();
    instance.process = null;
    instance.worker = null;
    instance.status = null;
  }

  private restartLater(instance: Instance, delayMs: number): void {
    if (instance.isRestarting) return;
    instance.isRestarting = true;
    this.scheduler.after(delayMs, () => {
      instance.isRestarting = false;
      const isNeeded = !this.isHealed || this.instances[this.owner] === instance;
      if (isNeeded && instance.process === null) this.start(instance);
    });
  }

  private pause(instance: Instance): void {
    if (instance.process === null) return;
    this.happened.add('paused');
    instance.process.pause(this.scheduler.random.pick([500, 3_000, 20_000, 100_000, 2 * lagMs]));
  }

  /** An owner freezes in the middle of its work; another one takes over and ends; the first goes on as if nothing had been. */
  private zombie(): void {
    const { scheduler } = this;
    const zombie = this.instances.find(({ status }) => status?.state === 'running');
    const heir = this.instances.find((instance) => instance !== zombie && instance.process !== null);
    if (zombie === undefined || heir === undefined) return;
    const frozenMs = scheduler.between(3_000, 12_000);
    this.visits();
    scheduler.after(scheduler.random.below(1_500), () => zombie.process?.pause(frozenMs));
    this.owner = this.instances.indexOf(heir);
    const { process } = heir;
    process?.hear(scheduler.random.below(2_000), () => this.wish(heir, process));
    scheduler.after(frozenMs / 2, () => this.visits());
    const absentMs = scheduler.random.pick([2_000, 20_000, lagMs * 1.3]);
    scheduler.after(frozenMs, () => {
      this.end(heir);
      if (scheduler.chance(0.5)) heir.disk.lose();
      this.restartLater(heir, absentMs);
    });
    if (absentMs < lagMs) return;
    scheduler.after(frozenMs + 10_000, () => {
      this.end(zombie);
      if (scheduler.chance(0.7)) zombie.disk.lose();
      this.restartLater(zombie, absentMs);
    });
    scheduler.after(frozenMs + lagMs * 1.2, () => this.compact(true));
  }

  private stopGracefully(instance: Instance): void {
    const { process, worker } = instance;
    if (process === null || worker === null) return;
    const stop = async (): Promise<void> => {
      await worker.stop();
      this.happened.add('stopped gracefully');
      if (instance.process !== process) return;
      this.end(instance);
      this.restartLater(instance, 2_000);
    };
    process.hear(0, () => stop().catch((error: Error) => this.fail(error)));
  }

  private emptyRedis(): void {
    this.happened.add('redis emptied');
    this.redis.clear();
  }

  private outage(): void {
    this.happened.add('outage');
    const { changelog, log, scheduler } = this;
    changelog.isDown = true;
    log.isDown = scheduler.chance(0.5);
    scheduler.after(scheduler.between(100, 20_000), () => {
      changelog.isDown = false;
      log.isDown = false;
    });
  }

  /** Nobody is there for longer than compaction waits. */
  private night(): void {
    this.happened.add('night');
    const wakeUpMs = lagMs * 1.3;
    for (const instance of this.instances) {
      this.end(instance);
      if (this.scheduler.chance(0.3)) instance.disk.lose();
      this.restartLater(instance, wakeUpMs);
    }
    this.scheduler.after(lagMs * 1.2, () => this.compact());
  }

  private compact(everything = false): void {
    const before = this.changelog.compacted;
    this.changelog.compact(this.twists.compaction ?? compaction, everything);
    if (this.changelog.compacted > before) this.happened.add('compacted');
  }

  private replicate(process: SimulatedProcess, commit: TaskCommit): void {
    if (commit.counts.duplicates > 0) this.happened.add('duplicate skipped');
    if ([...commit.watermarks.values()].includes(null)) this.happened.add('producer forgotten');
    process
      .call(50, () => {
        for (const [key, value] of commit.rows) this.pushToRedis(key, Buffer.from(value));
      })
      .catch((error: Error) => this.fail(error));
  }

  private pushToRedis(key: string, value: Buffer): void {
    this.checkRow(key, value, 'Redis');
    const held = this.redis.get(key);
    if (held === undefined || versionOf(held) < versionOf(value)) this.redis.set(key, value);
  }

  // --- what must be so, always ---

  private noteStatus(instance: Instance, process: SimulatedProcess, status: PartitionStatus): void {
    if (instance.process !== process) return;
    const before = instance.status;
    instance.status = status;
    if (status.state === 'halted') this.fail(new Error(`${process.name} has halted: ${status.reason}`));
    if (status.state === 'fenced') this.happened.add('fenced');
    if ((status.writer?.ownResends ?? 0) > 0) this.happened.add('own resend recognised');
    if ((status.writer?.staleRecords ?? 0) > 0) this.happened.add('stale record met by an owner');
    if (status.state !== 'running' || before?.state === 'running') return;
    if (this.instances.filter((other) => other.status?.state === 'running').length > 1) {
      this.happened.add('two owners at once');
    }
    const openedAt = status.task?.openedAtOffset ?? 0;
    const isAhead = instance.disk
      .entries()
      .some(([key, value]) => !key.startsWith('!') && versionOf(value) >= openedAt);
    if (isAhead) this.happened.add('takeover with newer rows');
    if (instance.disk.entries().some(([key]) => key.startsWith('!s/')))
      this.happened.add('takeover with a value to rewrite');
    const kept = instance.disk.get('!changelog-checkpoint');
    if (kept !== undefined && (decodeChangelogCheckpoint(kept)?.nextOffset ?? 0) > openedAt) {
      this.happened.add('folded anew for want of trust');
    }
  }

  private checkAppended(record: ChangelogRecord): void {
    if (record.kind === 'row' && record.value !== null) this.checkRow(record.key, record.value, 'the changelog');
    if (record.kind === 'barrier' && record.value === null) this.happened.add('barrier taken away');
    if (record.kind !== 'checkpoint') return;
    const checkpoint = record.value === null ? undefined : decodeChangelogCheckpoint(record.value);
    if (checkpoint === undefined) throw this.fail(new Error('a checkpoint that cannot be read'));
    if (checkpoint.standsAt !== record.offset) this.happened.add('checkpoint that does not count');
    this.checkKnowledge(
      checkpoint.nextOffset,
      checkpoint.streamTimeMs,
      checkpoint.watermarks,
      checkpoint.counts.folded,
    );
    for (let offset = 0; offset < checkpoint.nextOffset; offset++) {
      const isLetter = this.isDeadLetter(offset);
      if (isLetter && !this.letters.has(offset)) {
        this.fail(new Error(`the record at ${offset} is before a checkpoint, but not among the dead letters`));
      }
    }
  }

  private isDeadLetter(offset: number): boolean {
    const record = this.log.records[offset] as LogRecord;
    if (record.invalid !== undefined) return true;
    const { folded } = this.oracle.at(offset);
    const isNew = record.value.toString() === 'poison' && this.oracle.at(offset + 1).folded === folded;
    const watermark = this.oracle.at(offset).watermarks[record.producerId];
    return isNew && (watermark === undefined || watermark[0] < record.sequence);
  }

  private checkKnowledge(
    nextOffset: number,
    streamTimeMs: number,
    watermarks: ReadonlyMap<string, readonly [number, number]>,
    folded: number,
  ): void {
    const point = this.oracle.at(nextOffset);
    const alive = [...watermarks].filter(([, [, lastSeenMs]]) => streamTimeMs - lastSeenMs <= silenceMs);
    const told = JSON.stringify([streamTimeMs, Object.fromEntries(alive.sort(([a], [b]) => (a < b ? -1 : 1)))]);
    const right = JSON.stringify([point.streamTimeMs, point.watermarks]);
    if (told !== right) this.fail(new Error(`watermarks at ${nextOffset} are ${told}, must be ${right}`));
    if (folded !== point.folded) this.fail(new Error(`${folded} folded before ${nextOffset}, must be ${point.folded}`));
  }

  private checkRow(key: string, value: Buffer, where: string): void {
    const text = payloadOf(value).toString('latin1');
    const right = this.oracle.valueAt(key, versionOf(value));
    if (text !== right) this.fail(new Error(`${where} has ${key}@${versionOf(value)} = ${text}, must be ${right}`));
  }

  private fail(error: Error): Error {
    this.failure ??= error;
    return error;
  }

  // --- how it must end ---

  private async heal(): Promise<void> {
    const { scheduler, changelog, log } = this;
    this.isHealed = true;
    changelog.faults = quiet;
    changelog.isDown = false;
    log.isDown = false;
    this.owner = scheduler.random.below(this.instances.length);
    for (const [index, instance] of this.instances.entries()) {
      const { process } = instance;
      process?.endPause();
      const isOwner = index === this.owner;
      if (process !== null && scheduler.chance(0.5)) process.hear(0, () => this.wish(instance, process));
      else {
        this.end(instance);
        if (isOwner) this.start(instance);
      }
    }
    const owner = this.instances[this.owner] as Instance;
    const isSettled = (): boolean => {
      const status = owner.worker?.status();
      return (
        status?.state === 'running' &&
        status.writer?.checkpointOffset === log.records.length &&
        status.writer.rewrite === 0
      );
    };
    // Until everything that was on its way has come and was looked at.
    const quietFromMs = scheduler.nowMs + 70_000;
    scheduler.after(quietFromMs - scheduler.nowMs, () => undefined);
    await this.runUntil(() => scheduler.nowMs >= quietFromMs && isSettled());
    let isStopped = false;
    const stop = async (): Promise<void> => {
      await owner.worker?.stop();
      isStopped = true;
    };
    owner.process?.hear(0, () => stop().catch((error: Error) => this.fail(error)));
    await this.runUntil(() => isStopped);
    this.checkEnd(owner);
    // Whatever compaction still takes away, the changelog alone must give the same.
    this.scheduler.nowMs += 3 * lagMs;
    this.compact(true);
    this.checkReplay('the compacted changelog');
    if (scheduler.chance(0.3)) await this.checkFreshInstance();
  }

  private checkEnd(owner: Instance): void {
    const rows = owner.disk.entries().filter(([key]) => !key.startsWith('!'));
    this.checkRows(new Map(rows), 'the store');
    this.checkReplay('the changelog');
    for (const [key, value] of rows) this.pushToRedis(key, value);
    this.checkRows(this.redis, 'Redis');
    if (this.failure !== null) throw this.failure;
  }

  private checkReplay(where: string): void {
    const rows = new Map<string, Buffer>();
    let last: ChangelogRecord | null = null;
    for (const record of this.changelog.records) {
      if (record.kind === 'checkpoint') last = record;
      if (record.kind !== 'row' || record.value === null) continue;
      const held = rows.get(record.key);
      if (held === undefined || versionOf(held) < versionOf(record.value)) rows.set(record.key, record.value);
    }
    this.checkRows(rows, where);
    const checkpoint = last?.value === null || last === null ? undefined : decodeChangelogCheckpoint(last.value);
    if (checkpoint?.standsAt !== last?.offset) throw new Error(`the last checkpoint of ${where} does not count`);
    if (checkpoint?.nextOffset !== this.log.records.length) {
      throw new Error(`the last checkpoint of ${where} is at ${checkpoint?.nextOffset}`);
    }
  }

  private checkRows(rows: ReadonlyMap<string, Buffer>, where: string): void {
    const found = [...rows]
      .map(([key, value]) => `${key}@${versionOf(value)}=${payloadOf(value).toString('latin1')}`)
      .sort();
    const right = [...this.oracle.rows()].map(([key, [version, text]]) => `${key}@${version}=${text}`).sort();
    if (found.join() !== right.join())
      throw new Error(`${where} holds ${found.join(' ')}, must hold ${right.join(' ')}`);
  }

  private async checkFreshInstance(): Promise<void> {
    const fresh: Instance = {
      name: 'fresh',
      disk: new SimulatedDisk((key, value) => this.checkRow(key, value, 'a fresh store')),
      process: null,
      worker: null,
      status: null,
      isRestarting: false,
    };
    for (const instance of this.instances) this.end(instance);
    this.instances.splice(0, this.instances.length, fresh);
    this.owner = 0;
    this.start(fresh);
    await this.runUntil(() => fresh.worker?.status().writer?.checkpointOffset === this.log.records.length);
    this.checkRows(
      new Map(fresh.disk.entries().filter(([key]) => !key.startsWith('!'))),
      'the store of a fresh instance',
    );
    if (this.failure !== null) throw this.failure;
  }
}

const silentLogger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};
