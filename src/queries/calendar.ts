/** Lengths of time in milliseconds, and days of the proleptic Gregorian calendar counted from 1970-01-01. No time zones. */
export const quarterHourMs = 900_000;
export const hourMs = 4 * quarterHourMs;
export const dayMs = 24 * hourMs;

/** The Monday of the week that holds a day. */
export function mondayOf(day: number): number {
  // 1970-01-01 was a Thursday.
  return day - ((((day + 3) % 7) + 7) % 7);
}

/** The first day of the month that holds a day, or of the month `monthsLater` of it. */
export function firstOfMonth(day: number, monthsLater = 0): number {
  const date = new Date(day * dayMs);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + monthsLater, 1) / dayMs;
}
