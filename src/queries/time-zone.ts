/**
 * Local time of IANA time zones, on top of `Intl`: offsets, and the instants at which local days begin, local timestamps. Local
 * times are milliseconds too: what `Date.UTC` gives for their fields. Knows no ranges or intervals.
 *
 * Offsets are rounded to quarter hours, the width of our buckets. Since October 1979 no zone has had any other (before
 * that, back to 1970, Pacific/Kiritimati had -10:40 and Africa/Monrovia -00:44:30).
 */
import { dayMs, quarterHourMs } from './calendar.ts';

export interface TimeZone {
  /** As it is answered: the name asked for, in the usual spelling where only letter case differs. */
  readonly name: string;
  /** Local time minus UTC at an instant, ms: a multiple of a quarter hour. */
  offsetMsAt(instantMs: number): number;
}

/** Zones with their cached offsets; one costs a formatter of about 50 kB. */
const zonesMax = 64;
/** Days of a zone whose offset is remembered: 22 years. */
const cachedDaysMax = 8_192;
const nameMaxCharacters = 64;

const zones = new Map<string, TimeZone>();

/**
 * The zone of an IANA name in any letter case, or undefined when there is none. Offsets such as `+02:00` are no names
 * (some engines take them, some do not). At most {@link zonesMax} zones are kept, the most recently used.
 */
export function findTimeZone(name: string): TimeZone | undefined {
  const kept = zones.get(name);
  if (kept !== undefined) {
    zones.delete(name);
    zones.set(name, kept);
    return kept;
  }
  if (name.length > nameMaxCharacters || !/^[A-Za-z]/.test(name)) return undefined;
  const zone = createTimeZone(name);
  if (zone === undefined) return undefined;
  zones.set(name, zone);
  for (const oldest of zones.keys()) {
    if (zones.size <= zonesMax) break;
    zones.delete(oldest);
  }
  return zone;
}

/**
 * The instant of a local time. Where clocks are put back, the earlier of two; where they are put forward, as many minutes
 * after the gap's end as the time asked for lies after its beginning: Temporal's `compatible`.
 */
export function instantOfLocal(zone: TimeZone, localMs: number): number {
  // No transition moves a clock by more than a day, so these are the only offsets that can apply.
  const before = zone.offsetMsAt(localMs - dayMs);
  const after = zone.offsetMsAt(localMs + dayMs);
  const earlier = localMs - Math.max(before, after);
  const later = localMs - Math.min(before, after);
  if (zone.offsetMsAt(earlier) === localMs - earlier) return earlier;
  if (zone.offsetMsAt(later) === localMs - later) return later;
  return localMs - before;
}

/**
 * The instant at which a local day (days since 1970-01-01) begins: its midnight or, when there is none, the end of the
 * gap. A day that a zone left out (Pacific/Apia, 2011-12-30) begins when the next one does.
 */
export function startOfLocalDay(zone: TimeZone, localDay: number): number {
  return instantOfLocal(zone, localDay * dayMs);
}

/** An instant at a whole second as RFC 3339 with the zone's offset; the zone UTC is written `Z`. */
export function formatLocal(zone: TimeZone, instantMs: number): string {
  const offsetMs = zone.offsetMsAt(instantMs);
  const local = new Date(instantMs + offsetMs).toISOString().slice(0, 19);
  if (zone.name === 'UTC') return `${local}Z`;
  const offset = new Date(Math.abs(offsetMs)).toISOString().slice(11, 16);
  return `${local}${offsetMs < 0 ? '-' : '+'}${offset}`;
}

function createTimeZone(name: string): TimeZone | undefined {
  const format = formatOf(name);
  if (format === undefined) return undefined;
  const canonical = format.resolvedOptions().timeZone;
  const offsetOfDay = new Map<number, number>();
  const transitionOfDay = new Map<number, number>();

  function offsetAtStartOf(utcDay: number): number {
    const cached = offsetOfDay.get(utcDay);
    if (cached !== undefined) return cached;
    if (offsetOfDay.size >= cachedDaysMax) {
      offsetOfDay.clear();
      transitionOfDay.clear();
    }
    const offset = readOffset(format as Intl.DateTimeFormat, utcDay * dayMs);
    offsetOfDay.set(utcDay, offset);
    return offset;
  }

  /** The first second of a UTC day at which the offset is that of the next day. */
  function transitionIn(utcDay: number, offsetAfter: number): number {
    const cached = transitionOfDay.get(utcDay);
    if (cached !== undefined) return cached;
    let low = utcDay * dayMs;
    let high = low + dayMs;
    while (high - low > 1_000) {
      const middle = low + Math.floor((high - low) / 2_000) * 1_000;
      if (readOffset(format as Intl.DateTimeFormat, middle) === offsetAfter) high = middle;
      else low = middle;
    }
    transitionOfDay.set(utcDay, high);
    return high;
  }

  return {
    // Intl renames some zones (Asia/Kolkata to Asia/Calcutta): that is not what was asked for.
    name: canonical.toLowerCase() === name.toLowerCase() ? canonical : name,
    offsetMsAt(instantMs) {
      const utcDay = Math.floor(instantMs / dayMs);
      const before = offsetAtStartOf(utcDay);
      const after = offsetAtStartOf(utcDay + 1);
      if (before === after) return before;
      return instantMs < transitionIn(utcDay, after) ? before : after;
    },
  };
}

function formatOf(timeZone: string): Intl.DateTimeFormat | undefined {
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function readOffset(format: Intl.DateTimeFormat, instantMs: number): number {
  const fields = { year: 0, month: 0, day: 0, hour: 0, minute: 0, second: 0 };
  for (const { type, value } of format.formatToParts(instantMs)) {
    if (type in fields) fields[type as keyof typeof fields] = Number(value);
  }
  const localMs = Date.UTC(fields.year, fields.month - 1, fields.day, fields.hour, fields.minute, fields.second);
  return Math.round((localMs - instantMs) / quarterHourMs) * quarterHourMs;
}
