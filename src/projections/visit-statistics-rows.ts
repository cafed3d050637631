/** The rows of the statistics as a view sees them that keeps them by link: which rows are a link's, and all of them. */
import type { KeyRange, StateStore, StoreEntry } from '../ports/state-store.ts';
import { payloadOf } from '../worker/versioned-rows.ts';
import { totalsOfRow, totalsRowCodec } from './totals-row.ts';
import { dayKey, overallKey, totalsKey } from './visit-statistics.ts';

/** The code of the link whose row it is; null for the totals of all links. */
export function codeOfRow(rowKey: string): string | null {
  if (rowKey.startsWith('t')) return rowKey.slice(1);
  return rowKey.startsWith('d') ? rowKey.slice(1, rowKey.lastIndexOf('!')) : null;
}

/** The code of the one link whose days a range can hold; null for any other range. */
export function codeOfRange({ gte, gt, lt }: KeyRange): string | null {
  const [from, to] = [codeOfDays(gte ?? gt), codeOfDays(lt)];
  return from !== null && from === to ? from : null;
}

/** By what links are listed, from the one row that says it; null for other rows. `bytes` is a stored row. */
export function scoresOfRow(
  rowKey: string,
  bytes: Uint8Array,
): { readonly visits: number; readonly lastVisitAt: number } | null {
  if (!rowKey.startsWith('t')) return null;
  const { nonBots, lastVisitAt } = totalsOfRow(totalsRowCodec.decode(payloadOf(bytes)));
  return { visits: nonBots, lastVisitAt: lastVisitAt ?? 0 };
}

/** All rows of a link as they are stored, versions included. */
export async function rowsOfLink(store: StateStore, code: string): Promise<readonly StoreEntry[]> {
  const key = totalsKey(code);
  const [totals] = await store.getMany([key]);
  return totals === undefined ? [] : [[key, totals], ...(await daysOfLink(store, code))];
}

/**
 * The rows of every visited link and the totals of all, in arrays of about a thousand, each link's rows in one of them. Of a link
 * last visited before `sinceMs`, only the totals. Each array is read when it is asked for.
 */
export async function* rowsByLink(store: StateStore, sinceMs: number): AsyncGenerator<readonly StoreEntry[]> {
  const [overall] = await store.getMany([overallKey]);
  let rows: StoreEntry[] = overall === undefined ? [] : [[overallKey, overall]];
  for (let gt = totalsKey(''); ; ) {
    const page = await store.range({ gt, lt: 'u', limit: linksPerRead });
    for (const [key, value] of page) {
      rows.push([key, value]);
      const isActive = (scoresOfRow(key, value)?.lastVisitAt ?? 0) >= sinceMs;
      if (isActive) rows.push(...(await daysOfLink(store, key.slice(1))));
      if (rows.length < rowsPerArray) continue;
      yield rows;
      rows = [];
    }
    const last = page.at(-1);
    if (last === undefined || page.length < linksPerRead) break;
    gt = last[0];
  }
  if (rows.length > 0) yield rows;
}

const linksPerRead = 500;
const rowsPerArray = 1_000;
const daysPerRead = 5_000;
/** Behind the last day that a key can name. */
const daysEnd = 999_999;

async function daysOfLink(store: StateStore, code: string): Promise<readonly StoreEntry[]> {
  const lt = dayKey(code, daysEnd);
  const days = [...(await store.range({ gte: dayKey(code, 0), lt, limit: daysPerRead }))];
  for (let page: readonly StoreEntry[] = days; page.length === daysPerRead; ) {
    page = await store.range({ gt: (page.at(-1) as StoreEntry)[0], lt, limit: daysPerRead });
    days.push(...page);
  }
  return days;
}

function codeOfDays(bound: string | undefined): string | null {
  return bound?.startsWith('d') && bound.includes('!') ? codeOfRow(bound) : null;
}
