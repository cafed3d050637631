/** Pages of links, filtered and sorted. Long walks are cut into chunks between which others get their turn. */
import { setImmediate } from 'node:timers/promises';
import { type Link, statusOf } from '../domain/link.ts';
import { tagKey } from '../domain/link-input.ts';
import type { VisitTotals } from '../domain/statistics.ts';
import type { Clock } from '../ports/clock.ts';
import type { CodeEntry, LinkIndexes, LinkScan, LinkTable } from '../ports/link-table.ts';
import type { Position, StatisticsReadModel } from '../ports/statistics-read-model.ts';
import { viewOf } from './get-link.ts';
import type { LinkStatus, LinkView } from './link-view.ts';

/** A page of links. Cursors are opaque strings to the caller; http signs them. */
export type ListLinks = (query: ListLinksQuery) => Promise<LinkPage>;

export interface ListLinksQuery {
  readonly url?: string;
  /** Case-insensitive substring of target, code, note or tags. */
  readonly q?: string;
  readonly tag?: string;
  /** Deleted links are listed only when it is `deleted`. */
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

export interface ListLinksDependencies {
  readonly linkTable: Pick<LinkTable, 'find' | 'scan'> & Pick<LinkIndexes, 'scanCodes'>;
  readonly statistics: Pick<StatisticsReadModel, 'totalsOf' | 'everyTotal' | 'highest'>;
  readonly clock: Clock;
}

const chunkMax = 500;
const totalsMaxAgeMs = 1000;

/** So many of the links that are kept in order are asked for, then so many. */
const highestCounts = [200, 3_000];

interface Candidate extends ListCursor {
  readonly link: Link;
}

/** Throws `StatisticsRebuilding` and `StatisticsUnavailable` as the statistics do. */
export function createListLinks({ linkTable, statistics, clock }: ListLinksDependencies): ListLinks {
  /** Links in order of creation: a new one never moves an old one, so pages fit whatever is added. */
  async function byCreation(query: ListLinksQuery): Promise<Candidate[]> {
    const found: Candidate[] = [];
    const isFiltered = query.q !== undefined || query.status !== undefined;
    const chunk = isFiltered ? chunkMax : query.limit + 1;
    for (let afterOrdinal = query.after?.ordinal; ; ) {
      const links = await linkTable.scan(scanOf(query, query.order === 'desc', afterOrdinal, chunk));
      const totals = await totalsForStatus(query, links);
      for (const link of links) {
        if (!matches(query, link, totals.get(link.code), clock.nowMs())) continue;
        found.push({ link, value: link.createdAt, ordinal: link.ordinal });
        if (found.length > query.limit) return found;
      }
      if (links.length < chunk) return found;
      afterOrdinal = links.at(-1)?.ordinal;
      await setImmediate();
    }
  }

  /**
   * The best of all candidates. They come in the order that decides between equals, so that of the many links without a
   * visit no more are looked at than the page holds.
   */
  async function byVisits(query: ListLinksQuery): Promise<Candidate[]> {
    const highest = query.order === 'desc' && !isFilteredAtAll(query) ? await amongHighest(query, query.sort) : null;
    if (highest !== null) return highest;
    const totals = await statistics.everyTotal(totalsMaxAgeMs);
    const sign = query.order === 'desc' ? -1 : 1;
    const compare = (left: ListCursor, right: ListCursor): number =>
      sign * (left.value - right.value || left.ordinal - right.ordinal);
    const best: Candidate[] = [];
    const isFiltered = query.q !== undefined || query.status !== undefined;
    for (let afterOrdinal: number | undefined; ; ) {
      const scan = scanOf(query, query.order === 'desc', afterOrdinal, chunkMax);
      // With a filter nearly every link is needed, without one nearly none.
      const entries: readonly (CodeEntry | Link)[] = await (isFiltered
        ? linkTable.scan(scan)
        : linkTable.scanCodes(scan));
      for (const entry of entries) {
        const { code, ordinal } = entry;
        const visits = totals.get(code);
        const value = (query.sort === 'visits' ? visits?.total : visits?.lastVisitAt) ?? 0;
        const place = { value, ordinal };
        if (query.after !== undefined && compare(place, query.after) <= 0) continue;
        const last = best.length > query.limit ? best.at(-1) : undefined;
        if (last !== undefined && compare(place, last) > 0) continue;
        const link = 'url' in entry ? entry : linkTable.find(code);
        if (link === undefined || !matches(query, link, visits, clock.nowMs())) continue;
        best.splice(insertionPoint(best, place, compare), 0, { ...place, link });
        if (best.length > query.limit + 1) best.pop();
      }
      if (entries.length < chunkMax) return best;
      afterOrdinal = entries.at(-1)?.ordinal;
      await setImmediate();
    }
  }

  /** The page when it lies among the links that are kept in order; null when that is not known. */
  async function amongHighest(query: ListLinksQuery, sort: ListLinksQuery['sort']): Promise<Candidate[] | null> {
    if (sort === 'createdAt') return null;
    const { after, limit } = query;
    for (const count of highestCounts) {
      const highest = await statistics.highest(sort, count);
      const lowest = highest?.at(-1)?.value;
      // The end of the list is followed by the links without a visit, which nobody keeps in order.
      if (highest === null || lowest === undefined || highest.length < count) return null;
      const found: Candidate[] = [];
      for (const { code, value } of highest) {
        const link = linkTable.find(code);
        // Others with the same number as the last one may follow it.
        if (link === undefined || link.deletedAt !== null || value === lowest) continue;
        found.push({ link, value, ordinal: link.ordinal });
      }
      found.sort((left, right) => right.value - left.value || right.ordinal - left.ordinal);
      const page = found.filter(
        ({ value, ordinal }) =>
          after === undefined || value < after.value || (value === after.value && ordinal < after.ordinal),
      );
      if (page.length > limit) return page.slice(0, limit + 1);
    }
    return null;
  }

  /** Only a limit of visits makes the status depend on the numbers. */
  async function totalsForStatus(
    query: ListLinksQuery,
    links: readonly Link[],
  ): Promise<ReadonlyMap<string, VisitTotals>> {
    if (query.status === undefined || query.status === 'deleted') return new Map();
    const limited = links.filter((link) => link.maxVisits !== null).map((link) => link.code);
    return limited.length === 0 ? new Map() : (await statistics.totalsOf(limited)).totals;
  }

  return async (query) => {
    const candidates = await (query.sort === 'createdAt' ? byCreation(query) : byVisits(query));
    const page = candidates.slice(0, query.limit);
    const last = candidates.length > query.limit ? page.at(-1) : undefined;
    const { totals, position } = await statistics.totalsOf(page.map(({ link }) => link.code));
    const nowMs = clock.nowMs();
    return {
      links: page.map(({ link }) => viewOf(link, totals.get(link.code), nowMs)),
      next: last === undefined ? null : { value: last.value, ordinal: last.ordinal },
      position,
    };
  };
}

function isFilteredAtAll({ url, q, tag, status }: ListLinksQuery): boolean {
  return [url, q, tag, status].some((filter) => filter !== undefined);
}

function scanOf(query: ListLinksQuery, descending: boolean, afterOrdinal: number | undefined, limit: number): LinkScan {
  return {
    ...(query.url === undefined ? {} : { url: query.url }),
    ...(query.tag === undefined ? {} : { tag: query.tag }),
    ...(afterOrdinal === undefined ? {} : { afterOrdinal }),
    descending,
    limit,
  };
}

function matches(query: ListLinksQuery, link: Link, totals: VisitTotals | undefined, nowMs: number): boolean {
  const status = statusOf(link, nowMs, totals?.nonBots ?? 0);
  if (query.status === undefined ? status === 'deleted' : status !== query.status) return false;
  if (query.url !== undefined && link.url !== query.url) return false;
  if (query.tag !== undefined && !link.tags.some((tag) => tagKey(tag) === tagKey(query.tag ?? ''))) return false;
  if (query.q === undefined) return true;
  const wanted = query.q.toLowerCase();
  return [link.url, link.code, link.note ?? '', ...link.tags].some((text) => text.toLowerCase().includes(wanted));
}

function insertionPoint(
  sorted: readonly ListCursor[],
  place: ListCursor,
  compare: (left: ListCursor, right: ListCursor) => number,
): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(sorted[middle] as ListCursor, place) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
