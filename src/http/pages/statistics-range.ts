/**
 * What the statistics page shows, as its address says: a named range or two dates, an interval, a zone, with or without
 * bots. Days are counted on the calendar of the zone; turning them into instants is left to the query.
 */
import type { StatisticsRange } from '../../queries/link-statistics.ts';
import { isTimeZone } from './view.ts';

export const rangeNames = ['24h', '7d', '30d', '12mo', 'all', 'custom'] as const;
export type RangeName = (typeof rangeNames)[number];

export const intervals = ['15m', 'hour', 'day', 'week', 'month'] as const;

export interface StatisticsState {
  readonly range: RangeName;
  /** First and last day, both inclusive, `YYYY-MM-DD` in the zone; only of a custom range. */
  readonly from: string;
  readonly to: string;
  /** Null leaves the choice to the query. */
  readonly interval: (typeof intervals)[number] | null;
  readonly timezone: string;
  /** True when the address names the zone, false when it is the browser's or the default. */
  readonly timezoneGiven: boolean;
  readonly bots: boolean;
}

const calendarDay = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/;

/** @param ownZone the zone when the address names none */
export function readStatisticsState(parameters: URLSearchParams, ownZone: string): StatisticsState {
  const from = parameters.get('from') ?? '';
  const to = parameters.get('to') ?? '';
  const custom = calendarDay.test(from) && calendarDay.test(to);
  const named = rangeNames.find((name) => name === parameters.get('range'));
  const range = custom && (named === undefined || named === 'custom') ? 'custom' : named === 'custom' ? '7d' : named;
  const timezone = parameters.get('timezone') ?? '';
  const timezoneGiven = isTimeZone(timezone);
  return {
    range: range ?? '7d',
    from: range === 'custom' ? from : '',
    to: range === 'custom' ? to : '',
    interval: intervals.find((name) => name === parameters.get('interval')) ?? null,
    timezone: timezoneGiven ? timezone : ownZone,
    timezoneGiven,
    bots: parameters.get('bots') === '1',
  };
}

/** The page's address for a state: only what differs from the default stands in it. */
export function statisticsAddress(code: string, state: StatisticsState): string {
  const parameters = new URLSearchParams();
  if (state.range !== '7d') parameters.set('range', state.range);
  if (state.range === 'custom') {
    parameters.set('from', state.from);
    parameters.set('to', state.to);
  }
  if (state.interval !== null) parameters.set('interval', state.interval);
  if (state.timezoneGiven) parameters.set('timezone', state.timezone);
  if (state.bots) parameters.set('bots', '1');
  const search = parameters.toString();
  return `/stats/${code}${search === '' ? '' : `?${search}`}`;
}

export interface RangeToAsk {
  readonly current: StatisticsRange;
  /** The period of the same length before it; null where there is none. */
  readonly previous: StatisticsRange | null;
  readonly today: StatisticsRange;
}

const hourMs = 3_600_000;

export function rangeToAsk(state: StatisticsState, nowMs: number): RangeToAsk {
  const { timezone } = state;
  const today = dayOf(nowMs, timezone);
  const tomorrow = addDays(today, 1);
  const days = (from: string, to: string, interval: string | null): StatisticsRange => ({
    from,
    to,
    timezone,
    ...(interval !== null && { interval }),
  });
  const asked = (): Pick<RangeToAsk, 'current' | 'previous'> => {
    switch (state.range) {
      case '24h': {
        // Whole hours, so that the first bar is as long as the others.
        const end = Math.ceil((nowMs + 1) / hourMs) * hourMs;
        const iso = (ms: number) => new Date(ms).toISOString();
        const interval = state.interval ?? 'hour';
        return {
          current: days(iso(end - 24 * hourMs), iso(end), interval),
          previous: days(iso(end - 48 * hourMs), iso(end - 24 * hourMs), interval),
        };
      }
      case '7d':
      case '30d': {
        const length = state.range === '7d' ? 7 : 30;
        const from = addDays(tomorrow, -length);
        const interval = state.interval ?? 'day';
        return {
          current: days(from, tomorrow, interval),
          previous: days(addDays(from, -length), from, interval),
        };
      }
      case '12mo': {
        const from = addMonths(today, -11);
        const interval = state.interval ?? 'month';
        return {
          current: days(from, tomorrow, interval),
          previous: days(addMonths(from, -12), from, interval),
        };
      }
      case 'all':
        return {
          current: { timezone, ...(state.interval !== null && { interval: state.interval }) },
          previous: null,
        };
      case 'custom': {
        const end = addDays(state.to, 1);
        const length = daysBetween(state.from, end);
        return {
          current: days(state.from, end, state.interval),
          previous: length > 0 ? days(addDays(state.from, -length), state.from, state.interval) : null,
        };
      }
    }
  };
  return { ...asked(), today: days(today, tomorrow, 'day') };
}

/** The calendar day of an instant in a zone. */
export function dayOf(ms: number, timezone: string): string {
  const parts = new Intl.DateTimeFormat('en', {
    timeZone: timezone,
    calendar: 'gregory',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  }).formatToParts(ms);
  const part = (type: string) => parts.find((p) => p.type === type)?.value ?? '';
  return `${part('year').padStart(4, '0')}-${part('month')}-${part('day')}`;
}

export function addDays(day: string, count: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + count * 24 * hourMs).toISOString().slice(0, 10);
}

function daysBetween(from: string, to: string): number {
  return Math.round((Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / (24 * hourMs));
}

/** The first day of the month that lies `count` months away. */
function addMonths(day: string, count: number): string {
  const [year = 0, month = 1] = day.split('-').map(Number);
  return new Date(Date.UTC(year, month - 1 + count, 1)).toISOString().slice(0, 10);
}
