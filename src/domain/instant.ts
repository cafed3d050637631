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
  const localMs = Date.parse(local);
  // Date.parse takes 30 February for 2 March and 24:00 for the next day.
  if (Number.isNaN(localMs) || new Date(localMs).toISOString() !== local) return undefined;
  if (Number(offsetHour) > 23 || Number(offsetMinute) > 59) return undefined;
  const offsetMs = (Number(offsetHour) * 60 + Number(offsetMinute)) * 60_000;
  const instantMs = sign === '-' ? localMs + offsetMs : localMs - offsetMs;
  return instantMs > lastInstantMs ? undefined : instantMs;
}
