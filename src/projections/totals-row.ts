/** The all-time numbers of one link, or of all links together: one small row, rewritten by each visit. */
import type { VisitTotals } from '../domain/statistics.ts';
import type { Visit } from '../domain/visit.ts';
import { RowReader, varintBytesMax, writeVarint } from '../serde/varint.ts';
import type { RowCodec } from '../worker/versioned-rows.ts';

export interface TotalsRow {
  nonBots: number;
  bots: number;
  prefetches: number;
  /** Event times in ms; 0 = none. Prefetches do not count as visits. */
  firstVisitAt: number;
  lastVisitAt: number;
}

export function countInTotals(row: TotalsRow, visit: Visit): void {
  if (visit.class === 'prefetch') {
    row.prefetches++;
    return;
  }
  if (visit.class === 'bot') row.bots++;
  else row.nonBots++;
  if (row.firstVisitAt === 0 || visit.at < row.firstVisitAt) row.firstVisitAt = visit.at;
  if (visit.at > row.lastVisitAt) row.lastVisitAt = visit.at;
}

export const totalsRowCodec: RowCodec<TotalsRow> = {
  create: () => ({ nonBots: 0, bots: 0, prefetches: 0, firstVisitAt: 0, lastVisitAt: 0 }),
  decode(bytes) {
    const reader = new RowReader(bytes);
    const nonBots = reader.varint();
    const bots = reader.varint();
    const prefetches = reader.varint();
    const firstVisitAt = reader.varint();
    const lastVisitAt = firstVisitAt + reader.varint();
    reader.end();
    return { nonBots, bots, prefetches, firstVisitAt, lastVisitAt };
  },
  maxEncodedBytes: () => 5 * varintBytesMax,
  encode(row, target, at) {
    let position = writeVarint(target, row.nonBots, at);
    position = writeVarint(target, row.bots, position);
    position = writeVarint(target, row.prefetches, position);
    position = writeVarint(target, row.firstVisitAt, position);
    return writeVarint(target, row.lastVisitAt - row.firstVisitAt, position);
  },
};

/** The row as it is read. */
export function totalsOfRow(row: TotalsRow): VisitTotals {
  return {
    total: row.nonBots + row.bots,
    nonBots: row.nonBots,
    bots: row.bots,
    prefetches: row.prefetches,
    firstVisitAt: row.firstVisitAt === 0 ? null : row.firstVisitAt,
    lastVisitAt: row.lastVisitAt === 0 ? null : row.lastVisitAt,
  };
}
