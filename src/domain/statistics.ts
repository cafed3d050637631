/** The numbers of a link, as folded from its visits. `total = nonBots + bots`; prefetches stand apart. */

export interface VisitTotals {
  readonly total: number;
  readonly nonBots: number;
  readonly bots: number;
  readonly prefetches: number;
  /** First and last visit (prefetches not included), ms; null before the first. */
  readonly firstVisitAt: number | null;
  readonly lastVisitAt: number | null;
}

/** What one UTC day of one link holds. */
export interface DayStatistics {
  /** Days since 1970-01-01 UTC. */
  readonly day: number;
  /** Quarter hours of the day with at least one visit, ascending. */
  readonly quarters: readonly QuarterHour[];
  readonly prefetches: number;
  readonly firstVisitAt: number | null;
  readonly lastVisitAt: number | null;
  /** Estimate of human visitors of this day. */
  readonly uniqueVisitors: number;
  /** Top values and what fell out of them; human visits each, but `crawlers`, which counts bots. */
  readonly breakdowns: Readonly<Record<Dimension, Breakdown>>;
}

export interface QuarterHour {
  /** 0 to 95: quarter hours since midnight UTC. */
  readonly quarter: number;
  readonly nonBots: number;
  readonly bots: number;
}

/** Every dimension sums to the day's human visits, `crawlers` to its bots. */
export type Dimension = (typeof dimensions)[number];

export const dimensions = [
  'referrers',
  'countries',
  'browsers',
  'os',
  'devices',
  'languages',
  'sources',
  'campaigns',
  'crawlers',
] as const;

export interface Breakdown {
  /** Name and count, in no particular order; the empty name is "none": direct or unknown. */
  readonly values: readonly (readonly [name: string, visits: number])[];
  /** Visits whose value was not kept apart. */
  readonly other: number;
}

/** What a visit without a value is called in each breakdown. */
export const nameOfNone: Readonly<Record<Dimension, string>> = {
  referrers: '(direct)',
  countries: '(unknown)',
  browsers: '(unknown)',
  os: '(unknown)',
  devices: '(unknown)',
  languages: '(unknown)',
  sources: '(unknown)',
  campaigns: '(none)',
  crawlers: '(unknown)',
};

export const nameOfOther = '(other)';
