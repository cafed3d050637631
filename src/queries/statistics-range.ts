/**
 * Narrows the range of a statistics question: which instants, in which zone, in which buckets. Collects every error; the
 * ends that were left open are filled in later, from the link's visits.
 */
import { parseInstant } from '../domain/instant.ts';
import type { FieldError } from '../domain/refusal.ts';
import { dayMs, quarterHourMs } from './calendar.ts';
import { bucketStarts, type Interval, intervals } from './series.ts';
import { findTimeZone, startOfLocalDay, type TimeZone } from './time-zone.ts';

/** As it was asked for, unparsed: every member is checked here and refused by name. */
export interface StatisticsRange {
  readonly from?: string;
  readonly to?: string;
  readonly interval?: string;
  readonly timezone?: string;
}

/** What was asked for. Both ends stand at whole quarter hours; null = not given. */
export interface ParsedRange {
  readonly zone: TimeZone;
  /** Inclusive. */
  readonly fromMs: number | null;
  /** Exclusive. */
  readonly toMs: number | null;
  readonly interval: Interval | null;
}

/** A range with both ends and its buckets. */
export interface BucketedRange {
  readonly fromMs: number;
  readonly toMs: number;
  readonly interval: Interval;
  /** Instants at which the buckets begin; the first may begin before `fromMs`. */
  readonly starts: readonly number[];
}

/** Buckets in one answer. */
export const bucketsMax = 2_000;
/** Buckets that the default interval may give. */
export const defaultBucketsMax = 100;
const yearsMax = 100;
const rangeMaxMs = (yearsMax * 365 + yearsMax / 4) * dayMs;

const earliestMs = 0;
const latestMs = Date.UTC(9999, 11, 31);

export function parseStatisticsRange(range: StatisticsRange): ParsedRange | readonly FieldError[] {
  const errors: FieldError[] = [];
  const zone = findTimeZone(range.timezone ?? 'UTC');
  if (zone === undefined) {
    const detail = 'The time zone must be a name of the IANA database, such as Europe/Berlin.';
    errors.push({ field: 'timezone', code: 'not-a-time-zone', detail });
  }
  const interval = intervals.find((name) => name === range.interval) ?? null;
  if (interval === null && range.interval !== undefined) {
    const detail = `The interval must be one of ${intervals.join(', ')}.`;
    errors.push({ field: 'interval', code: 'not-allowed-value', detail });
  }
  const fromMs = parseEnd('from', range.from, zone, errors);
  const toMs = parseEnd('to', range.to, zone, errors);
  if (fromMs !== null && toMs !== null) errors.push(...lengthErrors(fromMs, toMs));
  if (zone === undefined || errors.length > 0) return errors;
  return {
    zone,
    fromMs: fromMs === null ? null : floorToQuarter(fromMs),
    toMs: toMs === null ? null : ceilToQuarter(toMs),
    interval,
  };
}

/**
 * Divides a range with both ends (at whole quarter hours) into buckets of the interval asked for, or of the finest with at
 * most {@link defaultBucketsMax}.
 */
export function divideRange(
  zone: TimeZone,
  interval: Interval | null,
  fromMs: number,
  toMs: number,
): BucketedRange | readonly FieldError[] {
  const errors = lengthErrors(fromMs, toMs);
  if (errors.length > 0) return errors;
  const divide = (into: Interval, max: number) => bucketStarts(zone, into, fromMs, toMs, max);
  if (interval === null) {
    for (const finest of intervals) {
      const starts = divide(finest, finest === 'month' ? bucketsMax : defaultBucketsMax);
      if (starts !== undefined) return { fromMs, toMs, interval: finest, starts };
    }
  } else {
    const starts = divide(interval, bucketsMax);
    if (starts !== undefined) return { fromMs, toMs, interval, starts };
  }
  const fitting = intervals.filter((other) => divide(other, bucketsMax) !== undefined);
  const detail = `The range holds more than ${bucketsMax} buckets of this interval; these fit: ${fitting.join(', ')}.`;
  return [{ field: 'interval', code: 'too-many-buckets', detail }];
}

export function floorToQuarter(ms: number): number {
  return Math.floor(ms / quarterHourMs) * quarterHourMs;
}

export function ceilToQuarter(ms: number): number {
  return Math.ceil(ms / quarterHourMs) * quarterHourMs;
}

function lengthErrors(fromMs: number, toMs: number): FieldError[] {
  if (fromMs >= toMs) {
    return [{ field: 'from', code: 'out-of-range', detail: 'The range must begin before it ends.' }];
  }
  if (toMs - fromMs > rangeMaxMs) {
    return [{ field: 'from', code: 'out-of-range', detail: `The range must be at most ${yearsMax} years long.` }];
  }
  return [];
}

/** One end of the range as an instant in ms, or null when it was not given or refused. */
function parseEnd(
  field: 'from' | 'to',
  text: string | undefined,
  zone: TimeZone | undefined,
  errors: FieldError[],
): number | null {
  if (text === undefined) return null;
  const localDay = parseDate(text);
  const ms = localDay === undefined ? parseInstant(text) : localDay * dayMs;
  if (ms === undefined) {
    const detail =
      'Write a date (2026-03-01) or an instant with its offset (2026-03-01T12:00:00Z; in a query + is %2B).';
    errors.push({ field, code: 'not-an-instant', detail });
    return null;
  }
  if (ms < earliestMs || ms > latestMs) {
    errors.push({ field, code: 'out-of-range', detail: 'The years from 1970 to 9999 can be asked for.' });
    return null;
  }
  if (localDay === undefined) return ms;
  // Without a zone, which has been refused, a date is no instant.
  return zone === undefined ? null : startOfLocalDay(zone, localDay);
}

/** Days from 1970-01-01 to a calendar date (`2026-03-01`), or undefined when there is no such date. */
function parseDate(text: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return undefined;
  const ms = Date.parse(`${text}T00:00:00.000Z`);
  // Date.parse takes 30 February for 2 March.
  if (Number.isNaN(ms) || !new Date(ms).toISOString().startsWith(text)) return undefined;
  return ms / dayMs;
}
