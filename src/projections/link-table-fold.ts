/**
 * The fold of the link table over its store: events become rows, which are readable at once and reach the disk in one
 * atomic batch a commit, together with the position they stand at. It reads no log and waits for nothing but its store.
 */
import { LRUCache } from 'lru-cache';
import { evolve, type Link, type LinkEvent } from '../domain/link.ts';
import { tagKey } from '../domain/link-input.ts';
import type { CommandOutcome } from '../ports/link-table.ts';
import { type StateStore, StoreDamaged } from '../ports/state-store.ts';
import { decodeLinkRow, encodeLinkRow } from '../serde/link-row.ts';
import { createCodeFilter } from './link-table-code-filter.ts';
import {
  behind,
  checkpointKey,
  decodeOutcome,
  decodeTagCount,
  encodeCheckpoint,
  encodeHistoryRow,
  encodeOutcome,
  encodeTagCount,
  eventKey,
  historyKey,
  type LinkTableCheckpoint,
  linkKey,
  ordinalKey,
  ordinalOf,
  ordinalPrefix,
  outcomeBucketMs,
  outcomeBucketPrefix,
  outcomeBucketsBefore,
  outcomeKey,
  outcomePrefix,
  type RowValue,
  tagCountKey,
  taggedKey,
  textOf,
  urlKey,
} from './link-table-rows.ts';

const cachedLinksMax = 50_000;
const cachedLinksBytesMax = 32 * 1024 * 1024;
const expiredOutcomesPerCommitMax = 1000;
const filterEntriesPerRead = 2000;

/** Rows of one commit: values, or null for a row to delete. */
interface Rows {
  /** Rows that the fold itself reads before they are written. */
  readonly read: Map<string, RowValue | null>;
  /** All others in the order of writing, keys and values side by side: cheaper, and most of the rows. */
  readonly keys: string[];
  readonly values: (RowValue | null)[];
}

const emptyRows = (): Rows => ({ read: new Map(), keys: [], values: [] });
const countOf = (rows: Rows | null): number => (rows === null ? 0 : rows.read.size + rows.keys.length);

export interface FoldedRecord {
  readonly link: Link | undefined;
  readonly effective: boolean;
}

export interface LinkFold {
  find(code: string): Link | undefined;
  /** As `find`, leaving the cache as it is: for long walks. */
  peek(code: string): Link | undefined;
  outcomeOf(commandId: string): CommandOutcome | undefined;
  /** Whether this link leads or ever led to `url`. */
  everLedTo(link: Link, url: string): boolean;
  size(): number;
  nextOffset(partition: number): number;
  /** Folds the record at `nextOffset(partition)`; `value` is copied. */
  fold(partition: number, event: LinkEvent, value: Buffer): FoldedRecord;
  /** The events at these places, as they stand in the log. */
  events(places: readonly EventPlace[]): Promise<Buffer[]>;
  /** Entries of `gt < key < lt`, rows that are not committed yet included. */
  range(query: RangeQuery): Promise<RangeAnswer>;
  /** Rows that are not on the disk yet. */
  uncommittedRows(): number;
  /** Writes what is pending in one batch. One at a time; after an error the rows are kept and the next call tries again. */
  commit(): Promise<void>;
  /** Reads the codes that the store holds into the filter for unknown ones. Until then unknown codes cost a read. */
  fillFilter(isWanted: () => boolean): Promise<void>;
}

export interface EventPlace {
  readonly partition: number;
  readonly offset: number;
}

export interface RangeQuery {
  readonly gt: string;
  readonly lt: string;
  readonly reverse: boolean;
  readonly limit: number;
}

export interface RangeAnswer {
  readonly entries: readonly (readonly [key: string, value: RowValue])[];
  /** The bound to go on from, undefined at the end. */
  readonly next: string | undefined;
}

/** `checkpoint` is what the store holds, or a fresh one for an empty store. */
export function createLinkFold(store: StateStore, checkpoint: LinkTableCheckpoint): LinkFold {
  const positions = checkpoint.partitions.map((each) => ({ ...each }));
  const partitionCount = positions.length;
  const filter = createCodeFilter();
  const cache = new LRUCache<string, Link>({
    max: cachedLinksMax,
    maxSize: cachedLinksBytesMax,
    sizeCalculation: (link) => 300 + 2 * (link.url.length + (link.note?.length ?? 0)) + 60 * link.tags.length,
  });
  const textScratch = Buffer.allocUnsafe(16 * 1024);
  let links = checkpoint.links;
  let filterIsComplete = links === 0;
  let pending = emptyRows();
  let committing: Rows | null = null;
  let hasExpiredOutcomes = true;

  function row(key: string): RowValue | undefined {
    const newest = pending.read.get(key);
    const newer = newest === undefined ? committing?.read.get(key) : newest;
    if (newer === null) return undefined;
    return newer ?? store.getSync(key);
  }

  /** Valid until the next call: a batch copies what is put. */
  function encoded(text: string): Uint8Array {
    if (text.length * 3 > textScratch.length) return Buffer.from(text);
    return textScratch.subarray(0, textScratch.write(text));
  }

  function write(key: string, value: RowValue | null): void {
    pending.keys.push(key);
    pending.values.push(value);
  }

  /** What waits to be written, newest last. */
  function* uncommitted(): Generator<readonly [key: string, value: RowValue | null]> {
    for (const rows of committing === null ? [pending] : [committing, pending]) {
      yield* rows.read;
      for (const [index, key] of rows.keys.entries()) yield [key, rows.values[index] ?? null];
    }
  }

  function isUncommitted(wanted: string): boolean {
    return pending.keys.includes(wanted) || committing?.keys.includes(wanted) === true;
  }

  function load(code: string): Link | undefined {
    if (filterIsComplete && !filter.mayHave(code)) return undefined;
    const bytes = row(linkKey(code));
    return bytes === undefined ? undefined : decodeLinkRow(code, textOf(bytes));
  }

  function find(code: string): Link | undefined {
    const cached = cache.get(code);
    if (cached !== undefined) return cached;
    const link = load(code);
    if (link !== undefined) cache.set(code, link);
    return link;
  }

  /** Buckets of stream time that are alive, newest first. */
  function bucketOf(streamTimeMs: number): number {
    return Math.min(Math.max(0, Math.floor(streamTimeMs / outcomeBucketMs)), 999_999_999);
  }

  function outcomeIn(newestBucket: number, oldestBucket: number, commandId: string): CommandOutcome | undefined {
    for (let bucket = newestBucket; bucket >= Math.max(0, oldestBucket); bucket -= 1) {
      const bytes = row(outcomeKey(bucket, commandId));
      if (bytes !== undefined) return decodeOutcome(commandId, bytes);
    }
    return undefined;
  }

  /** The oldest bucket that some partition still looks into. */
  function oldestLiveBucket(): number {
    const times = positions.map((each) => each.streamTimeMs).filter((time) => time > 0);
    return times.length === 0 ? 0 : bucketOf(Math.min(...times)) - outcomeBucketsBefore;
  }

  function countTag(tag: string, delta: 1 | -1): void {
    const key = tagCountKey(tag);
    const bytes = row(key);
    const before = bytes === undefined ? { name: tag, links: 0 } : decodeTagCount(bytes);
    const after = before.links + delta;
    pending.read.set(key, after <= 0 ? null : encodeTagCount({ name: before.name, links: after }));
  }

  function writeLink(before: Link | undefined, after: Link): void {
    const { code, ordinal } = after;
    pending.read.set(linkKey(code), encodeLinkRow(after));
    // Most new links are never asked for while many are folded: they enter the cache when they are.
    if (before !== undefined) cache.set(code, after);
    if (before === undefined) {
      links += 1;
      filter.add(code);
      write(ordinalKey(ordinal), code);
    }
    if (before?.url !== after.url) write(urlKey(after.url, ordinal), code);

    const tagsBefore = distinctTags(before?.tags);
    const tagsAfter = distinctTags(after.tags);
    for (const [key, tag] of tagsBefore) if (!tagsAfter.has(key)) write(taggedKey(tag, ordinal), null);
    for (const [key, tag] of tagsAfter) if (!tagsBefore.has(key)) write(taggedKey(tag, ordinal), code);
    const countedBefore = before === undefined || before.deletedAt !== null ? noTags : tagsBefore;
    const countedAfter = after.deletedAt !== null ? noTags : tagsAfter;
    for (const [key, tag] of countedBefore) if (!countedAfter.has(key)) countTag(tag, -1);
    for (const [key, tag] of countedAfter) if (!countedBefore.has(key)) countTag(tag, 1);
  }

  async function expireOutcomes(): Promise<void> {
    if (!hasExpiredOutcomes) return;
    const lt = outcomeBucketPrefix(Math.max(0, oldestLiveBucket()));
    const expired = await store.range({ gte: outcomePrefix, lt, limit: expiredOutcomesPerCommitMax });
    for (const [key] of expired) write(key, null);
    hasExpiredOutcomes = expired.length === expiredOutcomesPerCommitMax;
  }

  return {
    find,
    peek: (code) => cache.peek(code) ?? load(code),
    outcomeOf(commandId) {
      const newest = Math.max(...positions.map((each) => bucketOf(each.streamTimeMs)));
      return outcomeIn(newest, oldestLiveBucket(), commandId);
    },
    everLedTo(link, url) {
      if (link.url === url) return true;
      const key = urlKey(url, link.ordinal);
      return isUncommitted(key) || store.getSync(key) !== undefined;
    },
    size: () => links,
    nextOffset: (partition) => positions[partition]?.nextOffset ?? 0,
    fold(partition, event, value) {
      const position = positions[partition];
      if (position === undefined) throw new RangeError(`there is no partition ${partition}`);
      const offset = position.nextOffset;
      const bucketBefore = bucketOf(position.streamTimeMs);
      const streamTimeMs = Math.max(position.streamTimeMs, event.at);
      const bucket = bucketOf(streamTimeMs);
      if (bucket !== bucketBefore) hasExpiredOutcomes = true;

      const { code } = event;
      const before = find(code);
      let after = evolve(before, event, ordinalOf(partition, offset, partitionCount));
      let known: CommandOutcome | undefined;
      if (before !== undefined) {
        // A command is effective once, and what is known of it stays known. A first creation needs no look-up: had its
        // command been effective for this code, the link would be there.
        known = outcomeIn(bucket, bucket - outcomeBucketsBefore, event.commandId);
        if (known !== undefined && known.version !== null && known.code === code) after = before;
      }
      const effective = after !== undefined && after !== before;
      if (effective) writeLink(before, after as Link);
      const version = after?.version ?? 0;
      write(eventKey(partition, offset), Buffer.from(value));
      if (before !== undefined || !effective) {
        write(historyKey(code, offset), encodeHistoryRow({ partition, offset, version, effective }));
      }
      if (effective || known === undefined || known.version === null) {
        const outcome = { commandId: event.commandId, code, version: effective ? version : null, offset };
        pending.read.set(outcomeKey(bucket, event.commandId), encodeOutcome(outcome));
      }
      positions[partition] = { nextOffset: offset + 1, streamTimeMs };
      return { link: after, effective };
    },
    async events(places) {
      const keys = places.map(({ partition, offset }) => eventKey(partition, offset));
      const wanted = new Set(keys);
      const waiting = new Map<string, RowValue | null>();
      for (const [key, value] of uncommitted()) if (wanted.has(key)) waiting.set(key, value);
      const stored = await store.getMany(keys);
      return keys.map((key, index) => {
        const value = waiting.get(key) ?? stored[index];
        if (value === undefined) throw new StoreDamaged(`the row ${key} of the link table is missing`);
        return Buffer.from(value as Uint8Array);
      });
    },
    async range({ gt, lt, reverse, limit }) {
      // What is pending now counts, wherever the commit stands by the time the store answers.
      const newer: (readonly [string, RowValue | null])[] = [];
      for (const entry of uncommitted()) if (entry[0] > gt && entry[0] < lt) newer.push(entry);
      const stored = await store.range({ gt, lt, reverse, limit });
      const last = stored.length === limit ? stored.at(-1)?.[0] : undefined;
      const merged = new Map<string, RowValue | null>(stored);
      for (const [key, value] of newer) {
        if (last === undefined || (reverse ? key > last : key < last) || key === last) merged.set(key, value);
      }
      const entries: [string, RowValue][] = [];
      for (const [key, value] of merged) if (value !== null) entries.push([key, value]);
      entries.sort(([left], [right]) => (left < right === reverse ? 1 : -1));
      return { entries, next: last };
    },
    uncommittedRows: () => countOf(pending) + countOf(committing),
    async commit() {
      if (committing === null) {
        await expireOutcomes();
        if (countOf(pending) === 0) return;
        const { schema, logId } = checkpoint;
        const now: LinkTableCheckpoint = { schema, logId, partitions: [...positions], links };
        write(checkpointKey, encodeCheckpoint(now));
        committing = pending;
        pending = emptyRows();
      }
      const batch = store.batch();
      const liveOutcomes = outcomeBucketPrefix(Math.max(0, oldestLiveBucket()));
      const put = (key: string, value: RowValue | null): void => {
        if (value === null) batch.delete(key);
        else batch.put(key, typeof value === 'string' ? encoded(value) : value);
      };
      for (const [key, value] of committing.read) {
        // An outcome that is out of reach already: most of them, when years of events are folded anew.
        if (key < liveOutcomes && key.startsWith(outcomePrefix)) continue;
        put(key, value);
      }
      for (const [index, key] of committing.keys.entries()) put(key, committing.values[index] ?? null);
      // Not synced: the log is the truth, and what a power loss takes from the store is folded again.
      await batch.write();
      committing = null;
    },
    async fillFilter(isWanted) {
      let gt = ordinalPrefix;
      while (!filterIsComplete && isWanted()) {
        const chunk = await store.range({ gt, lt: behind(ordinalPrefix), limit: filterEntriesPerRead });
        for (const [, value] of chunk) filter.add(textOf(value));
        gt = chunk.at(-1)?.[0] ?? gt;
        // Codes folded meanwhile are added by the fold itself.
        if (chunk.length < filterEntriesPerRead) filterIsComplete = true;
      }
    },
  };
}

const noTags: ReadonlyMap<string, string> = new Map();

/** By the form in which tags are compared; the last spelling stays. */
function distinctTags(tags: readonly string[] | undefined): ReadonlyMap<string, string> {
  if (tags === undefined || tags.length === 0) return noTags;
  return new Map(tags.map((tag) => [tagKey(tag), tag]));
}
