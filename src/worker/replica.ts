/**
 * A standby: follows the changelog of one partition into a store, so that a takeover finds it warm. Rows are applied by version, so
 * the order, repetition and staleness of what it reads do not matter; what it learns about owners and stale values is kept in the
 * same batch as the rows (docs/decisions/0019). It writes nothing to the changelog.
 */
import type { Changelog, ChangelogRecord } from '../ports/changelog.ts';
import type { Clock } from '../ports/clock.ts';
import { OffsetOutOfRange } from '../ports/event-log.ts';
import type { StateStore } from '../ports/state-store.ts';
import { type ChangelogCheckpoint, decodeBarrier, decodeChangelogCheckpoint } from './changelog-checkpoint.ts';
import {
  type ChangelogPosition,
  decodePosition,
  encodePosition,
  type Identity,
  isSameIdentity,
  keptCheckpointKey,
  positionKey,
  type StaleMark,
  staleKeyPrefix,
} from './changelog-position.ts';
import { type ChangelogRead, ChangelogSource } from './changelog-source.ts';
import { checkpointKey, encodeCheckpoint, readableOffset } from './checkpoint.ts';
import { type RetryOptions, retryOutages } from './retry.ts';
import { StoreUnusable } from './task.ts';
import { versionBytes, versionOf } from './versioned-rows.ts';
import { WrittenKeys } from './written-keys.ts';

export interface ReplicaOptions {
  /** Whose changelog it must be. */
  readonly identity: Identity;
  /** Stays the caller's to close. */
  readonly store: StateStore;
  readonly changelog: Changelog;
  readonly clock: Clock;
  readonly retry: RetryOptions;
  readonly policy: ReplicaPolicy;
  /** Called after each batch that was written. */
  onProgress?(status: ReplicaStatus): void;
}

export interface ReplicaPolicy {
  /** Read, and write in one batch, at most about this much. */
  readonly readBytes: number;
  /** Longest wait for new records. */
  readonly waitMs: number;
  /**
   * A record younger than this cannot have made compaction take away another one yet. At most half of the topic's
   * `min.compaction.lag.ms`, so that clocks may differ by the other half.
   */
  readonly staleTrustMs: number;
}

export interface ReplicaStatus {
  /** Of the changelog: every record before it is applied. */
  readonly nextOffset: number;
  readonly endOffset: number;
  /** Records, holes included, that are still to be applied. */
  readonly lag: number;
  /** Of the log: every record before it is in the rows. 0 without a checkpoint. */
  readonly checkpointOffset: number;
  readonly streamTimeMs: number;
  readonly damagedRecords: number;
  /** Records that no owner wrote; they were skipped. */
  readonly foreignRecords: number;
}

/** The changelog holds rows of another log or topology. Needs a person: the topics do not belong together. */
export class ChangelogForeign extends Error {
  override readonly name = 'ChangelogForeign';
}

const staleKeysReadMax = 10_000;

export class Replica {
  private readonly options: ReplicaOptions;
  private readonly written: WrittenKeys | null;
  private readonly stale: Map<string, StaleMark>;
  private position: ChangelogPosition;
  private kept: ChangelogCheckpoint | null;
  private readonly source: ChangelogSource;
  private foreignRecords = 0;
  /** The changelog's end when the replica was opened: a reader may not know it before it has read. */
  private readonly firstEndOffset: number;

  private constructor(
    options: ReplicaOptions,
    source: ChangelogSource,
    firstEndOffset: number,
    position: ChangelogPosition,
    kept: ChangelogCheckpoint | null,
    stale: Map<string, StaleMark>,
    written: WrittenKeys | null,
  ) {
    this.options = options;
    this.source = source;
    this.firstEndOffset = firstEndOffset;
    this.position = position;
    this.kept = kept;
    this.stale = stale;
    this.written = written;
  }

  /** Goes on where the store stands, or begins in an empty one. Throws {@link StoreUnusable}, `Interrupted`. */
  static async open(options: ReplicaOptions): Promise<Replica> {
    const { store, identity } = options;
    const position = await readPosition(store, identity);
    const kept = position === null || position.checkpointEpoch < 0 ? null : readKeptCheckpoint(store);
    const stale = await readStaleKeys(store);
    const { changelog, retry } = options;
    const { partition } = identity;
    const endOffset = await retryOutages(retry, () => changelog.endOffset(partition));
    const source = await ChangelogSource.open(changelog, partition, retry);
    const startOffset = source.startOffset();
    if (position === null) {
      const empty = emptyPosition(identity, startOffset);
      return new Replica(options, source, endOffset, empty, null, stale, new WrittenKeys());
    }
    if (position.nextOffset >= startOffset) {
      return new Replica(options, source, endOffset, position, kept, stale, null);
    }
    await source.close();
    throw new StoreUnusable(`the changelog begins at ${startOffset}, the store knows it up to ${position.nextOffset}`);
  }

  /** Applies what there is and what comes; ends by `Interrupted`. */
  async follow(): Promise<never> {
    for (;;) await this.applyNext();
  }

  /** Applies everything before `endOffset`, which must be in the changelog. */
  async catchUp(endOffset: number): Promise<void> {
    while (this.position.nextOffset < endOffset) await this.applyNext();
  }

  status(): ReplicaStatus {
    const { nextOffset, damagedRecords } = this.position;
    const endOffset = Math.max(this.source.endOffset(), this.firstEndOffset, nextOffset);
    return {
      nextOffset,
      endOffset,
      lag: endOffset - nextOffset,
      checkpointOffset: this.kept?.nextOffset ?? 0,
      streamTimeMs: this.kept?.streamTimeMs ?? 0,
      damagedRecords,
      foreignRecords: this.foreignRecords,
    };
  }

  /** What a takeover needs to know of the changelog up to here. */
  findings(): ReplicaFindings {
    return { position: this.position, checkpoint: this.kept, stale: this.stale };
  }

  async close(): Promise<void> {
    await this.source.close();
  }

  /** Applies what can be read next, or waits for it a while. */
  private async applyNext(): Promise<void> {
    this.options.retry.interrupt.throwIfRequested();
    const { readBytes, waitMs } = this.options.policy;
    const from = this.position.nextOffset;
    const { records, nextOffset } = await this.read(from, readBytes);
    if (nextOffset === from) {
      await this.source.waitFor(from, waitMs);
      return;
    }
    await this.apply(records, nextOffset);
    this.options.onProgress?.(this.status());
  }

  private async read(from: number, readBytes: number): Promise<ChangelogRead> {
    try {
      return await this.source.read(from, readBytes);
    } catch (error) {
      if (error instanceof OffsetOutOfRange)
        throw new StoreUnusable(`the changelog has lost its end: ${error.message}`);
      throw error;
    }
  }

  private async apply(records: readonly ChangelogRecord[], nextOffset: number): Promise<void> {
    const next = new Application(this.options, this.position, this.kept, this.stale);
    const keys = records.filter(isRow).map(({ key }) => key);
    next.know(await this.versionsOf(keys));
    for (const record of records) next.take(record);

    const { store } = this.options;
    const batch = store.batch();
    for (const [key, { value }] of next.rows) batch.put(key, value);
    for (const [key, mark] of next.marks) {
      if (mark === null) batch.delete(staleKeyPrefix + key);
      else batch.put(staleKeyPrefix + key, mark);
    }
    const position: ChangelogPosition = { ...next.position(), nextOffset };
    batch.put(positionKey, encodePosition(position));
    const { checkpoint, checkpointBytes } = next;
    if (checkpoint !== null && checkpointBytes !== null) {
      batch.put(keptCheckpointKey, checkpointBytes);
      if (checkpoint.nextOffset > readableOffset(store)) {
        const { watermarks: _, ...readable } = checkpoint;
        batch.put(checkpointKey, encodeCheckpoint(readable));
      }
    }
    await batch.write();

    for (const key of next.rows.keys()) this.written?.add(key);
    for (const [key, mark] of next.marks) {
      if (mark === null) this.stale.delete(key);
      else this.stale.set(key, mark);
    }
    this.position = position;
    this.kept = checkpoint;
    this.foreignRecords += next.foreignRecords;
  }

  /** Versions that the store holds of these keys; keys that it does not hold are left out. */
  private async versionsOf(keys: readonly string[]): Promise<Map<string, number>> {
    const asked = [...new Set(keys)].filter((key) => this.written === null || this.written.mayHold(key));
    const versions = new Map<string, number>();
    if (asked.length === 0) return versions;
    const values = await this.options.store.getMany(asked);
    for (const [index, key] of asked.entries()) {
      const value = values[index];
      if (value !== undefined) versions.set(key, versionOf(value));
    }
    return versions;
  }
}

export interface ReplicaFindings {
  readonly position: ChangelogPosition;
  /** The last one that stands where its owner expected it; null = none. */
  readonly checkpoint: ChangelogCheckpoint | null;
  readonly stale: ReadonlyMap<string, StaleMark>;
}

/** What a run of records changes: gathered, then written in one batch. */
class Application {
  readonly rows = new Map<string, { readonly version: number; readonly value: Buffer }>();
  readonly marks = new Map<string, StaleMark | null>();
  checkpoint: ChangelogCheckpoint | null;
  checkpointBytes: Buffer | null = null;
  foreignRecords = 0;
  private readonly options: ReplicaOptions;
  private readonly before: ChangelogPosition;
  private readonly stale: ReadonlyMap<string, StaleMark>;
  private readonly barriers: Map<string, number>;
  private versions: Map<string, number> = new Map();
  private epoch: number;
  private checkpointEpoch: number;
  private checkpointSend: number;
  private isWarm: boolean;
  private highestVersion: number;
  private damagedRecords: number;

  constructor(
    options: ReplicaOptions,
    before: ChangelogPosition,
    checkpoint: ChangelogCheckpoint | null,
    stale: ReadonlyMap<string, StaleMark>,
  ) {
    this.options = options;
    this.before = before;
    this.checkpoint = checkpoint;
    this.stale = stale;
    this.barriers = new Map(before.barriers);
    this.epoch = before.epoch;
    this.checkpointEpoch = before.checkpointEpoch;
    this.checkpointSend = before.checkpointSend;
    this.isWarm = before.isWarm;
    this.highestVersion = before.highestVersion;
    this.damagedRecords = before.damagedRecords;
  }

  know(versions: Map<string, number>): void {
    this.versions = versions;
  }

  take(record: ChangelogRecord): void {
    if (record.invalid !== undefined) {
      if (record.epoch < 0) this.foreignRecords++;
      else this.damagedRecords++;
      return;
    }
    if (record.kind === 'barrier' && record.value !== null) {
      this.takeBarrier(record, record.value);
      return;
    }
    if (record.epoch > this.epoch) this.epoch = record.epoch;
    if (record.kind === 'barrier') this.barriers.delete(record.key);
    else if (record.kind === 'checkpoint') this.takeCheckpoint(record);
    else this.takeRow(record);
  }

  position(): Omit<ChangelogPosition, 'nextOffset'> {
    const { before, epoch, checkpointEpoch, checkpointSend, isWarm, highestVersion, damagedRecords } = this;
    const barriers = [...this.barriers];
    return { ...before, epoch, checkpointEpoch, checkpointSend, isWarm, highestVersion, damagedRecords, barriers };
  }

  private takeBarrier(record: ChangelogRecord, value: Buffer): void {
    const barrier = decodeBarrier(value);
    if (barrier === undefined) {
      this.foreignRecords++;
      return;
    }
    this.assertOurs(barrier, record);
    this.barriers.set(record.key, record.offset);
    if (record.offset > this.epoch) this.epoch = record.offset;
  }

  /** Its owner had looked at everything before it: so of each key the last value before it is believed, and is new enough. */
  private takeCheckpoint(record: ChangelogRecord): void {
    const checkpoint = record.value === null ? undefined : decodeChangelogCheckpoint(record.value);
    if (checkpoint === undefined || record.value === null) {
      this.foreignRecords++;
      return;
    }
    this.assertOurs(checkpoint, record);
    if (checkpoint.standsAt !== record.offset) return;
    this.checkpoint = checkpoint;
    this.checkpointBytes = record.value;
    this.checkpointEpoch = record.epoch;
    this.checkpointSend = record.send;
    this.isWarm = this.isYoung(record);
    for (const key of [...this.stale.keys(), ...this.marks.keys()]) this.marks.set(key, null);
  }

  private takeRow(record: ChangelogRecord): void {
    const { key, value } = record;
    if (value === null || value.length < versionBytes) {
      this.foreignRecords++;
      return;
    }
    const version = versionOf(value);
    const held = this.rows.get(key)?.version ?? this.versions.get(key) ?? -1;
    if (version > this.highestVersion) this.highestVersion = version;
    if (version > held) this.rows.set(key, { version, value });
    if (!this.isStale(record)) this.setMark(key, null);
    else if (this.mayHide(record)) this.setMark(key, 'untrusted');
    else if (this.markOf(key) !== 'untrusted') this.setMark(key, version < held ? 'behind' : null);
  }

  /**
   * May compaction have taken away, for the sake of this stale record, a newer value that the store never saw? Versions do not tell: what
   * the store holds may itself be from before.
   */
  private mayHide(record: ChangelogRecord): boolean {
    return !this.isWarm && !this.isYoung(record);
  }

  /** Sent before the checkpoint, but standing behind it. */
  private isStale({ epoch, send }: ChangelogRecord): boolean {
    return epoch < this.checkpointEpoch || (epoch === this.checkpointEpoch && send < this.checkpointSend);
  }

  private isYoung({ appendedAtMs }: ChangelogRecord): boolean {
    if (appendedAtMs === undefined) return false;
    return this.options.clock.nowMs() - appendedAtMs < this.options.policy.staleTrustMs;
  }

  private markOf(key: string): StaleMark | null {
    const mark = this.marks.get(key);
    return mark === undefined ? (this.stale.get(key) ?? null) : mark;
  }

  private setMark(key: string, mark: StaleMark | null): void {
    if (mark !== null || this.stale.has(key) || this.marks.has(key)) this.marks.set(key, mark);
  }

  private assertOurs(theirs: Identity, record: ChangelogRecord): void {
    if (isSameIdentity(theirs, this.options.identity)) return;
    throw new ChangelogForeign(
      `the ${record.kind} at ${record.offset} of the changelog is of ${theirs.topology} over log ${theirs.logId}, partition ${theirs.partition}`,
    );
  }
}

function isRow(record: ChangelogRecord): boolean {
  return record.kind === 'row' && record.invalid === undefined;
}

function emptyPosition(identity: Identity, nextOffset: number): ChangelogPosition {
  const { logId, topology, partition } = identity;
  const none = { epoch: -1, barriers: [], checkpointEpoch: -1, checkpointSend: -1, isWarm: false, highestVersion: -1 };
  return { logId, topology, partition, nextOffset, ...none, damagedRecords: 0 };
}

async function readPosition(store: StateStore, identity: Identity): Promise<ChangelogPosition | null> {
  const bytes = store.getSync(positionKey);
  if (bytes === undefined) {
    const [entry] = await store.range({ gte: '', limit: 1 });
    if (entry !== undefined) throw new StoreUnusable('it was not restored from a changelog');
    return null;
  }
  const position = decodePosition(bytes);
  if (position === undefined) throw new StoreUnusable('its position in the changelog cannot be read');
  if (!isSameIdentity(position, identity)) {
    const { topology, logId, partition } = position;
    throw new StoreUnusable(`it is of ${topology} over log ${logId}, partition ${partition}`);
  }
  return position;
}

function readKeptCheckpoint(store: StateStore): ChangelogCheckpoint {
  const bytes = store.getSync(keptCheckpointKey);
  const checkpoint = bytes === undefined ? undefined : decodeChangelogCheckpoint(bytes);
  if (checkpoint === undefined) throw new StoreUnusable('the checkpoint that it keeps cannot be read');
  return checkpoint;
}

async function readStaleKeys(store: StateStore): Promise<Map<string, StaleMark>> {
  const stale = new Map<string, StaleMark>();
  let after: string = staleKeyPrefix;
  for (;;) {
    const rows = await store.range({ gt: after, lt: '!s0', limit: staleKeysReadMax });
    for (const [key, value] of rows) {
      stale.set(key.slice(staleKeyPrefix.length), Buffer.from(value).toString('latin1') as StaleMark);
    }
    if (rows.length < staleKeysReadMax) return stale;
    after = rows[rows.length - 1]?.[0] ?? after;
  }
}
