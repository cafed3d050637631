/** The rows of the statistics as a view sees them that keeps them by link: which rows are a link's, and all of them. */
import type { KeyRange, StateSnapshot, StateStore, StoreEntry } from '../ports/state-store.ts';
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
  const { total, lastVisitAt } = totalsOfRow(totalsRowCodec.decode(payloadOf(bytes)));
  return { visits: total, lastVisitAt: lastVisitAt ?? 0 };
}

/** All rows of a link as they are stored, versions included, as they stand at one moment. */
export async function rowsOfLink(store: StateStore, code: string): Promise<readonly StoreEntry[]> {
  const snapshot = store.snapshot();
  try {
    const key = totalsKey(code);
    const [totals] = await snapshot.getMany([key]);
    return totals === undefined ? [] : [[key, totals], ...(await daysOfLink(snapshot, code))];
  } finally {
    await snapshot.close();
  }
}

/**
 * The rows of every visited link and the totals of all, in arrays of about a thousand, each link's rows in one of them. Of a link
 * last visited before `sinceMs`, only the totals. Each array is read when it is asked for, as it stands at one moment.
 */
export async function* rowsByLink(store: StateStore, sinceMs: number): AsyncGenerator<readonly StoreEntry[]> {
  const [overall] = await store.getMany([overallKey]);
  if (overall !== undefined) yield [[overallKey, overall]];
  for (let after = totalsKey(''); ; ) {
    const snapshot = store.snapshot();
    const rows: StoreEntry[] = [];
    try {
      // What is left of the links when the array is full is read again with the next one.
      for (const [key, value] of await snapshot.range({ gt: after, lt: 'u', limit: linksPerRead })) {
        rows.push([key, value]);
        after = key;
        const isActive = (scoresOfRow(key, value)?.lastVisitAt ?? 0) >= sinceMs;
        if (isActive) rows.push(...(await daysOfLink(snapshot, key.slice(1))));
        if (rows.length >= rowsPerArray) break;
      }
    } finally {
      await snapshot.close();
    }
    if (rows.length === 0) return;
    yield rows;
  }
}

const linksPerRead = 500;
const rowsPerArray = 1_000;
const daysPerRead = 5_000;
/** Behind the last day that a key can name. */
const daysEnd = 999_999;

async function daysOfLink(snapshot: StateSnapshot, code: string): Promise<readonly StoreEntry[]> {
  const lt = dayKey(code, daysEnd);
  const days = [...(await snapshot.range({ gte: dayKey(code, 0), lt, limit: daysPerRead }))];
  for (let page: readonly StoreEntry[] = days; page.length === daysPerRead; ) {
    page = await snapshot.range({ gt: (page.at(-1) as StoreEntry)[0], lt, limit: daysPerRead });
    days.push(...page);
  }
  return days;
}

function codeOfDays(bound: string | undefined): string | null {
  return bound?.startsWith('d') && bound.includes('!') ? codeOfRow(bound) : null;
}
