/** How times are told over HTTP: ISO 8601 in UTC, to the millisecond. */

/** @param ms milliseconds since the Unix epoch */
export function isoInstant(ms: number): string {
  return new Date(ms).toISOString();
}

export function isoInstantOrNull(ms: number | null): string | null {
  return ms === null ? null : isoInstant(ms);
}
