/** The statistics of one link over a range. */

import type { Link } from '../domain/link.ts';
import type { FieldError } from '../domain/refusal.ts';
import type { Dimension } from '../domain/statistics.ts';
import type { PartitionPosition } from '../ports/statistics-read-model.ts';

export type LinkStatisticsQuery = (link: Link, range: StatisticsRange) => Promise<Statistics | readonly FieldError[]>;

/** As it was asked for, unparsed: every member is checked here and refused by name. */
export interface StatisticsRange {
  readonly from?: string;
  readonly to?: string;
  readonly interval?: string;
  readonly timezone?: string;
}

export type Interval = '15m' | 'hour' | 'day' | 'week' | 'month';

export interface Statistics {
  readonly code: string;
  readonly url: string;
  /** Instants with the zone's offset, as answered (a range may have been widened). */
  readonly from: string;
  readonly to: string;
  readonly interval: Interval;
  readonly timezone: string;
  readonly total: number;
  readonly nonBots: number;
  readonly bots: number;
  readonly prefetches: number;
  readonly uniqueVisitors: number;
  readonly firstVisitAt: number | null;
  readonly lastVisitAt: number | null;
  readonly series: readonly SeriesBucket[];
  readonly breakdowns: Readonly<Record<Dimension, readonly NamedCount[]>>;
  /** The whole UTC days that the breakdowns and unique visitors stand for, when they had to be widened. */
  readonly breakdownRange: { readonly from: string; readonly to: string };
  readonly position: PartitionPosition & { readonly at: number; readonly lagMs: number; readonly final: boolean };
}

export interface SeriesBucket {
  /** Local time with the zone's offset, RFC 3339. */
  readonly start: string;
  readonly total: number;
  readonly nonBots: number;
}

export interface NamedCount {
  readonly name: string;
  readonly visits: number;
}
