/** Instants as people and programs write them. No time zone names, no local times. */

/** Last millisecond of the year 9999, the last that RFC 3339 can write. */
const lastInstantMs = 253_402_300_799_999;

const rfc3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/;

/**
 * Milliseconds since the epoch of an RFC 3339 instant, or undefined. The offset is required, dates must exist, leap
 * seconds are refused, more than three digits of a fraction are cut off.
 */
export function parseInstant(text: string): number | undefined {
  const match = rfc3339.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction = '', sign, offsetHour = '00', offsetMinute = '00'] = match;
  const milliseconds = fraction.slice(0, 3).padEnd(3, '0');
  const local = `${year}-${month}-${day}T${hour}:${minute}:${second}.${milliseconds}Z`;
  const localMs = parseUtcInstant(local);
  if (localMs === undefined) return undefined;
  if (Number(offsetHour) > 23 || Number(offsetMinute) > 59) return undefined;
  const offsetMs = (Number(offsetHour) * 60 + Number(offsetMinute)) * 60_000;
  const instantMs = sign === '-' ? localMs + offsetMs : localMs - offsetMs;
  return instantMs > lastInstantMs ? undefined : instantMs;
}

const dayMs = 86_400_000;

/** The characters of `0000-00-00T00:00:00.000Z` that are no digits, and where they stand. */
const marks = [4, 7, 10, 13, 16, 19, 23].map((at) => [at, '0000-00-00T00:00:00.000Z'.charCodeAt(at)] as const);
const utcLength = 24;

/**
 * Milliseconds since the epoch of an instant as `Date.toISOString` writes it for the years 0000 to 9999, on a day that exists; undefined
 * for any other text, which may be an instant all the same. Every link folded has one: read by `Date` and checked for days that do not
 * exist, it takes three times as long.
 */
export function parseUtcInstant(text: string): number | undefined {
  if (text.length !== utcLength) return undefined;
  for (const [at, mark] of marks) if (text.charCodeAt(at) !== mark) return undefined;
  const year = digits(text, 0, 4);
  const month = digits(text, 5, 7);
  const day = digits(text, 8, 10);
  const hour = digits(text, 11, 13);
  const minute = digits(text, 14, 16);
  const second = digits(text, 17, 19);
  const milliseconds = digits(text, 20, 23);
  // What is no digit makes its number NaN, which is in no range.
  if (!(year >= 0 && month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month))) return undefined;
  if (!(hour <= 23 && minute <= 59 && second <= 59 && milliseconds <= 999)) return undefined;
  return daysSinceEpoch(year, month, day) * dayMs + ((hour * 60 + minute) * 60 + second) * 1_000 + milliseconds;
}

function digits(text: string, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

function daysIn(year: number, month: number): number {
  if (month !== 2) return 30 + ((month + (month >> 3)) & 1);
  return isLeapYear(year) ? 29 : 28;
}

function isLeapYear(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

/** Days of the proleptic Gregorian calendar since 1 January 1970, with years that begin in March, so that a leap day is their last. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const marchYear = month > 2 ? year : year - 1;
  const marchMonth = month > 2 ? month - 3 : month + 9;
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400);
  const dayOfYear = Math.floor((153 * marchMonth + 2) / 5) + day - 1;
  return 365 * marchYear + leapDays + dayOfYear - 719_468;
}
