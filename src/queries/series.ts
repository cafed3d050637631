/**
 * The buckets of a series: where each begins in local time, and what falls into it. Every bucket is a run of whole
 * quarter hours, so that nothing is estimated and the buckets sum to the range's totals.
 */
import type { DayStatistics } from '../domain/statistics.ts';
import { dayMs, firstOfMonth, hourMs, mondayOf, quarterHourMs } from './calendar.ts';
import { startOfLocalDay, type TimeZone } from './time-zone.ts';

/** Widths of a bucket, finest first. Weeks begin on Monday. */
export const intervals = ['15m', 'hour', 'day', 'week', 'month'] as const;

export type Interval = (typeof intervals)[number];

/** Numbers of one bucket, or of a whole range. `total = nonBots + bots`. */
export interface BucketCounts {
  nonBots: number;
  bots: number;
}

/**
 * The instants at which the buckets of `fromMs <= t < toMs` begin (both at whole quarter hours), ascending; undefined when
 * there are more than `bucketsMax`. The first may begin before `fromMs`: buckets are those of the calendar.
 */
export function bucketStarts(
  zone: TimeZone,
  interval: Interval,
  fromMs: number,
  toMs: number,
  bucketsMax: number,
): number[] | undefined {
  const starts: number[] = [];
  for (const start of startsFrom(zone, interval, fromMs)) {
    if (start >= toMs) return starts;
    if (starts.length === bucketsMax) return undefined;
    starts.push(start);
  }
  return starts;
}

/** Sums the quarter hours in `fromMs <= t < toMs` into the buckets that begin at `starts`. `days` oldest first. */
export function sumIntoBuckets(
  days: readonly DayStatistics[],
  starts: readonly number[],
  fromMs: number,
  toMs: number,
): BucketCounts[] {
  const buckets = starts.map((): BucketCounts => ({ nonBots: 0, bots: 0 }));
  let current = 0;
  for (const { day, quarters } of days) {
    for (const { quarter, nonBots, bots } of quarters) {
      const at = day * dayMs + quarter * quarterHourMs;
      if (at < fromMs || at >= toMs) continue;
      while ((starts[current + 1] ?? Number.POSITIVE_INFINITY) <= at) current++;
      const bucket = buckets[current];
      if (bucket === undefined) continue;
      bucket.nonBots += nonBots;
      bucket.bots += bots;
    }
  }
  return buckets;
}

/** Endless: the start of the bucket that holds `fromMs`, then every following one. */
function startsFrom(zone: TimeZone, interval: Interval, fromMs: number): Generator<number> {
  switch (interval) {
    case '15m':
      return startsOfQuarters(fromMs);
    case 'hour':
      return startsOfHours(zone, fromMs);
    case 'day':
      return startsOfDays(
        zone,
        fromMs,
        (day) => day,
        (day) => day + 1,
      );
    case 'week':
      return startsOfDays(zone, fromMs, mondayOf, (monday) => monday + 7);
    case 'month':
      return startsOfDays(
        zone,
        fromMs,
        (day) => firstOfMonth(day),
        (first) => firstOfMonth(first, 1),
      );
  }
}

function* startsOfQuarters(fromMs: number): Generator<number> {
  for (let start = fromMs; ; start += quarterHourMs) yield start;
}

/**
 * Hours of the clock on the wall. An hour that is repeated is two buckets; one that a shift by part of an hour cuts
 * (Australia/Lord_Howe: 30 minutes) is shorter.
 */
function* startsOfHours(zone: TimeZone, fromMs: number): Generator<number> {
  let start = fromMs;
  while (!beginsHour(zone, start)) start -= quarterHourMs;
  for (;;) {
    yield start;
    do start += quarterHourMs;
    while (!beginsHour(zone, start));
  }
}

function beginsHour(zone: TimeZone, instantMs: number): boolean {
  const offset = zone.offsetMsAt(instantMs);
  if ((instantMs + offset) % hourMs === 0) return true;
  return (offset - zone.offsetMsAt(instantMs - quarterHourMs)) % hourMs !== 0;
}

/** Buckets of whole local days: `firstDayOf` gives the first day of the bucket that holds a day, `next` that of the next. */
function* startsOfDays(
  zone: TimeZone,
  fromMs: number,
  firstDayOf: (day: number) => number,
  next: (firstDay: number) => number,
): Generator<number> {
  let firstDay = firstDayOf(Math.floor((fromMs + zone.offsetMsAt(fromMs)) / dayMs));
  // Where clocks are put back over midnight, the local date of `fromMs` may be that of the bucket before.
  while (startOfLocalDay(zone, next(firstDay)) <= fromMs) firstDay = next(firstDay);
  let start = startOfLocalDay(zone, firstDay);
  for (;;) {
    yield start;
    const before = start;
    // A day that the zone left out has no bucket.
    do {
      firstDay = next(firstDay);
      start = startOfLocalDay(zone, firstDay);
    } while (start <= before);
  }
}
