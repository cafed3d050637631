/**
 * The statistics as they are read: absolute values with the log position they stand at. Embedded it reads the worker's
 * own stores; distributed it is Redis and the owners of the tasks.
 */
import type { DayStatistics, VisitTotals } from '../domain/statistics.ts';

export interface StatisticsReadModel {
  /** All-time totals of codes; codes without a visit are absent. */
  totalsOf(
    codes: readonly string[],
  ): Promise<{ readonly totals: ReadonlyMap<string, VisitTotals>; readonly position: Position }>;
  /** One link's totals and its days `fromDay <= day < toDay` (UTC days since 1970), all at one position. */
  daysOf(code: string, fromDay: number, toDay: number): Promise<LinkStatistics>;
  /** Totals over all links. */
  overall(): Promise<{ readonly totals: VisitTotals; readonly position: Position }>;
  /** Totals of every visited link, for lists sorted by visits; at most `maxAgeMs` old. */
  everyTotal(maxAgeMs: number): Promise<ReadonlyMap<string, VisitTotals>>;
  /**
   * The visited links with the highest numbers, highest first, ties in no order; at most `count` (1 to 3,000), fewer only when
   * there are no more. Null when they are not kept in order: then use {@link everyTotal}.
   */
  highest(by: 'visits' | 'lastVisitAt', count: number): Promise<readonly CodeNumber[] | null>;
  /** Where the fold stands now, without asking anyone. */
  progress(): StatisticsProgress;
  /** The same, asked of whoever knows it best now. */
  progressNow(): Promise<StatisticsProgress>;
  /** Calls `listener` after each commit of the fold. Returns the function that ends it. */
  onProgress(listener: (progress: StatisticsProgress) => void): () => void;
  /** Resolves when all records before `nextOffset` of `partition` are in the numbers; rejects after `timeoutMs`. */
  reached(partition: number, nextOffset: number, timeoutMs: number): Promise<void>;
}

export interface CodeNumber {
  readonly code: string;
  /** Visits, bots included, or the time of the last one, ms. */
  readonly value: number;
}

export interface LinkStatistics {
  /** Undefined when the link has no visit. */
  readonly totals: VisitTotals | undefined;
  /** Only days with a visit, oldest first. */
  readonly days: readonly DayStatistics[];
  /** Of the link's own partition alone. */
  readonly position: Position;
}

/** Where a view stands in the `visits` log, per partition. */
export interface Position {
  readonly partitions: readonly PartitionPosition[];
}

export interface PartitionPosition {
  readonly partition: number;
  /** All records before this offset are in the numbers. */
  readonly nextOffset: number;
  /** The highest event time folded so far (ms), 0 before the first. */
  readonly streamTimeMs: number;
}

export interface StatisticsProgress extends Position {
  /** Milliseconds since the oldest accepted visit that is not yet in the numbers; 0 when there is none. */
  readonly lagMs: number;
  /** Set while the numbers are being rebuilt from zero: then reads throw {@link StatisticsRebuilding}. */
  readonly rebuild: RebuildProgress | null;
  /** Set when the fold has stopped for good and needs a person. */
  readonly halted: string | null;
}

export interface RebuildProgress {
  /** 0 to 1. */
  readonly fraction: number;
  readonly recordsDone: number;
  readonly recordsTotal: number;
}

/** The numbers are being rebuilt: answer 503 with the progress, never a smaller number than one shown before. */
export class StatisticsRebuilding extends Error {
  override readonly name = 'StatisticsRebuilding';
  readonly progress: RebuildProgress;
  constructor(progress: RebuildProgress) {
    super(`the statistics are being rebuilt: ${Math.floor(progress.fraction * 100)} %`);
    this.progress = progress;
  }
}

/** The numbers cannot be read now. Answer 503 and retry. */
export class StatisticsUnavailable extends Error {
  override readonly name = 'StatisticsUnavailable';
}
