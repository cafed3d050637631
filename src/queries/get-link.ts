/** One link with its numbers, as the API and the pages show it. */
import { type Link, statusOf } from '../domain/link.ts';
import type { VisitTotals } from '../domain/statistics.ts';
import type { Clock } from '../ports/clock.ts';
import type { LinkTable } from '../ports/link-table.ts';
import type { StatisticsReadModel } from '../ports/statistics-read-model.ts';
import type { LinkView } from './link-view.ts';

/**
 * The link of a code with its numbers, deleted links included; undefined when there never was one. Throws
 * `StatisticsRebuilding` and `StatisticsUnavailable` as the statistics do.
 */
export type GetLink = (code: string) => Promise<LinkView | undefined>;

export interface GetLinkDependencies {
  readonly linkTable: Pick<LinkTable, 'find'>;
  readonly statistics: Pick<StatisticsReadModel, 'totalsOf'>;
  readonly clock: Clock;
}

export function createGetLink({ linkTable, statistics, clock }: GetLinkDependencies): GetLink {
  return async (code) => {
    if (linkTable.find(code) === undefined) return undefined;
    const { totals } = await statistics.totalsOf([code]);
    // Read after the numbers, so that a change made meanwhile is not missed.
    const link = linkTable.find(code);
    return link === undefined ? undefined : viewOf(link, totals.get(code), clock.nowMs());
  };
}

/** A link beside its numbers; `totals` is undefined when it has no visit. */
export function viewOf(link: Link, totals: VisitTotals | undefined, nowMs: number): LinkView {
  const { total = 0, nonBots = 0, bots = 0, lastVisitAt = null } = totals ?? {};
  return { link, status: statusOf(link, nowMs, nonBots), visits: { total, nonBots, bots, lastVisitAt } };
}
