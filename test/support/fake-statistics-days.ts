/** A statistics read model over visits kept in a Map: it counts them by looking at each, so that tests can compare. */
import {
  type Breakdown,
  type DayStatistics,
  type Dimension,
  dimensions,
  type VisitTotals,
} from '../../src/domain/statistics.ts';
import type {
  LinkStatistics,
  PartitionPosition,
  Position,
  StatisticsProgress,
  StatisticsReadModel,
} from '../../src/ports/statistics-read-model.ts';

export interface FakeVisit {
  readonly at: number;
  readonly class: 'human' | 'bot' | 'prefetch';
  /** Value of each dimension; absent = none, null = not kept apart. */
  readonly values?: Partial<Record<Dimension, string | null>>;
}

const dayMs = 86_400_000;
const quarterHourMs = 900_000;

export class FakeStatisticsDays implements StatisticsReadModel {
  readonly #visits = new Map<string, FakeVisit[]>();
  /** Every call of `daysOf`, as it was made. */
  readonly reads: { readonly code: string; readonly fromDay: number; readonly toDay: number }[] = [];
  position: PartitionPosition = { partition: 0, nextOffset: 0, streamTimeMs: 0 };
  lagMs = 0;

  visit(code: string, ...visits: readonly FakeVisit[]): this {
    this.#visits.set(code, [...(this.#visits.get(code) ?? []), ...visits]);
    const streamTimeMs = Math.max(this.position.streamTimeMs, ...visits.map(({ at }) => at));
    this.position = { ...this.position, nextOffset: this.position.nextOffset + visits.length, streamTimeMs };
    return this;
  }

  visitsOf(code: string): readonly FakeVisit[] {
    return this.#visits.get(code) ?? [];
  }

  async totalsOf(
    codes: readonly string[],
  ): Promise<{ totals: ReadonlyMap<string, VisitTotals>; readonly position: Position }> {
    const known = codes.filter((code) => this.#visits.has(code));
    const totals = new Map(known.map((code) => [code, totalsOf(this.visitsOf(code))]));
    return { totals, position: { partitions: [this.position] } };
  }

  async daysOf(code: string, fromDay: number, toDay: number): Promise<LinkStatistics> {
    this.reads.push({ code, fromDay, toDay });
    const byDay = new Map<number, FakeVisit[]>();
    for (const visit of this.visitsOf(code)) {
      const day = Math.floor(visit.at / dayMs);
      if (day >= fromDay && day < toDay) byDay.set(day, [...(byDay.get(day) ?? []), visit]);
    }
    return {
      totals: this.#visits.has(code) ? totalsOf(this.visitsOf(code)) : undefined,
      days: [...byDay].sort(([a], [b]) => a - b).map(([day, visits]) => dayStatistics(day, visits)),
      position: { partitions: [this.position] },
    };
  }

  async overall(): Promise<{ readonly totals: VisitTotals; readonly position: Position }> {
    return { totals: totalsOf([...this.#visits.values()].flat()), position: { partitions: [this.position] } };
  }

  async everyTotal(): Promise<ReadonlyMap<string, VisitTotals>> {
    return new Map(Array.from(this.#visits, ([code, visits]) => [code, totalsOf(visits)]));
  }

  progress(): StatisticsProgress {
    return { partitions: [this.position], lagMs: this.lagMs, rebuild: null, halted: null };
  }

  async highest(): Promise<null> {
    return null;
  }

  async progressNow(): Promise<StatisticsProgress> {
    return this.progress();
  }

  onProgress(): () => void {
    return () => {};
  }

  async reached(): Promise<void> {}
}

function countOf(visits: readonly FakeVisit[], visitClass: FakeVisit['class']): number {
  return visits.filter((visit) => visit.class === visitClass).length;
}

function timesOf(visits: readonly FakeVisit[]): readonly number[] {
  return visits
    .filter((visit) => visit.class !== 'prefetch')
    .map(({ at }) => at)
    .sort((a, b) => a - b);
}

function totalsOf(visits: readonly FakeVisit[]): VisitTotals {
  const nonBots = countOf(visits, 'human');
  const bots = countOf(visits, 'bot');
  const times = timesOf(visits);
  return {
    total: nonBots + bots,
    nonBots,
    bots,
    prefetches: countOf(visits, 'prefetch'),
    firstVisitAt: times[0] ?? null,
    lastVisitAt: times.at(-1) ?? null,
  };
}

function dayStatistics(day: number, visits: readonly FakeVisit[]): DayStatistics {
  const { prefetches, firstVisitAt, lastVisitAt, nonBots } = totalsOf(visits);
  const quarters = Array.from({ length: 96 }, (_, quarter) => {
    const start = day * dayMs + quarter * quarterHourMs;
    const inside = visits.filter(({ at }) => at >= start && at < start + quarterHourMs);
    return { quarter, nonBots: countOf(inside, 'human'), bots: countOf(inside, 'bot') };
  }).filter((quarter) => quarter.nonBots + quarter.bots > 0);
  const breakdowns = Object.fromEntries(
    dimensions.map((dimension) => [dimension, breakdownOf(dimension, visits)]),
  ) as Record<Dimension, Breakdown>;
  return { day, quarters, prefetches, firstVisitAt, lastVisitAt, uniqueVisitors: nonBots, breakdowns };
}

function breakdownOf(dimension: Dimension, visits: readonly FakeVisit[]): Breakdown {
  const counted = visits.filter((visit) => visit.class === (dimension === 'crawlers' ? 'bot' : 'human'));
  const values = new Map<string, number>();
  let other = 0;
  for (const visit of counted) {
    const value = visit.values?.[dimension];
    if (value === null) other++;
    else values.set(value ?? '', (values.get(value ?? '') ?? 0) + 1);
  }
  return { values: [...values], other };
}
