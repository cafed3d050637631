import { createMemoryStateStore } from '../../src/adapters/memory/memory-state-store.ts';
import type { StateStore, StoreEntry } from '../../src/ports/state-store.ts';
import { visitStatistics } from '../../src/projections/visit-statistics.ts';
import { codeOfRow, rowsByLink, rowsOfLink, scoresOfRow } from '../../src/projections/visit-statistics-rows.ts';
import { encodeVisit } from '../../src/serde/visit.ts';
import type { Task } from '../../src/worker/task.ts';
import { versionOf } from '../../src/worker/versioned-rows.ts';
import { openTask, TestLog } from '../support/topology-driver.ts';
import { aVisit, octoberFirstMs } from '../support/visits.ts';

const dayMs = 86_400_000;

let log: TestLog;
let store: StateStore;
let task: Task;

beforeEach(async () => {
  log = new TestLog();
  store = createMemoryStateStore();
  task = await openTask({ topology: visitStatistics, store });
});

/** Visits in order: code, day since the first of October. */
async function visit(...visits: readonly (readonly [code: string, day: number])[]): Promise<void> {
  const from = log.records.length;
  for (const [code, day] of visits) log.append(code, encodeVisit(aVisit({ code, at: octoberFirstMs + day * dayMs })));
  task.fold(log.from(from));
  await task.commit();
}

const linksOf = (rows: readonly StoreEntry[]) => new Set(rows.map(([key]) => codeOfRow(key)));

describe('the rows of the statistics by link', () => {
  it('are all rows of one link, whatever the codes of its neighbours', async () => {
    await visit(['ab', 0], ['a', 0], ['a', 3], ['a-', 1], ['a', 3], ['abc', 2]);
    const rows = await rowsOfLink(store, 'a');
    expect(rows.map(([key]) => key.slice(0, 2))).toEqual(['ta', 'da', 'da']);
    expect(linksOf(rows)).toEqual(new Set(['a']));
    expect(rows.map(([, value]) => versionOf(value))).toEqual([4, 1, 4]);
    expect(await rowsOfLink(store, 'nobody')).toEqual([]);
  });

  it('come with the totals of all, each link in one array, and only totals of those not visited lately', async () => {
    const codes = Array.from({ length: 700 }, (_, index) => `code${index}`);
    await visit(...codes.map((code) => [code, 9] as const), ...codes.map((code) => [code, 10] as const), [
      'long-ago',
      1,
    ]);
    const arrays: (readonly StoreEntry[])[] = [];
    for await (const rows of rowsByLink(store, octoberFirstMs + 5 * dayMs)) arrays.push(rows);
    const seen = new Map<string | null, number>();
    for (const rows of arrays) for (const code of linksOf(rows)) seen.set(code, (seen.get(code) ?? 0) + 1);
    expect([...seen.values()].every((times) => times === 1)).toBe(true);
    expect(seen.size).toBe(702);
    const all = arrays.flat();
    expect(all).toHaveLength(1 + 700 * 3 + 1);
    expect(all.filter(([key]) => codeOfRow(key) === 'long-ago').map(([key]) => key)).toEqual(['tlong-ago']);
    expect(Math.max(...arrays.map((rows) => rows.length))).toBeLessThan(1_010);
  });

  it('are read when their array is asked for, so that what changed since the one before is in them', async () => {
    const codes = Array.from({ length: 600 }, (_, index) => `code${String(index).padStart(3, '0')}`);
    await visit(...codes.map((code) => [code, 9] as const), ...codes.map((code) => [code, 10] as const));
    const arrays = rowsByLink(store, octoberFirstMs);
    await arrays.next();
    const first = (await arrays.next()).value ?? [];
    const next = codes.find((code) => !linksOf(first).has(code)) ?? '';
    await visit([next, 11]);
    const second = (await arrays.next()).value ?? [];
    const ofNext = second.filter(([key]: StoreEntry) => codeOfRow(key) === next);
    expect(ofNext).toHaveLength(4);
    expect(scoresOfRow(...(ofNext[0] as [string, Uint8Array]))).toEqual({
      visits: 3,
      lastVisitAt: octoberFirstMs + 11 * dayMs,
    });
  });
});
