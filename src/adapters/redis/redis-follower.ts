/**
 * Lets Redis follow the stores of this instance's tasks: takes each commit without holding up the fold, pushes the newest rows
 * in chunks, then the position. A Redis that lost something, was rolled back or belongs to another log is noticed by its
 * position, and refilled from the stores. Knows rows as bytes with a version in front.
 *
 * Redis holds the rows of links visited in the last days, each link's in one hash that is marked when it holds all of them.
 * A position says: everything before it is in each marked hash. So it need not wait for a refill, and whoever pushes may push:
 * rows are functions of the log, and the newer version stays.
 */
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Random } from '../../ports/random.ts';
import { rowVersion } from './checked-row.ts';
import { formatPosition, parsePosition, type RedisPosition } from './position-text.ts';
import {
  encodePutBody,
  type HashRows,
  type PutChunk,
  type PutMode,
  putChunks,
  type RowEntry,
  type ScoreEntry,
} from './put-body.ts';
import type { RedisConnection } from './redis-connection.ts';
import type { RedisKeys } from './redis-keys.ts';
import { listOf, numberOf, textOf } from './redis-reply.ts';
import { RedisUnavailable } from './redis-unavailable.ts';
import { WaitingRows } from './waiting-rows.ts';

/** What a commit of a task changed. The bytes are kept until they are pushed: they must not be written over. */
export interface FollowedCommit {
  readonly partition: number;
  readonly nextOffset: number;
  readonly streamTimeMs: number;
  /** Row key → 8 bytes of version and payload, as the store holds it. */
  readonly rows: ReadonlyMap<string, Uint8Array>;
}

export interface RedisFollowerOptions {
  readonly connection: RedisConnection;
  readonly keys: RedisKeys;
  readonly logId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Pick<Random, 'id'>;
  /** The link whose row it is; null for a row of no link, which is kept under a key of its own. */
  readonly linkOfRow: (rowKey: string) => string | null;
  /** The scores that a row gives its link, null for rows that give none. Each visited link has one row that does. */
  readonly scoresOf: (
    rowKey: string,
    bytes: Uint8Array,
  ) => { readonly visits: number; readonly lastVisitAt: number } | null;
  /** All rows of a link, as the local store holds them at some time after the last commit that was told. */
  readonly rowsOfLink: (partition: number, code: string) => Promise<readonly RowEntry[]>;
  /**
   * For a refill: the rows of every visited link and the rows of no link. All rows of a link stand in one array, which is read
   * from the store when it is asked for, not before; for a link last visited longer than `linkTtlMs` ago the row with its
   * scores is enough. Arrays of about 1,000 rows.
   */
  readonly activeRows: (partition: number) => AsyncIterable<readonly RowEntry[]>;
  /** How long Redis holds a link's rows after its last visit. Default 7 days. */
  readonly linkTtlMs?: number;
  readonly bounds?: Partial<FollowerBounds>;
}

export interface FollowerBounds {
  /** Rows, and bytes of rows, of one partition that wait; beyond it they are let go and read again from the store. */
  readonly waitingRows: number;
  readonly waitingBytes: number;
  /** Links that wait to be put whole; beyond it they wait for their next visit. */
  readonly waitingLinks: number;
  /** A link with more rows, or more bytes of rows, is not put whole. */
  readonly linkRows: number;
  readonly linkBytes: number;
}

const defaultBounds: FollowerBounds = {
  waitingRows: 100_000,
  waitingBytes: 64 * 1024 * 1024,
  waitingLinks: 50_000,
  linkRows: 5_000,
  linkBytes: 4 * 1024 * 1024,
};

export interface RedisFollower {
  /** The task of a partition is ours, and its store stands here. Commits are followed from now on. */
  begin(partition: number, position: FollowerPosition): void;
  /** The task is ours no more. What waits is let go: the next owner pushes it. */
  end(partition: number): void;
  /** Takes what a commit changed. Never waits, never throws. */
  commit(commit: FollowedCommit): void;
  status(): readonly FollowedPartition[];
  /** Resolves when everything taken so far is in Redis; rejects with {@link RedisUnavailable} after `timeoutMs`. */
  settled(timeoutMs: number): Promise<void>;
  /** Resolves when nothing is under way any more. What waits is let go. */
  close(): Promise<void>;
}

export interface FollowerPosition {
  readonly nextOffset: number;
  readonly streamTimeMs: number;
}

export interface FollowedPartition {
  readonly partition: number;
  /** Where the local store stands. */
  readonly storeNextOffset: number;
  /** Where Redis stands, as it said last; -1 when that is not known. */
  readonly redisNextOffset: number;
  readonly waitingRows: number;
  readonly waitingLinks: number;
  readonly refill: RefillProgress | null;
}

export interface RefillProgress {
  /** `all`: Redis had nothing of this log, or not all of it; `changed`: it lacked what changed since its position. */
  readonly kind: 'all' | 'changed';
  readonly rowsRead: number;
  readonly rowsPushed: number;
  readonly durationMs: number;
}

const defaultLinkTtlMs = 7 * 24 * 60 * 60_000;
/** How often an idle partition asks whether Redis still stands where it stood. */
const checkIntervalMs = 1_000;
const retryDelayMs = { first: 50, max: 2_000 };
/** After a round of many rows the next one waits, so that rows which change again and again are pushed once. */
const bigRound = { rows: 2_000, pauseMs: 100 };
/** A refill lets commits through after so long. */
const refillSliceMs = 50;
const callsAtOnceMax = 4;
const linksPerFillMax = 200;
const shortestTtlSeconds = 60;

/** Builds a follower; it does nothing before {@link RedisFollower.begin}. */
export function createRedisFollower(options: RedisFollowerOptions): RedisFollower {
  const followers = new Map<number, PartitionFollower>();
  const ending = new Set<Promise<void>>();

  function end(partition: number): void {
    const follower = followers.get(partition);
    if (follower === undefined) return;
    followers.delete(partition);
    const ended = follower.stop().finally(() => ending.delete(ended));
    ending.add(ended);
  }

  return {
    begin(partition, position) {
      end(partition);
      const follower = new PartitionFollower(options, partition, position);
      followers.set(partition, follower);
      follower.start();
    },
    end,
    commit(commit) {
      followers.get(commit.partition)?.take(commit);
    },
    status: () => [...followers.values()].map((follower) => follower.status()),
    async settled(timeoutMs) {
      await Promise.all([...followers.values()].map((follower) => follower.settled(timeoutMs)));
    },
    async close() {
      for (const partition of [...followers.keys()]) end(partition);
      await Promise.all(ending);
    },
  };
}

interface Refill {
  readonly kind: RefillProgress['kind'];
  readonly rows: AsyncIterator<readonly RowEntry[]>;
  readonly listToken: number;
  readonly timesLetGo: number;
  readonly startMs: number;
  rowsRead: number;
  rowsPushed: number;
}

type LinkRows = readonly [code: string | null, rows: readonly RowEntry[]];

interface LinkPut {
  readonly hash: HashRows | null;
  readonly score: ScoreEntry | null;
}

/** Redis does not stand where this follower believed. What to do about it is found out anew. */
class PositionLost extends Error {
  override readonly name = 'PositionLost';
}

/**
 * Follows one task. One thing at a time: rows read from the store are put before the commits that came meanwhile, so a hash
 * that is marked lacks nothing that is behind the next position.
 */
class PartitionFollower {
  private readonly options: RedisFollowerOptions;
  private readonly bounds: FollowerBounds;
  private readonly linkTtlMs: number;
  private readonly partition: number;
  private readonly positionKeys: readonly string[];
  private readonly stopListening: () => void;
  private running: Promise<void> = Promise.resolve();
  private isStopped = false;
  private wakeUp: (() => void) | null = null;

  /** Where the local store stands, and what it changed that was not pushed yet. */
  private store: FollowerPosition;
  private waiting = new WaitingRows();
  /** Everything before this offset was pushed once; what came later waits, or is missing. */
  private pushedOffset: number;
  /** Rows of this version and newer ones may be missing in Redis: its position stays until a refill has put them. */
  private missingFrom: number | null = null;
  /** How often rows were let go: those of a time that a refill, or a new generation, does not cover are missing still. */
  private timesLetGo = 0;

  /** The generation that Redis is in, null when that must be found out, and the furthest position seen there. */
  private generation: string | null = null;
  private redisOffset = -1;
  private allDue = false;
  private refill: Refill | null = null;
  /** Links that Redis does not hold whole. */
  private readonly fills = new Set<string>();
  /** Tells the parts of one filling from those of another. */
  private fillId = '-';
  private readonly settlers = new Set<() => void>();

  constructor(options: RedisFollowerOptions, partition: number, position: FollowerPosition) {
    const { keys } = options;
    this.options = options;
    this.bounds = { ...defaultBounds, ...options.bounds };
    this.linkTtlMs = options.linkTtlMs ?? defaultLinkTtlMs;
    this.partition = partition;
    this.positionKeys = [keys.position(partition), keys.byVisits(partition), keys.byLastVisit(partition)];
    this.store = { nextOffset: position.nextOffset, streamTimeMs: position.streamTimeMs };
    this.pushedOffset = position.nextOffset;
    this.stopListening = options.connection.onReady(() => this.wake());
  }

  start(): void {
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    this.stopListening();
    this.wake();
    await this.running;
  }

  take(commit: FollowedCommit): void {
    this.store = { nextOffset: commit.nextOffset, streamTimeMs: commit.streamTimeMs };
    for (const row of commit.rows) this.waiting.add(this.options.linkOfRow(row[0]), row);
    const { size, byteSize } = this.waiting;
    if (size > this.bounds.waitingRows || byteSize > this.bounds.waitingBytes) this.letGo();
    this.wake();
  }

  status(): FollowedPartition {
    const { refill } = this;
    return {
      partition: this.partition,
      storeNextOffset: this.store.nextOffset,
      redisNextOffset: this.redisOffset,
      waitingRows: this.waiting.size,
      waitingLinks: this.fills.size,
      refill: refill === null ? null : this.progressOf(refill),
    };
  }

  settled(timeoutMs: number): Promise<void> {
    const { nextOffset } = this.store;
    const isSettled = () =>
      this.generation !== null &&
      this.pushedOffset >= nextOffset &&
      this.redisOffset >= nextOffset &&
      !this.needsRefill() &&
      this.fills.size === 0;
    if (isSettled()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        this.settlers.delete(look);
      };
      const look = (): void => {
        if (!isSettled()) return;
        done();
        resolve();
      };
      const timer = setTimeout(() => {
        done();
        reject(new RedisUnavailable(`Redis did not follow partition ${this.partition} within ${timeoutMs} ms`));
      }, timeoutMs);
      this.settlers.add(look);
    });
  }

  /** More waits than may: it is read from the store when Redis can take it. */
  private letGo(): void {
    this.waiting = new WaitingRows();
    if (this.missingFrom === null) this.missingFrom = this.pushedOffset;
    this.timesLetGo += 1;
  }

  private needsRefill(): boolean {
    return this.allDue || this.missingFrom !== null || this.refill !== null;
  }

  private wake(): void {
    const { wakeUp } = this;
    this.wakeUp = null;
    wakeUp?.();
  }

  private rest(durationMs: number): Promise<void> {
    if (this.isStopped) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.wake(), durationMs);
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** As {@link rest}, but nothing ends it before its time except the stop. */
  private async pause(durationMs: number): Promise<void> {
    const { clock } = this.options;
    const endMs = clock.monotonicMs() + durationMs;
    for (let leftMs = durationMs; leftMs > 0 && !this.isStopped; leftMs = endMs - clock.monotonicMs()) {
      await this.rest(Math.ceil(leftMs));
    }
  }

  private async run(): Promise<void> {
    const { connection, logger } = this.options;
    let retryMs = retryDelayMs.first;
    while (!this.isStopped) {
      if (!connection.isReady()) {
        await this.rest(checkIntervalMs);
        continue;
      }
      try {
        await this.step();
        retryMs = retryDelayMs.first;
      } catch (error) {
        if (!(error instanceof RedisUnavailable || error instanceof PositionLost)) {
          logger.error({ err: error, partition: this.partition }, 'Redis cannot follow now and is tried again');
        }
        await this.pause(retryMs);
        retryMs = Math.min(retryMs * 2, retryDelayMs.max);
      }
    }
    await this.endRefill();
  }

  private async step(): Promise<void> {
    if (this.generation === null) await this.attach();
    const rows = this.missingFrom === null ? await this.pushWaiting() : await this.check();
    const isRefilling = this.refill !== null || (this.needsRefill() && (await this.beginRefill()));
    if (this.fills.size > 0) await this.putFills();
    else if (this.refill !== null) await this.goOnWithRefill(this.refill);
    else if (rows > bigRound.rows) await this.pause(bigRound.pauseMs);
    for (const look of [...this.settlers]) look();
    const isIdle = this.fills.size === 0 && !isRefilling && this.store.nextOffset <= this.redisOffset;
    if (isIdle && this.waiting.size === 0) await this.rest(checkIntervalMs);
  }

  /** Finds out where Redis stands, and what it needs so that it can follow. */
  private async attach(): Promise<void> {
    const { connection, keys, logId, logger, random } = this.options;
    await this.endRefill();
    const text = textOf(await connection.call('position', this.positionKeys.slice(0, 1), []));
    const found = parsePosition(text);
    const isOurs = found !== null && found.partition === this.partition && found.logId === logId;
    // What was pushed to it is gone: what else in it is as old cannot be told.
    const isRolledBack = isOurs && found.nextOffset < this.redisOffset;
    if (isOurs && !isRolledBack) {
      if (found.nextOffset < this.pushedOffset)
        this.missingFrom = Math.min(this.missingFrom ?? found.nextOffset, found.nextOffset);
      this.adopt(found);
      return;
    }
    const position = { partition: this.partition, ...this.store, logId, generation: random.id() };
    const { timesLetGo } = this;
    const answer = listOf(
      await connection.call('open', this.positionKeys, [logId, formatPosition(position), keys.progressChannel]),
    );
    this.redisOffset = -1;
    // Another instance was quicker, or this one is behind: then the position that is there is taken as it is.
    if (textOf(answer[0]) !== 'opened') throw new PositionLost();
    const reason = isRolledBack ? 'rolled back' : text === '' ? 'empty' : 'foreign or malformed';
    logger.info({ partition: this.partition, reason }, 'Redis is filled from the local store');
    // Nothing is complete in a new generation, so nothing is missing in what is, but what was let go since it was asked for.
    this.missingFrom = timesLetGo === this.timesLetGo ? null : position.nextOffset;
    this.pushedOffset = position.nextOffset;
    this.allDue = true;
    this.adopt(position);
  }

  private adopt(position: RedisPosition): void {
    this.generation = position.generation;
    this.redisOffset = position.nextOffset;
    this.fills.clear();
  }

  /** Pushes what waits, then the position unless rows are missing. Also finds out whether Redis stands where it did. */
  private async pushWaiting(): Promise<number> {
    const { store, waiting } = this;
    this.waiting = new WaitingRows();
    try {
      let last: PutChunk = { hashes: [], scores: [] };
      let chunks: PutChunk[] = [];
      // Packed a few calls at a time: between them the fold goes on.
      for (const chunk of putChunks(this.linkPuts(waiting.entries(), 'changed'))) {
        chunks.push(last);
        last = chunk;
        if (chunks.length < callsAtOnceMax) continue;
        await this.putAll(chunks, store.nextOffset, true);
        chunks = [];
      }
      await this.putAll(chunks, store.nextOffset, true);
      const isFurther = this.missingFrom === null && store.nextOffset > this.redisOffset;
      await this.put(last, store.nextOffset, true, isFurther ? store : null);
    } catch (error) {
      this.waiting.addOlder(waiting);
      throw error;
    }
    if (this.missingFrom === null) this.pushedOffset = Math.max(this.pushedOffset, store.nextOffset);
    return waiting.size;
  }

  /**
   * While rows are missing, those that wait must not come before them: a link would have newer rows beside missing ones.
   * Finds out whether Redis stands where it did.
   */
  private async check(): Promise<number> {
    await this.put({ hashes: [], scores: [] }, this.store.nextOffset, false, null);
    return 0;
  }

  /** Puts links whole that were found incomplete. */
  private async putFills(): Promise<void> {
    const codes = [...this.fills].slice(0, linksPerFillMax);
    const asOf = this.store.nextOffset;
    const links: LinkRows[] = [];
    for (const code of codes) links.push([code, await this.options.rowsOfLink(this.partition, code)]);
    await this.putAll([...putChunks(this.linkPuts(links, 'all'))], asOf, false);
    for (const code of codes) this.fills.delete(code);
  }

  /** False when nothing can be refilled now: lists are made whole only by a store that stands where Redis does. */
  private async beginRefill(): Promise<boolean> {
    const { activeRows, connection, clock, logId, random } = this.options;
    const { generation, store } = this;
    if (generation === null) throw new PositionLost();
    // The last 48 bits of an id are random.
    const listToken = -2 - Number.parseInt(random.id().replaceAll('-', '').slice(-12), 16);
    const kind = this.allDue && store.nextOffset >= this.redisOffset ? 'all' : 'changed';
    if (kind === 'changed' && this.missingFrom === null) return false;
    if (kind === 'all') {
      const args = [logId, generation, String(listToken), String(store.nextOffset)];
      if (numberOf(await connection.call('begin_lists', this.positionKeys, args)) === 0) return false;
    }
    const { timesLetGo } = this;
    const rows = activeRows(this.partition)[Symbol.asyncIterator]();
    this.refill = { kind, rows, listToken, timesLetGo, startMs: clock.monotonicMs(), rowsRead: 0, rowsPushed: 0 };
    return true;
  }

  private async endRefill(): Promise<void> {
    const { refill } = this;
    this.refill = null;
    await refill?.rows.return?.();
  }

  /** Puts the next arrays of rows; the next one is read while one is under way. */
  private async goOnWithRefill(refill: Refill): Promise<void> {
    const { clock } = this.options;
    const endMs = clock.monotonicMs() + refillSliceMs;
    let asOf = this.store.nextOffset;
    let next: Promise<IteratorResult<readonly RowEntry[]>> | null = refill.rows.next();
    while (next !== null) {
      const { done, value: rows } = await this.nextOf(refill, next);
      if (done === true) {
        if (this.fills.size === 0) await this.finishRefill(refill);
        return;
      }
      const rowsAsOf = asOf;
      asOf = this.store.nextOffset;
      next = clock.monotonicMs() < endMs && !this.isStopped ? refill.rows.next() : null;
      refill.rowsRead += rows.length;
      try {
        const chunks = [...putChunks(this.refillPuts(refill, rows))];
        await this.putAll(chunks, rowsAsOf, refill.kind === 'changed');
        for (const chunk of chunks) for (const hash of chunk.hashes) refill.rowsPushed += hash.rows.length;
      } catch (error) {
        this.putLater(rows);
        if (next !== null) this.putLater((await this.nextOf(refill, next)).value ?? []);
        throw error;
      }
    }
  }

  /** A refill whose rows cannot be read begins again. */
  private async nextOf<Next>(refill: Refill, next: Promise<Next>): Promise<Next> {
    try {
      return await next;
    } catch (error) {
      if (this.refill === refill) this.refill = null;
      throw error;
    }
  }

  /** Rows of a refill that could not be put: by the time they can, they must be read anew. */
  private putLater(rows: readonly RowEntry[]): void {
    for (const row of rows) {
      const code = this.options.linkOfRow(row[0]);
      if (code !== null) this.fills.add(code);
      else if (!this.waiting.holds(null, row[0])) this.waiting.add(null, row);
    }
  }

  private async finishRefill(refill: Refill): Promise<void> {
    const { connection, logId, logger } = this.options;
    const { generation } = this;
    if (generation === null) throw new PositionLost();
    if (refill.kind === 'all') {
      const answer = await connection.call('end_lists', this.positionKeys, [
        logId,
        generation,
        String(refill.listToken),
      ]);
      // A list was lost meanwhile: all again.
      if (numberOf(answer) === 1) this.allDue = false;
    }
    if (refill.timesLetGo === this.timesLetGo) this.missingFrom = null;
    this.refill = null;
    const progress = this.progressOf(refill);
    const rowsPerSecond = Math.round((refill.rowsPushed / Math.max(progress.durationMs, 1)) * 1_000);
    logger.info({ partition: this.partition, ...progress, rowsPerSecond }, 'Redis was filled from the local store');
  }

  private progressOf(refill: Refill): RefillProgress {
    return {
      kind: refill.kind,
      rowsRead: refill.rowsRead,
      rowsPushed: refill.rowsPushed,
      durationMs: Math.round(this.options.clock.monotonicMs() - refill.startMs),
    };
  }

  private *refillPuts(refill: Refill, rows: readonly RowEntry[]): Generator<LinkPut> {
    const { missingFrom } = this;
    const isMissing = ([, bytes]: RowEntry) => missingFrom !== null && rowVersion(bytes) >= missingFrom;
    const links = new Map<string | null, RowEntry[]>();
    for (const row of rows) {
      const code = this.options.linkOfRow(row[0]);
      const ofLink = links.get(code);
      if (ofLink === undefined) links.set(code, [row]);
      else ofLink.push(row);
    }
    for (const link of this.linkPuts(links, 'all')) {
      const { hash, score } = link;
      const code = hash.code;
      const isExpired = code !== null && score !== null && this.ttlLeftMs(score) <= 0;
      if (isExpired) {
        // Its other rows may not be here. If any of them is missing in Redis, this one is too.
        if (hash.rows.some(isMissing)) this.fills.add(code);
        if (refill.kind === 'all' || hash.rows.some(isMissing)) yield { hash: null, score };
      } else if (refill.kind === 'all') {
        if (code !== null) this.fills.delete(code);
        yield link;
      } else {
        const missing = hash.rows.filter(isMissing);
        if (missing.length > 0)
          yield { hash: { ...hash, mode: code === null ? 'all' : 'changed', rows: missing }, score };
      }
    }
  }

  /** Links with their scores. A row of no link is all there is under its key. */
  private *linkPuts(
    links: Iterable<LinkRows>,
    mode: PutMode,
  ): Generator<{ readonly hash: HashRows; readonly score: ScoreEntry | null }> {
    const { scoresOf, keys } = this.options;
    for (const [code, rows] of links) {
      if (code === null) {
        for (const row of rows) {
          const key = keys.ownRow(this.partition, row[0]);
          yield { hash: { key, code, mode: 'all', ttlSeconds: 0, rows: [row] }, score: null };
        }
        continue;
      }
      if (rows.length === 0) continue;
      let score: ScoreEntry | null = null;
      let bytes = 0;
      for (const row of rows) {
        bytes += row[1].length;
        const scores = scoresOf(row[0], row[1]);
        if (scores !== null) score = { code, ...scores };
      }
      const ttlLeftMs = score === null ? this.linkTtlMs : this.ttlLeftMs(score);
      // Not to be held any more, or too big: then it is only kept right where it is held.
      const isHeld = ttlLeftMs > 0 && rows.length <= this.bounds.linkRows && bytes <= this.bounds.linkBytes;
      const hash: HashRows = {
        key: keys.linkRows(this.partition, code),
        code,
        mode: isHeld ? mode : 'changed',
        ttlSeconds: Math.max(Math.ceil(ttlLeftMs / 1_000), shortestTtlSeconds),
        rows,
      };
      yield { hash, score };
    }
  }

  /** Event times may be of another clock: a link is never held longer than if it were visited now. */
  private ttlLeftMs(score: ScoreEntry): number {
    return Math.min(this.linkTtlMs, score.lastVisitAt + this.linkTtlMs - this.options.clock.nowMs());
  }

  private async putAll(chunks: readonly PutChunk[], asOf: number, notesIncomplete: boolean): Promise<void> {
    this.fillId = this.options.random.id();
    for (let at = 0; at < chunks.length; at += callsAtOnceMax) {
      const calls = chunks.slice(at, at + callsAtOnceMax).map((chunk) => this.put(chunk, asOf, notesIncomplete, null));
      const failed = (await Promise.allSettled(calls)).find((result) => result.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    }
  }

  /**
   * One call of `put`.
   * @param asOf everything before this offset is in rows that are put whole
   * @param notesIncomplete whether links that Redis does not hold whole are to be put whole later
   */
  private async put(
    chunk: PutChunk,
    asOf: number,
    notesIncomplete: boolean,
    position: FollowerPosition | null,
  ): Promise<void> {
    const { connection, keys, logId } = this.options;
    const { generation, partition } = this;
    if (generation === null) throw new PositionLost();
    const text = position === null ? '' : formatPosition({ partition, ...position, logId, generation });
    const hashKeys = chunk.hashes.map(({ key }) => key);
    const answer = listOf(
      await connection.call(
        'put',
        [...this.positionKeys, ...hashKeys],
        [
          logId,
          generation,
          String(asOf),
          String(this.redisOffset),
          text,
          keys.progressChannel,
          this.fillId,
          encodePutBody(chunk),
        ],
      ),
    );
    if (textOf(answer[0]) !== 'ok') {
      if (this.generation === generation) this.generation = null;
      throw new PositionLost();
    }
    const before = parsePosition(textOf(answer[1]));
    this.redisOffset = Math.max(this.redisOffset, before?.nextOffset ?? -1, position?.nextOffset ?? -1);
    if (numberOf(answer[2]) === 0 && this.refill?.kind !== 'all') this.allDue = true;
    if (!notesIncomplete) return;
    for (const place of listOf(answer[3])) {
      const code = chunk.hashes[numberOf(place)]?.code ?? null;
      if (code !== null && this.fills.size < this.bounds.waitingLinks) this.fills.add(code);
    }
  }
}
