/**
 * The statistics of one link over a range: one read of its days, summed here. Costs O(days with visits + buckets),
 * whatever the number of visits. Does not wait for the fold and knows nothing of how an answer is written.
 */
import type { Link } from '../domain/link.ts';
import type { FieldError } from '../domain/refusal.ts';
import type { DayStatistics, Dimension, VisitTotals } from '../domain/statistics.ts';
import type { Clock } from '../ports/clock.ts';
import type { LinkStatistics, PartitionPosition, StatisticsReadModel } from '../ports/statistics-read-model.ts';
import { type NamedCount, sumBreakdowns } from './breakdown.ts';
import { dayMs, quarterHourMs } from './calendar.ts';
import { type Interval, sumIntoBuckets } from './series.ts';
import {
  type BucketedRange,
  ceilToQuarter,
  divideRange,
  floorToQuarter,
  type ParsedRange,
  parseStatisticsRange,
  type StatisticsRange,
} from './statistics-range.ts';
import { formatLocal, type TimeZone } from './time-zone.ts';

export type { Interval, NamedCount, StatisticsRange };

/**
 * Errors name the members of the range. Throws what the read model throws: {@link StatisticsRebuilding} and
 * {@link StatisticsUnavailable}, both to be answered with 503.
 */
export type LinkStatisticsQuery = (link: Link, range: StatisticsRange) => Promise<Statistics | readonly FieldError[]>;

export interface Statistics {
  readonly code: string;
  readonly url: string;
  /** RFC 3339 with the zone's offset; widened to whole quarter hours. Inclusive. */
  readonly from: string;
  /** Exclusive. */
  readonly to: string;
  readonly interval: Interval;
  readonly timezone: string;
  /** `nonBots + bots`, and the sum of the series. */
  readonly total: number;
  readonly nonBots: number;
  readonly bots: number;
  /** Of the days of `breakdownRange`: prefetches are kept by the day. */
  readonly prefetches: number;
  /** Of the days of `breakdownRange`: the sum of each day's estimate, so a person who comes on two days counts twice. */
  readonly uniqueVisitors: number;
  /**
   * First and last visit in the range, ms; null without a visit. Exact, but where the range cuts a UTC day and that day's
   * first (last) visit lies outside: then the beginning of the quarter hour that holds the visit.
   */
  readonly firstVisitAt: number | null;
  readonly lastVisitAt: number | null;
  /** Without gaps, oldest first. The first and the last bucket may reach beyond the range; only visits in it are counted. */
  readonly series: readonly SeriesBucket[];
  /** Of the days of `breakdownRange`. Each sums to the human visits of those days, `crawlers` to the bots. */
  readonly breakdowns: Readonly<Record<Dimension, readonly NamedCount[]>>;
  /**
   * The whole UTC days, instants in UTC, that breakdowns, prefetches and unique visitors stand for: the range, widened
   * where it cuts a day. The same instants as `from` and `to` when it cuts none.
   */
  readonly breakdownRange: { readonly from: string; readonly to: string };
  /**
   * Where the numbers stand: `at` is when they were read (ms). `final` says that the range has ended before the applied
   * stream time and no visit of before its end is pending, so its totals and its series can no longer change.
   */
  readonly position: PartitionPosition & { readonly at: number; readonly lagMs: number; readonly final: boolean };
}

export interface SeriesBucket {
  /** Local time with the zone's offset, RFC 3339. */
  readonly start: string;
  readonly total: number;
  readonly nonBots: number;
}

export interface LinkStatisticsContext {
  readonly statistics: Pick<StatisticsReadModel, 'daysOf' | 'progressNow'>;
  readonly clock: Pick<Clock, 'nowMs'>;
}

export function createLinkStatistics({ statistics, clock }: LinkStatisticsContext): LinkStatisticsQuery {
  return async (link, asked) => {
    const parsed = parseStatisticsRange(asked);
    if ('length' in parsed) return parsed;
    const { zone, interval, fromMs, toMs } = parsed;
    const known = fromMs === null || toMs === null ? null : divideRange(zone, interval, fromMs, toMs);
    if (known !== null && 'length' in known) return known;
    const nowMs = clock.nowMs();
    // Read before the days: a visit that is pending at this moment may or may not be in them.
    const { lagMs } = await statistics.progressNow();
    const fromDay = fromMs === null ? 0 : Math.max(0, dayOf(fromMs));
    const toDay = toMs === null ? dayOf(nowMs) + daysAhead : dayAfter(toMs);
    const read = await statistics.daysOf(link.code, fromDay, Math.max(fromDay, toDay));
    const ends = rangeEnds(parsed, link, read.totals, nowMs);
    const range = known ?? divideRange(zone, interval, ends.fromMs, ends.toMs);
    if ('length' in range) return range;
    return {
      code: link.code,
      url: link.url,
      ...summary(zone, range, read.days),
      position: { ...positionOf(read), at: nowMs, lagMs, final: isFinal(range.toMs, read, nowMs, lagMs) },
    };
  };
}

/** Visits of clocks that were this far ahead of ours are still found by a range that ends now: a hundred years. */
const daysAhead = 36_525;

function dayOf(ms: number): number {
  return Math.floor(ms / dayMs);
}

function dayAfter(ms: number): number {
  return Math.ceil(ms / dayMs);
}

/**
 * Fills in the ends that were not asked for: from the first visit (the creation when there is none) to now. A visit whose
 * clock was ahead of ours is in, so that a question without a range gives the all-time numbers.
 */
function rangeEnds(
  { fromMs, toMs }: ParsedRange,
  link: Link,
  totals: VisitTotals | undefined,
  nowMs: number,
): { readonly fromMs: number; readonly toMs: number } {
  const firstMs = floorToQuarter(totals?.firstVisitAt ?? link.createdAt);
  const nextMs = ceilToQuarter(Math.max(nowMs, totals?.lastVisitAt ?? 0) + 1);
  const from = fromMs ?? Math.min(firstMs, (toMs ?? nextMs) - quarterHourMs);
  return { fromMs: from, toMs: toMs ?? nextMs };
}

function summary(zone: TimeZone, { fromMs, toMs, interval, starts }: BucketedRange, days: readonly DayStatistics[]) {
  const wholeDays = { from: dayOf(fromMs), to: dayAfter(toMs) };
  const daysInRange = days.filter(({ day }) => day >= wholeDays.from && day < wholeDays.to);
  const buckets = sumIntoBuckets(daysInRange, starts, fromMs, toMs);
  const nonBots = sumOf(buckets, (bucket) => bucket.nonBots);
  const bots = sumOf(buckets, (bucket) => bucket.bots);
  return {
    from: formatLocal(zone, fromMs),
    to: formatLocal(zone, toMs),
    interval,
    timezone: zone.name,
    total: nonBots + bots,
    nonBots,
    bots,
    prefetches: sumOf(daysInRange, (day) => day.prefetches),
    uniqueVisitors: sumOf(daysInRange, (day) => day.uniqueVisitors),
    ...firstAndLastVisit(daysInRange, fromMs, toMs),
    series: buckets.map((bucket, i): SeriesBucket => {
      const start = formatLocal(zone, starts[i] ?? fromMs);
      return { start, total: bucket.nonBots + bucket.bots, nonBots: bucket.nonBots };
    }),
    breakdowns: sumBreakdowns(daysInRange),
    breakdownRange: { from: formatUtcDay(wholeDays.from), to: formatUtcDay(wholeDays.to) },
  };
}

function sumOf<T>(list: readonly T[], number: (item: T) => number): number {
  return list.reduce((sum, item) => sum + number(item), 0);
}

function firstAndLastVisit(days: readonly DayStatistics[], fromMs: number, toMs: number) {
  let first: number | null = null;
  let last: number | null = null;
  for (const { day, quarters, firstVisitAt, lastVisitAt } of days) {
    const isIn = (at: number | null): at is number => at !== null && at >= fromMs && at < toMs;
    const startsIn = quarters.map(({ quarter }) => day * dayMs + quarter * quarterHourMs).filter(isIn);
    first ??= isIn(firstVisitAt) ? firstVisitAt : (startsIn[0] ?? null);
    const lastOfDay = isIn(lastVisitAt) ? lastVisitAt : (startsIn.at(-1) ?? null);
    if (lastOfDay !== null) last = lastOfDay;
  }
  // Both in one quarter hour, the last known by its beginning alone.
  if (first !== null && last !== null && last < first) last = first;
  return { firstVisitAt: first, lastVisitAt: last };
}

function isFinal(toMs: number, read: LinkStatistics, nowMs: number, lagMs: number): boolean {
  const noneOlderPending = lagMs === 0 || nowMs - lagMs >= toMs;
  return toMs <= nowMs && toMs <= positionOf(read).streamTimeMs && noneOlderPending;
}

function positionOf({ position }: LinkStatistics): PartitionPosition {
  const [own, ...others] = position.partitions;
  if (own === undefined || others.length > 0)
    throw new Error('the days of a link stand at the position of its partition');
  return own;
}

function formatUtcDay(day: number): string {
  return `${new Date(day * dayMs).toISOString().slice(0, 19)}Z`;
}
