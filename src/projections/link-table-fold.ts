/**
 * The fold of the link table over its store: events become rows, which are readable at once and reach the disk in one
 * atomic batch a commit, together with the position they stand at. It reads no log and waits for nothing but its store.
 */
import { LRUCache } from 'lru-cache';
import { evolve, type Link, type LinkEvent } from '../domain/link.ts';
import { tagKey } from '../domain/link-input.ts';
import type { CommandOutcome, FoldedEvent } from '../ports/link-table.ts';
import { type StateStore, StoreDamaged } from '../ports/state-store.ts';
import { encodeLinkEvent } from '../serde/link-event.ts';
import { decodeCreation, decodeLinkRow, encodeCreatedLinkRow, encodeLinkRow } from '../serde/link-row.ts';
import { createCodeFilter } from './link-table-code-filter.ts';
import {
  behind,
  checkpointKey,
  codeKey,
  codePrefix,
  creationOf,
  decodeHistoryRow,
  decodeOutcome,
  decodeTagCount,
  encodeCheckpoint,
  encodeHistoryRow,
  encodeOutcome,
  encodeTagCount,
  historyKey,
  type LinkTableCheckpoint,
  linkKey,
  ordinalOf,
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
const filterEntriesPerRead = 2000;

/** Rows of one commit: values, or null for a row to delete. */
type Rows = Map<string, RowValue | null>;

export interface FoldedRecord {
  readonly link: Link | undefined;
  readonly effective: boolean;
}

export interface LinkFold {
  find(code: string): Link | undefined;
  /** The link of an ordinal that an index names; leaves the cache as it is. */
  at(ordinal: number): Link | undefined;
  /** The creation of a link that was never changed since; undefined for all others, whose history rows hold it. */
  creation(link: Link): FoldedEvent | undefined;
  outcomeOf(commandId: string): CommandOutcome | undefined;
  /** Whether this link leads or ever led to `url`. */
  everLedTo(link: Link, url: string): boolean;
  size(): number;
  nextOffset(partition: number): number;
  /** The highest event time folded, ms; 0 before the first. */
  streamTimeMs(partition: number): number;
  /**
   * Says that every partition is about to be folded to this stream time, ms, before anyone asks for outcomes: those of creations that are
   * out of reach by then are not written. What the fold needs of them stands in the rows of the links.
   */
  willReach(streamTimeMs: number): void;
  /** Folds the record at `nextOffset(partition)`; `value` is not kept. */
  fold(partition: number, event: LinkEvent, value: Buffer): FoldedRecord;
  /** Goes past the record at `nextOffset(partition)`, which is no event. */
  pass(partition: number): void;
  /** Entries of `gt < key < lt`, rows that are not committed yet included. */
  range(query: RangeQuery): Promise<RangeAnswer>;
  /** Rows that are not on the disk yet. */
  uncommittedRows(): number;
  /** Writes what is pending in one batch. One at a time; after an error the rows are kept and the next call tries again. */
  commit(): Promise<void>;
  /** Reads the codes that the store holds into the filter for unknown ones. Until then unknown codes cost a read. */
  fillFilter(isWanted: () => boolean): Promise<void>;
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
  let links = checkpoint.links;
  let filterIsComplete = links === 0;
  let pending: Rows = new Map();
  let committing: Rows | null = null;
  /** Outcomes of buckets before this one are deleted, or about to be. Since the start: there may be more. */
  let expiredBefore = 0;
  let expiring: Promise<void> = Promise.resolve();
  /** Outcomes of creations in buckets before this one are not written. */
  let writtenFrom = 0;

  function row(key: string): RowValue | undefined {
    const newest = pending.get(key);
    const newer = newest === undefined ? committing?.get(key) : newest;
    if (newer === null) return undefined;
    return newer ?? store.getSync(key);
  }

  function at(ordinal: number): Link | undefined {
    const bytes = row(linkKey(ordinal));
    return bytes === undefined ? undefined : decodeLinkRow(ordinal, textOf(bytes));
  }

  function load(code: string): Link | undefined {
    if (filterIsComplete && !filter.mayHave(code)) return undefined;
    const bytes = row(codeKey(code));
    if (bytes === undefined) return undefined;
    const link = at(Number(textOf(bytes)));
    if (link?.code !== code) throw new StoreDamaged(`the row of the link ${code} is missing`);
    return link;
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

  function creation(link: Link): FoldedEvent | undefined {
    const bytes = row(linkKey(link.ordinal));
    const event = bytes === undefined ? undefined : decodeCreation(textOf(bytes));
    return event && { event, ...creationOf(link.ordinal, partitionCount), version: 1, effective: true };
  }

  function commandThatMade(link: Link): string | undefined {
    const made = creation(link);
    if (made !== undefined) return made.event.commandId;
    const bytes = row(historyKey(link.code, creationOf(link.ordinal, partitionCount).offset));
    return bytes && decodeHistoryRow(bytes).event.commandId;
  }

  function countTag(tag: string, delta: 1 | -1): void {
    const key = tagCountKey(tag);
    const bytes = row(key);
    const before = bytes === undefined ? { name: tag, links: 0 } : decodeTagCount(bytes);
    const after = before.links + delta;
    pending.set(key, after <= 0 ? null : encodeTagCount({ name: before.name, links: after }));
  }

  function writeLink(before: Link | undefined, after: Link, event: LinkEvent): void {
    const { code, ordinal } = after;
    if (before === undefined) {
      links += 1;
      filter.add(code);
      // Most new links are never asked for while many are folded: they enter the cache when they are.
      pending.set(codeKey(code), String(ordinal));
      pending.set(linkKey(ordinal), encodeCreatedLinkRow(after, event));
    } else {
      const created = creation(before);
      if (created !== undefined) {
        pending.set(historyKey(code, created.offset), encodeHistoryRow(created, encodeLinkEvent(created.event)));
      }
      cache.set(code, after);
      pending.set(linkKey(ordinal), encodeLinkRow(after));
    }
    if (before?.url !== after.url) pending.set(urlKey(after.url, ordinal), code);

    if (before !== undefined || after.tags.length > 0) writeTags(before, after);
  }

  function writeTags(before: Link | undefined, after: Link): void {
    const { code, ordinal } = after;
    const tagsBefore = distinctTags(before?.tags ?? []);
    const tagsAfter = distinctTags(after.tags);
    for (const [key, tag] of tagsBefore) if (!tagsAfter.has(key)) pending.set(taggedKey(tag, ordinal), null);
    for (const [key, tag] of tagsAfter) if (!tagsBefore.has(key)) pending.set(taggedKey(tag, ordinal), code);
    const countedBefore = before === undefined || before.deletedAt !== null ? noTags : tagsBefore;
    const countedAfter = after.deletedAt !== null ? noTags : tagsAfter;
    for (const [key, tag] of countedBefore) if (!countedAfter.has(key)) countTag(tag, -1);
    for (const [key, tag] of countedAfter) if (!countedBefore.has(key)) countTag(tag, 1);
  }

  /**
   * Begins to delete the outcomes that nobody looks into any more. They may be there for longer, so nothing waits for it but the next
   * one; if it fails, the one after it begins where it began.
   */
  async function expireOutcomes(): Promise<void> {
    const oldest = oldestLiveBucket();
    if (oldest <= expiredBefore) return;
    await expiring;
    const before = expiredBefore;
    expiredBefore = oldest;
    const gte = before === 0 ? outcomePrefix : outcomeBucketPrefix(before);
    expiring = store.clear({ gte, lt: outcomeBucketPrefix(oldest) }).catch(() => {
      expiredBefore = before;
    });
  }

  return {
    find,
    at,
    creation,
    outcomeOf(commandId) {
      const newest = Math.max(...positions.map((each) => bucketOf(each.streamTimeMs)));
      return outcomeIn(newest, oldestLiveBucket(), commandId);
    },
    everLedTo(link, url) {
      if (link.url === url) return true;
      return row(urlKey(url, link.ordinal)) !== undefined;
    },
    size: () => links,
    nextOffset: (partition) => positions[partition]?.nextOffset ?? 0,
    streamTimeMs: (partition) => positions[partition]?.streamTimeMs ?? 0,
    willReach(streamTimeMs) {
      // Whatever is folded into a bucket that stays in reach looks back as far again.
      writtenFrom = bucketOf(streamTimeMs) - 2 * outcomeBucketsBefore;
    },
    fold(partition, event, value) {
      const position = positions[partition];
      if (position === undefined) throw new RangeError(`there is no partition ${partition}`);
      const offset = position.nextOffset;
      const streamTimeMs = Math.max(position.streamTimeMs, event.at);
      const bucket = bucketOf(streamTimeMs);

      const { code } = event;
      const before = find(code);
      let after = evolve(before, event, ordinalOf(partition, offset, partitionCount));
      let known: CommandOutcome | undefined;
      if (before !== undefined) {
        // A command is effective once, and what is known of it stays known. A first creation needs no look-up: had its
        // command been effective for this code, the link would be there.
        known = outcomeIn(bucket, bucket - outcomeBucketsBefore, event.commandId);
        if (known !== undefined && known.version !== null && known.code === code) after = before;
        else if (after !== before && commandThatMade(before) === event.commandId) after = before;
      }
      const effective = after !== undefined && after !== before;
      if (effective) writeLink(before, after as Link, event);
      const version = after?.version ?? 0;
      if (before !== undefined || !effective) {
        pending.set(historyKey(code, offset), encodeHistoryRow({ partition, offset, version, effective }, value));
      }
      const isReachable = before !== undefined || !effective || bucket >= writtenFrom;
      if (isReachable && (effective || known === undefined || known.version === null)) {
        const outcome = { commandId: event.commandId, code, version: effective ? version : null, offset };
        pending.set(outcomeKey(bucket, event.commandId), encodeOutcome(outcome));
      }
      positions[partition] = { nextOffset: offset + 1, streamTimeMs };
      return { link: after, effective };
    },
    pass(partition) {
      const position = positions[partition];
      if (position === undefined) throw new RangeError(`there is no partition ${partition}`);
      positions[partition] = { ...position, nextOffset: position.nextOffset + 1 };
    },
    async range({ gt, lt, reverse, limit }) {
      // What is pending now counts, wherever the commit stands by the time the store answers.
      const newer: (readonly [string, RowValue | null])[] = [];
      for (const rows of committing === null ? [pending] : [committing, pending]) {
        for (const entry of rows) if (entry[0] > gt && entry[0] < lt) newer.push(entry);
      }
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
    uncommittedRows: () => pending.size + (committing?.size ?? 0),
    async commit() {
      if (committing === null) {
        await expireOutcomes();
        if (pending.size === 0) return;
        const { schema, logId } = checkpoint;
        const now: LinkTableCheckpoint = { schema, logId, partitions: [...positions], links };
        pending.set(checkpointKey, encodeCheckpoint(now));
        committing = pending;
        pending = new Map();
      }
      const batch = store.batch();
      const liveOutcomes = outcomeBucketPrefix(Math.max(0, oldestLiveBucket()));
      for (const [key, value] of committing) {
        if (value === null) batch.delete(key);
        // Not an outcome that is out of reach already: most of them, when years of events are folded anew.
        else if (key >= liveOutcomes || !key.startsWith(outcomePrefix)) batch.put(key, value);
      }
      // Not synced: the log is the truth, and what a power loss takes from the store is folded again.
      await batch.write();
      committing = null;
    },
    async fillFilter(isWanted) {
      let gt = codePrefix;
      while (!filterIsComplete && isWanted()) {
        const chunk = await store.range({ gt, lt: behind(codePrefix), limit: filterEntriesPerRead });
        for (const [key] of chunk) filter.add(key.slice(codePrefix.length));
        gt = chunk.at(-1)?.[0] ?? gt;
        // Codes folded meanwhile are added by the fold itself.
        if (chunk.length < filterEntriesPerRead) filterIsComplete = true;
      }
    },
  };
}

const noTags: ReadonlyMap<string, string> = new Map();

/** By the form in which tags are compared; the last spelling stays. */
function distinctTags(tags: readonly string[]): ReadonlyMap<string, string> {
  return new Map(tags.map((tag) => [tagKey(tag), tag]));
}
