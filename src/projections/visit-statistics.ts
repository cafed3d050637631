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

/** Links whose rows all tasks of a thread together keep decoded, about 700 bytes each; more only while one commit's changes are. */
const cachedLinksMax = 120_000;
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

interface LinkRows {
  readonly totals: Row<TotalsRow>;
  /** The day of the visit folded last, and its row. */
  day: number;
  dayRow: Row<DayRow>;
  /** Days that were left before the store had their last change; made when first needed. */
  leftDays: Row<DayRow>[] | undefined;
  /** The round in which it was visited last. */
  round: number;
}

class VisitStatisticsProcessor implements Processor {
  private readonly totals: VersionedRows<TotalsRow>;
  private readonly days: VersionedRows<DayRow>;
  private readonly overall: Row<TotalsRow>;
  private readonly factory: RowFactory;
  private names = new NameTable();
  private readonly links = new Map<string, LinkRows>();
  /** A round goes from one clearing to the next: a link that was not visited during a whole one is forgotten. */
  private round = 0;

  constructor(rows: RowFactory) {
    this.totals = rows.rows(totalsRowCodec);
    this.days = rows.rows(createDayRowCodec(() => this.names));
    this.overall = this.totals.open(overallKey);
    this.factory = rows;
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
   * are of this round, and the links of earlier ones may go.
   */
  committed(): void {
    if (this.names.size > cachedNamesMax) this.names = new NameTable();
    if (this.links.size <= cachedLinksMax / this.factory.tasksInThread()) return;
    for (const [code, { round }] of this.links) if (round < this.round) this.links.delete(code);
    this.round++;
  }

  private linkRows(code: string, day: number): LinkRows {
    const { round } = this;
    const known = this.links.get(code);
    if (known !== undefined) {
      known.round = round;
      return known;
    }
    const totals = this.totals.open(totalsKey(code));
    const link = { totals, day, dayRow: this.days.open(dayKey(code, day)), leftDays: undefined, round };
    this.links.set(code, link);
    return link;
  }

  private turnTo(link: LinkRows, code: string, day: number): void {
    link.day = day;
    const key = dayKey(code, day);
    const leaving = link.dayRow;
    link.dayRow = this.takeLeftDay(link, key) ?? this.days.open(key);
    if (this.days.isStored(leaving)) return;
    if (link.leftDays === undefined) link.leftDays = [leaving];
    else link.leftDays.push(leaving);
  }

  /** The row of a day that was left and is not stored since. Forgets the rows that are, which the store gives again. */
  private takeLeftDay(link: LinkRows, key: string): Row<DayRow> | undefined {
    const { leftDays } = link;
    if (leftDays === undefined) return undefined;
    let taken: Row<DayRow> | undefined;
    let kept = 0;
    for (let i = 0; i < leftDays.length; i++) {
      const row = leftDays[i] as Row<DayRow>;
      if (this.days.isStored(row)) continue;
      if (row.key === key) taken = row;
      else leftDays[kept++] = row;
    }
    if (kept === 0) link.leftDays = undefined;
    else leftDays.length = kept;
    return taken;
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
