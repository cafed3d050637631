/**
 * The topology of visits: each visit is folded into its link's totals, its link's day, and the totals of all links. Pure: a
 * row is a function of its own previous value and the visit alone, so that anyone who folds the same log gets the same bytes.
 */
import type { Visit } from '../domain/visit.ts';
import type { LogRecord } from '../ports/event-log.ts';
import { decodeVisit, MalformedVisit, UnknownVisitVersion } from '../serde/visit.ts';
import { PoisonRecord, type Processor, type RowFactory, type Topology } from '../worker/topology.ts';
import type { Row, VersionedRows } from '../worker/versioned-rows.ts';
import { countInDay, createDayRowCodec, type DayRow, dayMs } from './day-row.ts';
import { NameTable } from './name-table.ts';
import { countInTotals, type TotalsRow, totalsRowCodec } from './totals-row.ts';

/** Links whose rows are kept decoded; twice as many at the most. */
const cachedLinksMax = 40_000;
/** Names in memory before they, and the rows that refer to them, are forgotten. */
const cachedNamesMax = 200_000;

export const overallKey = 'o';

export function totalsKey(code: string): string {
  return `t${code}`;
}

/** Days since 1970 fit in five digits until the year 2243, in six until 4707. */
export function dayKey(code: string, day: number): string {
  if (day !== lastDay) {
    lastDay = day;
    lastDaySuffix = `!${String(day).padStart(6, '0')}`;
  }
  return `d${code}${lastDaySuffix}`;
}

/** The same day is asked for again and again. */
let lastDay = -1;
let lastDaySuffix = '';

/** The reverse of {@link dayKey}. */
export function dayOfKey(key: string): number {
  return Number(key.slice(key.lastIndexOf('!') + 1));
}

export const visitStatistics: Topology = {
  name: 'visit-statistics',
  version: 1,
  createProcessor: (rows) => new VisitStatisticsProcessor(rows),
};

const none: readonly Row<DayRow>[] = [];

interface LinkRows {
  readonly totals: Row<TotalsRow>;
  /** The day of the visit folded last, and its row. */
  day: number;
  dayRow: Row<DayRow>;
  /** Days that were left before the store had their last change. */
  leftDays: readonly Row<DayRow>[];
}

class VisitStatisticsProcessor implements Processor {
  private readonly totals: VersionedRows<TotalsRow>;
  private readonly days: VersionedRows<DayRow>;
  private readonly overall: Row<TotalsRow>;
  private names = new NameTable();
  /** Two generations: a link that was not visited during a whole one is forgotten. */
  private young = new Map<string, LinkRows>();
  private old = new Map<string, LinkRows>();

  constructor(rows: RowFactory) {
    this.totals = rows.rows(totalsRowCodec);
    this.days = rows.rows(createDayRowCodec(() => this.names));
    this.overall = this.totals.open(overallKey);
  }

  process(record: LogRecord): number {
    const visit = decode(record);
    const day = Math.floor(visit.at / dayMs);
    const link = this.linkRows(record.key, day);
    if (link.day !== day) this.turnTo(link, record.key, day);
    if (this.totals.begin(link.totals, record.offset)) countInTotals(link.totals.state, visit);
    if (this.days.begin(link.dayRow, record.offset)) countInDay(link.dayRow.state, visit);
    if (this.totals.begin(this.overall, record.offset)) countInTotals(this.overall.state, visit);
    return visit.at;
  }

  /**
   * Called when a commit is in the store. Rows changed after that commit began were all touched since the call before, so they
   * are in `young`, and what `old` alone holds may go.
   */
  committed(): void {
    if (this.names.size > cachedNamesMax) this.names = new NameTable();
    if (this.young.size <= cachedLinksMax) return;
    this.old = this.young;
    this.young = new Map();
  }

  private linkRows(code: string, day: number): LinkRows {
    const young = this.young.get(code);
    if (young !== undefined) return young;
    const link = this.old.get(code) ?? {
      totals: this.totals.open(totalsKey(code)),
      day,
      dayRow: this.days.open(dayKey(code, day)),
      leftDays: none,
    };
    this.young.set(code, link);
    return link;
  }

  private turnTo(link: LinkRows, code: string, day: number): void {
    link.day = day;
    const key = dayKey(code, day);
    if (link.leftDays === none && this.days.isStored(link.dayRow)) {
      link.dayRow = this.days.open(key);
      return;
    }
    const notStored = [...link.leftDays, link.dayRow].filter((row) => !this.days.isStored(row));
    link.dayRow = notStored.find((row) => row.key === key) ?? this.days.open(key);
    const left = notStored.filter((row) => row.key !== key);
    link.leftDays = left.length === 0 ? none : left;
  }
}

function decode(record: LogRecord): Visit {
  try {
    return decodeVisit(record.key, record.value);
  } catch (error) {
    if (error instanceof MalformedVisit || error instanceof UnknownVisitVersion) throw new PoisonRecord(error.message);
    throw error;
  }
}
