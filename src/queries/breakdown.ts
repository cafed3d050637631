/** Sums the breakdowns of whole days into ranked lists. Every visit stays in: what is not named apart is in `(other)`. */
import { type DayStatistics, type Dimension, dimensions, nameOfNone, nameOfOther } from '../domain/statistics.ts';

export interface NamedCount {
  readonly name: string;
  readonly visits: number;
}

/** Names in one answered breakdown, without `(other)`. */
export const namesMax = 1_000;

/**
 * Every dimension over `days`, most visits first, then by name (UTF-16 order). Values that bear the name of "none" or
 * "other" are counted with them.
 */
export function sumBreakdowns(days: readonly DayStatistics[]): Record<Dimension, NamedCount[]> {
  const sum = (dimension: Dimension) => ranked(countsOf(days, dimension));
  return Object.fromEntries(dimensions.map((dimension) => [dimension, sum(dimension)])) as Record<
    Dimension,
    NamedCount[]
  >;
}

function countsOf(days: readonly DayStatistics[], dimension: Dimension): Map<string, number> {
  const counts = new Map<string, number>();
  const count = (name: string, visits: number) => counts.set(name, (counts.get(name) ?? 0) + visits);
  for (const { breakdowns } of days) {
    const { values, other } = breakdowns[dimension];
    for (const [name, visits] of values) count(name === '' ? nameOfNone[dimension] : name, visits);
    if (other > 0) count(nameOfOther, other);
  }
  return counts;
}

function ranked(counts: Map<string, number>): NamedCount[] {
  const all = Array.from(counts, ([name, visits]): NamedCount => ({ name, visits })).sort(byVisitsThenName);
  if (all.length <= namesMax) return all;
  const kept = all.filter(({ name }) => name !== nameOfOther).slice(0, namesMax);
  const visitsOf = (list: readonly NamedCount[]) => list.reduce((sum, { visits }) => sum + visits, 0);
  const other = { name: nameOfOther, visits: visitsOf(all) - visitsOf(kept) };
  return [...kept, ...(other.visits > 0 ? [other] : [])].sort(byVisitsThenName);
}

function byVisitsThenName(a: NamedCount, b: NamedCount): number {
  return b.visits - a.visits || (a.name < b.name ? -1 : 1);
}
