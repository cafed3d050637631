/**
 * The link table of this instance: reads every partition of `links`, folds it and keeps the rows in a local store. It
 * decides nothing: what a command comes to follows from the log alone.
 */
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { Link, LinkEvent } from '../domain/link.ts';
import { tagKey } from '../domain/link-input.ts';
import type { Clock } from '../ports/clock.ts';
import {
  type EventLog,
  LogDamaged,
  type LogReader,
  type LogRecord,
  LogUnavailable,
  OffsetOutOfRange,
} from '../ports/event-log.ts';
import type { CodeEntry, FoldedEvent, LinkIndexes, LinkScan, LinkTable, TagCount } from '../ports/link-table.ts';
import type { Logger } from '../ports/logger.ts';
import { type StateStore, StoreDamaged } from '../ports/state-store.ts';
import { decodeLinkEvent } from '../serde/link-event.ts';
import { decodeLinkRow, decodeLinkRowCode } from '../serde/link-row.ts';
import { createLinkFold, type LinkFold } from './link-table-fold.ts';
import {
  behind,
  checkpointKey,
  decodeCheckpoint,
  decodeHistoryRow,
  decodeTagCount,
  fixedWidth,
  historyKey,
  historyPrefix,
  type LinkTableCheckpoint,
  linkPrefix,
  linkTableSchema,
  type RowValue,
  tagCountPrefix,
  tagPrefix,
  textOf,
  urlPrefix,
} from './link-table-rows.ts';

export interface LinkTableOptions {
  /** Opens the store; called again after `setStoreAside`. The table closes it. */
  readonly openStore: () => Promise<StateStore>;
  /** Moves the store's files away, because of what `reason` says, so that `openStore` gives an empty one. */
  readonly setStoreAside: (reason: string) => Promise<void>;
  readonly log: EventLog;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface OpenLinkTable extends LinkTable, LinkIndexes {
  /**
   * Folds up to what the log held when it was called, then goes on in the background. While the log is away, what the store
   * holds is taken for all there is; without any, it throws {@link LogUnavailable}: call it again later. Once it has resolved
   * the table may be used. Throws {@link LinksTopicParked} when a record cannot be understood, {@link LogDamaged} as the reader does.
   */
  load(onProgress?: (progress: LoadProgress) => void): Promise<void>;
  /** All records before this offset are folded. */
  nextOffset(partition: number): number;
  /** Why the fold stopped for good, or null while it runs: then the table gets old and a person must act. */
  halted(): string | null;
  /** Commits what is folded and closes the store. */
  close(): Promise<void>;
}

export interface LoadProgress {
  /** 0 to 1. */
  readonly fraction: number;
  readonly eventsDone: number;
  readonly eventsTotal: number;
}

/** A record of `links` is not understood by this build. Nothing behind it is folded; see the message for what to do. */
export class LinksTopicParked extends Error {
  override readonly name = 'LinksTopicParked';
  readonly partition: number;
  readonly offset: number;
  constructor(partition: number, offset: number, cause: unknown) {
    super(
      `partition ${partition} of links is parked at offset ${offset}: ${messageOf(cause)}. ` +
        'Start the version that wrote this record, or restore the log from a copy.',
      { cause },
    );
    this.partition = partition;
    this.offset = offset;
  }
}

const loadReadBytes = 256 * 1024;
const liveReadBytes = 128 * 1024;
/** A commit is begun at this many rows while the table is loaded; twice as many may be in memory. */
const rowsPerCommit = 2_000;
/** From so many events on, a load looks first at how far they will bring the stream time, in the last records of each partition. */
const lookAheadEventsMin = 10_000;
const recordsLookedAtMax = 1_000;
const waitForRecordsMs = 1000;
const retryDelayMs = 1000;
const scanEntriesPerRead = 1000;
/** So many records are folded in one go before others get a turn. */
const recordsPerTurnMax = 200;
const applyWaitersMax = 100_000;

/** Records that a log keeps for itself; no code begins so. */
const logsOwnKeyPrefix = '!';

/** Nobody of ours wrote it, so no link is wrong without it. One that bears our identity and does not check parks the partition. */
function isStrangers(record: LogRecord): boolean {
  return record.invalid !== undefined && record.producerId === '';
}

/** 0 for a record that is no event. */
function eventTimeOf(record: LogRecord): number {
  if (record.key.startsWith(logsOwnKeyPrefix) || record.invalid !== undefined) return 0;
  try {
    return decodeLinkEvent(record.value).at;
  } catch {
    return 0;
  }
}

interface Partition {
  readonly index: number;
  readonly reader: LogReader;
  waiters: Waiter[];
}

interface Waiter {
  readonly offset: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** What keeps the rows in `store` from being the fold of a prefix of `log`, or null when they can be used. */
export async function checkLinkStore(store: StateStore, log: EventLog): Promise<string | null> {
  const bytes = store.getSync(checkpointKey);
  if (bytes === undefined) {
    return (await store.range({ limit: 1 })).length === 0 ? null : 'it has rows and no checkpoint';
  }
  const checkpoint = decodeCheckpoint(bytes);
  if (checkpoint === undefined) return 'it was written by another version';
  if (checkpoint.logId !== log.logId) return `it was folded from the log ${checkpoint.logId}, this is ${log.logId}`;
  const count = log.partitions('links');
  if (checkpoint.partitions.length !== count) return `it has ${checkpoint.partitions.length} partitions, not ${count}`;
  for (const [index, { nextOffset }] of checkpoint.partitions.entries()) {
    const endOffset = await endWhenKnown(log, index);
    if (endOffset !== null && nextOffset > endOffset)
      return `it stands at offset ${nextOffset} of a log that ends at ${endOffset}`;
  }
  return null;
}

/** Null while the log is away: then a store that stands behind its end is found out by the first read. */
async function endWhenKnown(log: EventLog, partition: number): Promise<number | null> {
  try {
    return await log.endOffset('links', partition);
  } catch (error) {
    if (error instanceof LogUnavailable) return null;
    throw error;
  }
}

/**
 * Opens the table on its store. A store that is damaged, from another log, ahead of the log or of another version is set
 * aside and folded anew: the log is the truth. Call `load` before it is used.
 */
export async function openLinkTable(options: LinkTableOptions): Promise<OpenLinkTable> {
  const { log, logger, clock } = options;
  const partitionCount = log.partitions('links');
  let store = await openUsableStore(options);
  let fold = foldOf(store);
  const partitions: Partition[] = [];
  for (let index = 0; index < partitionCount; index += 1) {
    partitions.push({ index, reader: await log.reader('links', index), waiters: [] });
  }
  const listeners = new Set<(link: Link) => void>();
  let commitUnderWay: Promise<void> | null = null;
  let committer: Promise<void> | null = null;
  let loops: Promise<unknown> = Promise.resolve();
  let closing = false;
  let halt: Error | null = null;

  function foldOf(from: StateStore): LinkFold {
    const bytes = from.getSync(checkpointKey);
    const fresh: LinkTableCheckpoint = {
      schema: linkTableSchema,
      logId: log.logId,
      partitions: Array.from({ length: partitionCount }, () => ({ nextOffset: 0, streamTimeMs: 0 })),
      links: 0,
    };
    return createLinkFold(from, (bytes && decodeCheckpoint(bytes)) ?? fresh);
  }

  function foldRecord(partition: number, record: LogRecord): void {
    if (record.key.startsWith(logsOwnKeyPrefix) || isStrangers(record)) {
      if (record.invalid !== undefined) {
        const { offset, invalid } = record;
        logger.warn({ partition, offset, reason: invalid }, 'a record of links is none of ours and is passed over');
      }
      fold.pass(partition);
      return;
    }
    let event: LinkEvent;
    try {
      if (record.invalid !== undefined) throw new Error(record.invalid);
      event = decodeLinkEvent(record.value);
      if (event.code !== record.key) throw new Error(`its key is "${record.key}" and its code "${event.code}"`);
    } catch (error) {
      throw new LinksTopicParked(partition, record.offset, error);
    }
    const { link, effective } = fold.fold(partition, event, record.value);
    if (effective && link !== undefined) for (const listener of listeners) listener(link);
  }

  /** Folds what one read gives; false at the end of the log. */
  async function foldNext(partition: Partition, maxBytes: number): Promise<number> {
    const records = await partition.reader.read(fold.nextOffset(partition.index), maxBytes);
    try {
      for (const record of records) foldRecord(partition.index, record);
    } finally {
      releaseWaiters(partition);
    }
    return records.length;
  }

  function releaseWaiters(partition: Partition): void {
    if (partition.waiters.length === 0) return;
    const nextOffset = fold.nextOffset(partition.index);
    const waiting: Waiter[] = [];
    for (const waiter of partition.waiters) {
      if (waiter.offset < nextOffset) waiter.resolve();
      else waiting.push(waiter);
    }
    partition.waiters = waiting;
  }

  /** Begins a commit unless one is under way; a failed one is begun again by whoever asks next. */
  function beginCommit(): Promise<void> {
    commitUnderWay ??= fold.commit().finally(() => {
      commitUnderWay = null;
    });
    return commitUnderWay;
  }

  /** Lets the fold go on while one commit is written, and no further. */
  async function commitWhileLoading(): Promise<void> {
    const rows = fold.uncommittedRows();
    if (rows < rowsPerCommit) return;
    if (rows >= 2 * rowsPerCommit && commitUnderWay !== null) await commitUnderWay;
    beginCommit().catch(() => undefined);
  }

  async function endToLoad(partition: number): Promise<number> {
    const endOffset = await endWhenKnown(log, partition);
    if (endOffset !== null) return endOffset;
    if (store.getSync(checkpointKey) === undefined)
      throw new LogUnavailable('the log is away and no link is known yet');
    return fold.nextOffset(partition);
  }

  /** The stream time that every partition with events has when it is folded up to its end, ms, or less; 0 when it cannot be told. */
  async function streamTimeAtEnds(ends: readonly number[]): Promise<number> {
    const times = partitions.map(async ({ index, reader }) => {
      const end = ends[index] ?? 0;
      const nextOffset = fold.nextOffset(index);
      let newest = fold.streamTimeMs(index);
      if (end === 0) return Number.POSITIVE_INFINITY;
      if (end <= nextOffset) return newest;
      const records = await reader.read(Math.max(nextOffset, end - recordsLookedAtMax), loadReadBytes);
      // What was appended meanwhile is folded later.
      for (const record of records) if (record.offset < end) newest = Math.max(newest, eventTimeOf(record));
      return newest;
    });
    return Math.min(...(await Promise.all(times)));
  }

  async function loadOnce(onProgress: (progress: LoadProgress) => void): Promise<void> {
    const ends = await Promise.all(partitions.map(({ index }) => endToLoad(index)));
    const eventsTotal = ends.reduce((sum, end, index) => sum + Math.max(0, end - fold.nextOffset(index)), 0);
    let eventsDone = 0;
    onProgress({ fraction: eventsTotal === 0 ? 1 : 0, eventsDone, eventsTotal });
    if (eventsTotal >= lookAheadEventsMin) fold.willReach(await streamTimeAtEnds(ends));
    for (const partition of partitions) {
      while (fold.nextOffset(partition.index) < (ends[partition.index] ?? 0)) {
        const folded = await foldNext(partition, loadReadBytes);
        if (folded === 0) throw new LogUnavailable(`partition ${partition.index} of links ends before its end offset`);
        eventsDone += folded;
        // Records appended meanwhile may be folded too.
        onProgress({ fraction: Math.min(1, eventsDone / eventsTotal), eventsDone, eventsTotal });
        await commitWhileLoading();
        await setImmediate();
      }
    }
    while (fold.uncommittedRows() > 0) await beginCommit();
  }

  async function follow(partition: Partition): Promise<void> {
    while (!closing && halt === null) {
      try {
        const folded = await foldNext(partition, liveReadBytes);
        if (folded === 0) {
          await partition.reader.waitFor(fold.nextOffset(partition.index), waitForRecordsMs);
          continue;
        }
        // The fold does not wait for the disk, unless that has fallen far behind.
        const committed = commitAll();
        if (fold.uncommittedRows() >= 2 * rowsPerCommit) await committed;
        if (folded >= recordsPerTurnMax) await setImmediate();
      } catch (error) {
        if (isFinal(error)) {
          haltWith(error);
        } else if (!closing) {
          logger.warn({ err: error, partition: partition.index }, 'reading links failed; trying again');
          await setTimeout(retryDelayMs);
        }
      }
    }
  }

  /**
   * Commits until nothing is left. A disk that is full or fails does not stop the table: rows stay in memory (bounded)
   * and are written when it is back. Never rejects.
   */
  function commitAll(): Promise<void> {
    committer ??= (async () => {
      while (fold.uncommittedRows() > 0 && halt === null) {
        try {
          await beginCommit();
        } catch (error) {
          if (error instanceof StoreDamaged) return haltWith(error);
          logger.error({ err: error }, 'the link table could not be committed; trying again');
          if (closing) return;
          await setTimeout(retryDelayMs);
        }
      }
    })().finally(() => {
      committer = null;
    });
    return committer;
  }

  function haltWith(error: unknown): void {
    if (halt !== null) return;
    halt = error as Error;
    logger.error({ err: error }, 'the link table stopped: links changed from now on are not seen');
    for (const partition of partitions) {
      for (const waiter of partition.waiters) waiter.reject(unavailable());
      partition.waiters = [];
    }
  }

  function unavailable(): LogUnavailable {
    return new LogUnavailable(halt === null ? 'the link table is closed' : messageOf(halt));
  }

  async function rebuild(reason: string): Promise<void> {
    await commitUnderWay?.catch(() => undefined);
    await store.close();
    await options.setStoreAside(reason);
    store = await options.openStore();
    fold = foldOf(store);
  }

  function prefixOf({ url, tag }: LinkScan): string {
    if (url !== undefined) return urlPrefix(url);
    return tag === undefined ? linkPrefix : tagPrefix(tag);
  }

  async function* entriesOf(prefix: string, query: LinkScan): AsyncGenerator<readonly (readonly [string, RowValue])[]> {
    let gt = prefix;
    let lt = behind(prefix);
    if (query.afterOrdinal !== undefined) {
      if (query.descending) lt = prefix + fixedWidth(query.afterOrdinal);
      else gt = prefix + fixedWidth(query.afterOrdinal);
    }
    const limit = Math.min(query.limit, scanEntriesPerRead);
    for (;;) {
      const { entries, next } = await fold.range({ gt, lt, reverse: query.descending, limit });
      yield entries;
      if (next === undefined) return;
      if (query.descending) lt = next;
      else gt = next;
    }
  }

  return {
    async load(onProgress = () => undefined) {
      const startedMs = clock.monotonicMs();
      try {
        await loadOnce(onProgress);
      } catch (error) {
        if (!(error instanceof StoreDamaged)) throw error;
        logger.warn({ err: error }, 'the store of the link table is damaged: it is set aside and folded anew');
        await rebuild(error.message);
        await loadOnce(onProgress);
      }
      logger.info(
        { links: fold.size(), durationMs: Math.round(clock.monotonicMs() - startedMs) },
        'the link table is loaded',
      );
      const filling = fold
        .fillFilter(() => !closing)
        .catch((error: unknown) => {
          if (!closing) logger.warn({ err: error }, 'codes could not be read; unknown codes cost a read each');
        });
      loops = Promise.all([filling, ...partitions.map(follow)]);
    },
    find(code) {
      try {
        return fold.find(code);
      } catch (error) {
        if (error instanceof StoreDamaged) haltWith(error);
        throw error;
      }
    },
    outcomeOf: (commandId) => fold.outcomeOf(commandId),
    everLedTo: (link, url) => fold.everLedTo(link, url),
    nextOffset: (partition) => fold.nextOffset(partition),
    applied(index, offset) {
      const partition = partitions[index];
      if (partition === undefined) return Promise.reject(new RangeError(`there is no partition ${index}`));
      if (offset < fold.nextOffset(index)) return Promise.resolve();
      if (halt !== null || closing) return Promise.reject(unavailable());
      if (partition.waiters.length >= applyWaitersMax) {
        return Promise.reject(new LogUnavailable('too many commands wait for the link table'));
      }
      return new Promise<void>((resolve, reject) => {
        partition.waiters.push({ offset, resolve, reject });
      });
    },
    async history(code, afterOffset, limit) {
      const prefix = historyPrefix(code);
      // By offset: a link that is changed meanwhile gets a row for its creation.
      const found = new Map<number, FoldedEvent>();
      const link = fold.find(code);
      const creation = link && fold.creation(link);
      if (creation !== undefined && creation.offset > afterOffset) found.set(creation.offset, creation);
      const lt = behind(prefix);
      for (let gt = afterOffset < 0 ? prefix : historyKey(code, afterOffset); ; ) {
        const { entries, next } = await fold.range({ gt, lt, reverse: false, limit });
        for (const [, value] of entries) {
          const folded = decodeHistoryRow(value);
          found.set(folded.offset, folded);
        }
        if (next === undefined || found.size >= limit) break;
        gt = next;
      }
      return [...found.values()].sort((left, right) => left.offset - right.offset).slice(0, limit);
    },
    async scan(query) {
      const { url, tag } = query;
      const found: Link[] = [];
      const wantedTag = tag === undefined ? undefined : tagKey(tag);
      const prefix = prefixOf(query);
      for await (const entries of entriesOf(prefix, query)) {
        for (const [key, value] of entries) {
          const ordinal = ordinalIn(key, prefix);
          const link = prefix === linkPrefix ? decodeLinkRow(ordinal, textOf(value)) : fold.at(ordinal);
          if (link === undefined) continue;
          // The index of URLs holds past targets too, and a link may change while an index is read.
          if (url !== undefined && link.url !== url) continue;
          if (wantedTag !== undefined && !link.tags.some((each) => tagKey(each) === wantedTag)) continue;
          found.push(link);
          if (found.length === query.limit) return found;
        }
      }
      return found;
    },
    async scanCodes(query) {
      const found: CodeEntry[] = [];
      const prefix = prefixOf(query);
      for await (const entries of entriesOf(prefix, query)) {
        for (const [key, value] of entries) {
          const code = prefix === linkPrefix ? decodeLinkRowCode(textOf(value)) : textOf(value);
          found.push({ code, ordinal: ordinalIn(key, prefix) });
          if (found.length === query.limit) return found;
        }
      }
      return found;
    },
    async tags() {
      const counts: TagCount[] = [];
      for (let gt = tagCountPrefix; ; ) {
        const lt = behind(tagCountPrefix);
        const { entries, next } = await fold.range({ gt, lt, reverse: false, limit: scanEntriesPerRead });
        for (const [, bytes] of entries) counts.push(decodeTagCount(bytes));
        if (next === undefined) break;
        gt = next;
      }
      return counts.sort((left, right) => (tagKey(left.name) < tagKey(right.name) ? -1 : 1));
    },
    size: () => fold.size(),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    halted: () => (halt === null ? null : messageOf(halt)),
    async close() {
      if (closing) return;
      closing = true;
      // Ends the waits of the loops too.
      await Promise.all(partitions.map(({ reader }) => reader.close()));
      await loops;
      for (const partition of partitions) {
        for (const waiter of partition.waiters) waiter.reject(unavailable());
        partition.waiters = [];
      }
      await commitAll();
      await store.close();
    },
  };
}

async function openUsableStore(options: LinkTableOptions): Promise<StateStore> {
  const reason = await (async () => {
    let store: StateStore | undefined;
    try {
      store = await options.openStore();
      const unusable = await checkLinkStore(store, options.log);
      if (unusable === null) return store;
      await store.close();
      return unusable;
    } catch (error) {
      await store?.close();
      if (error instanceof StoreDamaged) return error.message;
      throw error;
    }
  })();
  if (typeof reason !== 'string') return reason;
  options.logger.warn({ reason }, 'the store of the link table cannot be used: it is set aside and folded anew');
  await options.setStoreAside(reason);
  return await options.openStore();
}

function ordinalIn(key: string, prefix: string): number {
  return Number.parseInt(key.slice(prefix.length), 16);
}

/** Nothing that trying again would change. */
function isFinal(error: unknown): boolean {
  return (
    error instanceof LinksTopicParked ||
    error instanceof LogDamaged ||
    error instanceof OffsetOutOfRange ||
    error instanceof StoreDamaged
  );
}

function messageOf(error: unknown): string {
  return String((error as { message?: unknown } | null)?.message ?? error);
}
