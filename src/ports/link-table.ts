/**
 * The link table: the whole `links` topic folded on this instance. It answers redirects and lists and decides which
 * commands were effective, without asking anyone.
 */
import type { Link, LinkEvent } from '../domain/link.ts';

export interface LinkTable {
  /** The link of a code as of the applied offset, deleted ones included. Synchronous: the redirect door calls it. */
  find(code: string): Link | undefined;
  /** What the fold decided for a command, remembered for at least 24 h. */
  outcomeOf(commandId: string): CommandOutcome | undefined;
  /** Resolves when the record at `offset` of `partition` is folded. */
  applied(partition: number, offset: number): Promise<void>;
  /** Events of a link, oldest first, from `afterOffset` (exclusive) on, at most `limit`. */
  history(code: string, afterOffset: number, limit: number): Promise<readonly FoldedEvent[]>;
  /** Links in creation order, filtered by what an index can answer; at most `limit` a call, continue with the last `ordinal`. */
  scan(query: LinkScan): Promise<readonly Link[]>;
  /** Every tag in use by links that are not deleted, with how many; sorted by name. */
  tags(): Promise<readonly TagCount[]>;
  /** Links in the table, deleted ones included. */
  size(): number;
  /** Calls `listener` with the link after each effective event. Returns the function that ends it. */
  onChange(listener: (link: Link) => void): () => void;
}

export interface LinkScan {
  /** Only links with this exact target. */
  readonly url?: string;
  /** Only links with this tag (compared case-insensitively). */
  readonly tag?: string;
  /** Newest first when true. */
  readonly descending: boolean;
  /** Continue behind this ordinal (exclusive), in the order asked for. */
  readonly afterOrdinal?: number;
  /** 1 to 10,000. */
  readonly limit: number;
}

/** What else the table's indexes answer, for queries that must not read every link. */
export interface LinkIndexes {
  /** As `scan`, without reading the links: past targets of a URL and links changed meanwhile may be among them. */
  scanCodes(query: LinkScan): Promise<readonly CodeEntry[]>;
  /** Whether a link of the table leads or ever led to `url`. Synchronous. */
  everLedTo(link: Link, url: string): boolean;
}

export interface CodeEntry {
  readonly code: string;
  readonly ordinal: number;
}

export interface TagCount {
  readonly name: string;
  readonly links: number;
}

/** What became of a command: the event that carried it was effective, or was recorded as rejected. */
export interface CommandOutcome {
  readonly commandId: string;
  readonly code: string;
  /** The link's version after the event when it was effective, null when it was rejected. */
  readonly version: number | null;
  readonly offset: number;
}

/** An event with what the fold made of it. */
export interface FoldedEvent {
  readonly event: LinkEvent;
  readonly partition: number;
  readonly offset: number;
  /** The link's version after this event; unchanged by a rejected one. */
  readonly version: number;
  readonly effective: boolean;
}
