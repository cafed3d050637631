/** Statistics as JSON: names and numbers as the query gives them, with the position they stand at. */
import { dimensions } from '../domain/statistics.ts';
import type { Statistics } from '../queries/link-statistics.ts';
import { encodePositionToken } from './position-token.ts';
import { isoInstant, isoInstantOrNull } from './times.ts';

export function statisticsJson(statistics: Statistics, logId: string): Readonly<Record<string, unknown>> {
  const { position, breakdowns, series, breakdownRange, ...numbers } = statistics;
  const { partition, nextOffset } = position;
  return {
    ...numbers,
    firstVisitAt: isoInstantOrNull(numbers.firstVisitAt),
    lastVisitAt: isoInstantOrNull(numbers.lastVisitAt),
    series,
    ...Object.fromEntries(dimensions.map((dimension) => [dimension, breakdowns[dimension]])),
    breakdownRange,
    position: {
      token: encodePositionToken(logId, [{ partition, nextOffset }]),
      partition,
      offset: nextOffset === 0 ? null : String(nextOffset - 1),
      at: isoInstant(position.at),
      // Never 0 while something is pending.
      lagMs: Math.ceil(position.lagMs),
      final: position.final,
    },
  };
}
