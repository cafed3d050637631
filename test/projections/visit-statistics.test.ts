import fc from 'fast-check';
import { createMemoryStateStore } from '../../src/adapters/memory/memory-state-store.ts';
import { dimensions } from '../../src/domain/statistics.ts';
import type { Visit } from '../../src/domain/visit.ts';
import type { StateStore } from '../../src/ports/state-store.ts';
import { capacities, dayMs, dayStatisticsOf } from '../../src/projections/day-row.ts';
import { totalsOfRow, totalsRowCodec } from '../../src/projections/totals-row.ts';
import { dayKey, dayOfKey, overallKey, totalsKey, visitStatistics } from '../../src/projections/visit-statistics.ts';
import { encodeVisit } from '../../src/serde/visit.ts';
import { payloadOf } from '../../src/worker/versioned-rows.ts';
import { openTask, rowsOf, TestLog } from '../support/topology-driver.ts';
import { aVisit, octoberFirstMs } from '../support/visits.ts';
import { withBatches } from '../support/with-batches.ts';

const octoberFirst = octoberFirstMs / dayMs;

async function foldAll(visits: readonly Visit[]): Promise<StateStore> {
  const store = createMemoryStateStore();
  const log = new TestLog();
  for (const visit of visits) log.append(visit.code, encodeVisit(visit));
  const task = await openTask({ topology: visitStatistics, store });
  task.fold(log.from(0));
  await task.close();
  return store;
}

function payload(store: StateStore, key: string): Buffer {
  const bytes = store.getSync(key);
  if (bytes === undefined) throw new Error(`no row ${key}`);
  return payloadOf(bytes);
}

const totalsIn = (store: StateStore, key: string) => totalsOfRow(totalsRowCodec.decode(payload(store, key)));
const dayIn = (store: StateStore, code: string, day: number) => dayStatisticsOf(day, payload(store, dayKey(code, day)));

/** Keys of totals that are read from the store when the first link is visited again after two commits without it. */
async function readAgain(tasksInThread: number): Promise<readonly string[]> {
  const store = createMemoryStateStore();
  const log = new TestLog();
  const read: string[] = [];
  const watched: StateStore = {
    ...store,
    getSync(key) {
      read.push(key);
      return store.getSync(key);
    },
  };
  const task = await openTask({ topology: visitStatistics, store: watched, tasksInThread: () => tasksInThread });
  for (const codes of [['one', 'two'], ['three', 'four'], ['five', 'six'], ['one']]) {
    read.length = 0;
    const from = log.records.length;
    for (const code of codes) log.append(code, encodeVisit(aVisit({ code })));
    task.fold(log.from(from));
    await task.commit();
  }
  await task.close();
  return read.filter((key) => key.startsWith('t'));
}

/** Its batches are written a few turns late, in which the fold goes on. */
function slow(store: StateStore): StateStore {
  return withBatches(store, (batch) => ({
    async write() {
      for (let left = 5; left > 0; left--) await Promise.resolve();
      await batch.write();
    },
  }));
}

describe('the statistics of visits', () => {
  it('keeps fewer links in memory the more tasks share it', async () => {
    expect(await readAgain(1)).toEqual([]);
    expect(await readAgain(60_000)).toEqual([totalsKey('one')]);
  });

  it('counts people, bots and prefetches apart, for the link and over all links', async () => {
    const store = await foldAll([
      aVisit({ at: octoberFirstMs + 5 }),
      aVisit({ at: octoberFirstMs + 1, class: 'bot', crawler: 'Googlebot' }),
      aVisit({ at: octoberFirstMs + 9, class: 'prefetch' }),
      aVisit({ at: octoberFirstMs + 7, code: 'other00' }),
    ]);
    expect(totalsIn(store, totalsKey('abc1234'))).toEqual({
      total: 2,
      nonBots: 1,
      bots: 1,
      prefetches: 1,
      firstVisitAt: octoberFirstMs + 1,
      lastVisitAt: octoberFirstMs + 5,
    });
    expect(totalsIn(store, overallKey)).toMatchObject({ total: 3, nonBots: 2, bots: 1, prefetches: 1 });
  });

  it('puts a visit into its quarter hour, also when it comes late', async () => {
    const quarter = 15 * 60_000;
    const at = [2, 0, 2, 95, 1, 0].map((index) => octoberFirstMs + index * quarter + 1);
    const store = await foldAll(at.map((time) => aVisit({ at: time })));
    expect(dayIn(store, 'abc1234', octoberFirst).quarters).toEqual([
      { quarter: 0, nonBots: 2, bots: 0 },
      { quarter: 1, nonBots: 1, bots: 0 },
      { quarter: 2, nonBots: 2, bots: 0 },
      { quarter: 95, nonBots: 1, bots: 0 },
    ]);
  });

  it('keeps days apart when visits go back and forth over midnight', async () => {
    const store = await foldAll(
      [0, 1, 0, 1, 2, 0].map((day) => aVisit({ at: octoberFirstMs + day * dayMs, visitor: day })),
    );
    const totals = [0, 1, 2].map((day) => dayIn(store, 'abc1234', octoberFirst + day).quarters[0]?.nonBots);
    expect(totals).toEqual([3, 2, 1]);
  });

  it('joins the UTM values of a visit into one campaign', async () => {
    const store = await foldAll([
      aVisit({ utmCampaign: 'spring', utmSource: 'letter', utmMedium: 'email' }),
      aVisit({ utmSource: 'letter' }),
      aVisit(),
    ]);
    expect(dayIn(store, 'abc1234', octoberFirst).breakdowns.campaigns.values).toEqual([
      ['spring / letter / email', 1],
      ['letter', 1],
      ['', 1],
    ]);
  });

  it('bounds a row under a stream of made-up referrers, and keeps the real ones and the sum', async () => {
    const visits: Visit[] = [];
    for (let i = 0; i < 20_000; i++) {
      const referrer = i % 4 === 0 ? `real${i % 3}.example` : `made-up-${i}.example`;
      visits.push(aVisit({ referrer, at: octoberFirstMs + i, visitor: i % 50 }));
    }
    const store = await foldAll(visits);
    const { values, other } = dayIn(store, 'abc1234', octoberFirst).breakdowns.referrers;
    const counts = new Map(values);
    expect(values.length).toBe(capacities.referrers);
    expect(counts.get('real0.example')).toBeGreaterThan(1_600);
    expect(counts.get('real1.example')).toBeGreaterThan(1_600);
    expect(values.reduce((sum, [, count]) => sum + count, other)).toBe(20_000);
    expect(payload(store, dayKey('abc1234', octoberFirst)).length).toBeLessThan(8_000);
  });

  it('names days so that they sort by time', () => {
    const days = [0, 9, 10, 20_000, 99_999, 100_000];
    expect(days.map((day) => dayKey('a', day)).toSorted()).toEqual(days.map((day) => dayKey('a', day)));
    expect(days.map((day) => dayOfKey(dayKey('a!-_', day)))).toEqual(days);
  });

  const visits = fc.array(
    fc.record({
      code: fc.constantFrom('aaa', 'bbb', '__proto__'),
      minute: fc.integer({ min: 0, max: 4 * 24 * 60 }),
      class: fc.constantFrom('human' as const, 'human' as const, 'bot' as const, 'prefetch' as const),
      referrer: fc.constantFrom('', 'a.example', 'b.example', 'münchen.example'),
      visitor: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    }),
    { maxLength: 120 },
  );
  const build = ({ minute, ...rest }: { minute: number } & Partial<Visit>) =>
    aVisit({ ...rest, at: octoberFirstMs + minute * 60_000 });

  it('adds up: quarters, breakdowns and visitors agree with the totals', async () => {
    await fc.assert(
      fc.asyncProperty(visits, async (drawn) => {
        const all = drawn.map(build);
        const store = await foldAll(all);
        for (const code of new Set(all.map((visit) => visit.code))) {
          const own = all.filter((visit) => visit.code === code);
          const people = own.filter((visit) => visit.class === 'human');
          const totals = totalsIn(store, totalsKey(code));
          expect(totals.nonBots).toBe(people.length);
          expect(totals.bots).toBe(own.filter((visit) => visit.class === 'bot').length);
          for (const day of new Set(own.map((visit) => Math.floor(visit.at / dayMs)))) {
            const row = dayIn(store, code, day);
            const ofDay = people.filter((visit) => Math.floor(visit.at / dayMs) === day);
            expect(row.uniqueVisitors).toBe(new Set(ofDay.map((visit) => visit.visitor)).size);
            const bots = row.quarters.reduce((sum, quarter) => sum + quarter.bots, 0);
            for (const dimension of dimensions) {
              const { values, other } = row.breakdowns[dimension];
              const sum = values.reduce((before, [, count]) => before + count, other);
              expect(sum).toBe(dimension === 'crawlers' ? bots : ofDay.length);
            }
            expect(row.quarters.reduce((sum, quarter) => sum + quarter.nonBots, 0)).toBe(ofDay.length);
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  it('gives the same bytes when it goes on beside commits and forgets all links that it may', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(3), fc.nat(2), fc.nat(3)), { minLength: 20, maxLength: 60 }),
        async (steps) => {
          const visits = steps.map(([code, day]) => aVisit({ code: `code${code}`, at: octoberFirstMs + day * dayMs }));
          const log = new TestLog();
          for (const visit of visits) log.append(visit.code, encodeVisit(visit));
          const store = createMemoryStateStore();
          const task = await openTask({
            topology: visitStatistics,
            store: slow(store),
            tasksInThread: () => 1_000_000,
          });
          const commits: Promise<void>[] = [];
          for (const [offset, [, , turns]] of steps.entries()) {
            task.fold(log.from(offset, 1));
            if (turns === 0) commits.push(task.commit());
            for (let left = turns; left > 1; left--) await Promise.resolve();
          }
          await Promise.all(commits);
          await task.close();
          expect(await rowsOf(store)).toEqual(await rowsOf(await foldAll(visits)));
        },
      ),
    );
  });

  it('gives the same bytes wherever the fold was cut by commits and restarts', async () => {
    await fc.assert(
      fc.asyncProperty(visits, fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 8 }), async (drawn, cuts) => {
        const all = drawn.map(build);
        const log = new TestLog();
        for (const visit of all) log.append(visit.code, encodeVisit(visit));
        const store = createMemoryStateStore();
        for (const count of [...cuts, Number.MAX_SAFE_INTEGER]) {
          const task = await openTask({ topology: visitStatistics, store });
          task.fold(log.from(task.status().nextOffset, count));
          await task.commit();
        }
        expect(await rowsOf(store)).toEqual(await rowsOf(await foldAll(all)));
      }),
      { numRuns: 100 },
    );
  });
});
