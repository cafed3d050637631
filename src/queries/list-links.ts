import type { Position } from '../ports/statistics-read-model.ts';
import type { LinkStatus, LinkView } from './link-view.ts';

/** A page of links. Cursors are opaque strings to the caller; http signs them. */
export type ListLinks = (query: ListLinksQuery) => Promise<LinkPage>;

export interface ListLinksQuery {
  readonly url?: string;
  /** Case-insensitive substring of target, code, note or tags. */
  readonly q?: string;
  readonly tag?: string;
  readonly status?: LinkStatus;
  readonly sort: 'createdAt' | 'visits' | 'lastVisitAt';
  readonly order: 'asc' | 'desc';
  readonly after?: ListCursor;
  /** 1 to 100. */
  readonly limit: number;
}

/** The last entry of the page before: sort value and ordinal. */
export interface ListCursor {
  readonly value: number;
  readonly ordinal: number;
}

export interface LinkPage {
  readonly links: readonly LinkView[];
  readonly next: ListCursor | null;
  readonly position: Position;
}
