/** Links as JSON. */
import type { LinkStatus, LinkView } from '../queries/link-view.ts';
import { isoInstant, isoInstantOrNull } from './times.ts';

/** A link as it is told over HTTP. Times are ISO 8601 in UTC, to the millisecond. */
export interface LinkJson {
  readonly code: string;
  readonly shortUrl: string;
  readonly url: string;
  readonly version: number;
  readonly status: LinkStatus;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly expiresAt: string | null;
  readonly maxVisits: number | null;
  readonly tags: readonly string[];
  readonly note: string | null;
  /** All-time numbers; null right after a change while the statistics cannot be read. */
  readonly visits: VisitsJson | null;
}

export interface VisitsJson {
  readonly total: number;
  readonly nonBots: number;
  readonly bots: number;
  readonly lastVisitAt: string | null;
}

/** A link with its numbers, or without them while the statistics cannot be read. */
export type ShownLink = Pick<LinkView, 'link' | 'status'> & { readonly visits: LinkView['visits'] | null };

export function linkJson(view: ShownLink, baseUrl: string): LinkJson {
  const { link, status, visits } = view;
  return {
    code: link.code,
    shortUrl: shortUrlOf(link.code, baseUrl),
    url: link.url,
    version: link.version,
    status,
    createdAt: isoInstant(link.createdAt),
    updatedAt: isoInstant(link.updatedAt),
    expiresAt: isoInstantOrNull(link.expiresAt),
    maxVisits: link.maxVisits,
    tags: link.tags,
    note: link.note,
    visits: visits && visitsJson(visits),
  };
}

/** What `GET /:code+` answers to a client that asks for JSON. */
export function linkPreviewJson(view: ShownLink, baseUrl: string): Readonly<Record<string, unknown>> {
  const { code, shortUrl, url, status, createdAt, expiresAt, maxVisits, visits } = linkJson(view, baseUrl);
  return { code, shortUrl, url, host: new URL(url).host, status, createdAt, expiresAt, maxVisits, visits };
}

export function shortUrlOf(code: string, baseUrl: string): string {
  return `${baseUrl}/${code}`;
}

export function visitsJson(visits: LinkView['visits']): VisitsJson {
  const { total, nonBots, bots, lastVisitAt } = visits;
  return { total, nonBots, bots, lastVisitAt: isoInstantOrNull(lastVisitAt) };
}
