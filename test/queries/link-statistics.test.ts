import { expect } from '@jest/globals';
import fc from 'fast-check';
import type { Link } from '../../src/domain/link.ts';
import { dimensions } from '../../src/domain/statistics.ts';
import { StatisticsRebuilding } from '../../src/ports/statistics-read-model.ts';
import { createLinkStatistics, type Statistics, type StatisticsRange } from '../../src/queries/link-statistics.ts';
import { FakeStatisticsDays, type FakeVisit } from '../support/fake-statistics-days.ts';

const link: Link = {
  code: 'abc1234',
  url: 'https://example.com/',
  version: 1,
  kind: 'own',
  createdAt: Date.parse('2026-03-01T09:20:00.000Z'),
  updatedAt: Date.parse('2026-03-01T09:20:00.000Z'),
  expiresAt: null,
  maxVisits: null,
  tags: [],
  note: null,
  disabled: false,
  deletedAt: null,
  ordinal: 1,
};

const human = (at: string, values: FakeVisit['values'] = {}): FakeVisit => ({
  at: Date.parse(at),
  class: 'human',
  values,
});
const bot = (at: string, values: FakeVisit['values'] = {}): FakeVisit => ({ at: Date.parse(at), class: 'bot', values });
const prefetch = (at: string): FakeVisit => ({ at: Date.parse(at), class: 'prefetch' });

const noon = '2026-03-10T12:00:00.000Z';

async function ask(statistics: FakeStatisticsDays, range: StatisticsRange, now = noon): Promise<Statistics> {
  const answer = await createLinkStatistics({ statistics, clock: { nowMs: () => Date.parse(now) } })(link, range);
  if ('length' in answer) throw new Error(JSON.stringify(answer));
  return answer;
}

describe('the statistics of a link', () => {
  it('are zeros from its creation to now before the first visit', async () => {
    const answer = await ask(new FakeStatisticsDays(), {});
    expect(answer).toMatchObject({
      code: 'abc1234',
      url: 'https://example.com/',
      from: '2026-03-01T09:15:00Z',
      to: '2026-03-10T12:15:00Z',
      interval: 'day',
      timezone: 'UTC',
      total: 0,
      nonBots: 0,
      bots: 0,
      prefetches: 0,
      uniqueVisitors: 0,
      firstVisitAt: null,
      lastVisitAt: null,
      breakdownRange: { from: '2026-03-01T00:00:00Z', to: '2026-03-11T00:00:00Z' },
    });
    expect(answer.series).toHaveLength(10);
    expect(answer.series.every(({ total, nonBots }) => total === 0 && nonBots === 0)).toBe(true);
    expect(answer.breakdowns.referrers).toEqual([]);
  });

  it('go from the first visit to now when no range is asked for', async () => {
    const visits = new FakeStatisticsDays().visit(
      'abc1234',
      human('2026-03-10T10:22:03.004Z', { referrers: 'news.example', countries: 'DE' }),
      human('2026-03-10T11:59:59.999Z', { referrers: 'news.example', countries: null }),
      human('2026-03-10T12:00:00.000Z'),
      bot('2026-03-10T11:00:00.000Z', { crawlers: 'Googlebot' }),
      prefetch('2026-03-10T10:20:00.000Z'),
    );
    const answer = await ask(visits, {});
    expect(answer).toMatchObject({
      from: '2026-03-10T10:15:00Z',
      to: '2026-03-10T12:15:00Z',
      interval: '15m',
      total: 4,
      nonBots: 3,
      bots: 1,
      prefetches: 1,
      uniqueVisitors: 3,
      firstVisitAt: Date.parse('2026-03-10T10:22:03.004Z'),
      lastVisitAt: Date.parse('2026-03-10T12:00:00.000Z'),
    });
    expect(answer.series).toEqual([
      { start: '2026-03-10T10:15:00Z', total: 1, nonBots: 1 },
      { start: '2026-03-10T10:30:00Z', total: 0, nonBots: 0 },
      { start: '2026-03-10T10:45:00Z', total: 0, nonBots: 0 },
      { start: '2026-03-10T11:00:00Z', total: 1, nonBots: 0 },
      { start: '2026-03-10T11:15:00Z', total: 0, nonBots: 0 },
      { start: '2026-03-10T11:30:00Z', total: 0, nonBots: 0 },
      { start: '2026-03-10T11:45:00Z', total: 1, nonBots: 1 },
      { start: '2026-03-10T12:00:00Z', total: 1, nonBots: 1 },
    ]);
    expect(answer.breakdowns).toMatchObject({
      referrers: [
        { name: 'news.example', visits: 2 },
        { name: '(direct)', visits: 1 },
      ],
      countries: [
        { name: '(other)', visits: 1 },
        { name: '(unknown)', visits: 1 },
        { name: 'DE', visits: 1 },
      ],
      campaigns: [{ name: '(none)', visits: 3 }],
      crawlers: [{ name: 'Googlebot', visits: 1 }],
    });
  });

  it('keep visits of a clock that was ahead in the all-time range', async () => {
    const visits = new FakeStatisticsDays().visit(
      'abc1234',
      human('2026-03-10T11:00:00Z'),
      human('2026-03-12T00:00:00Z'),
    );
    expect(await ask(visits, {})).toMatchObject({ total: 2, to: '2026-03-12T00:15:00Z' });
    expect(await ask(visits, { from: '2026-03-10' })).toMatchObject({ total: 2, to: '2026-03-12T00:15:00Z' });
  });

  it('of the part of a day count that part, and say for which days the breakdowns stand', async () => {
    const visits = new FakeStatisticsDays().visit(
      'abc1234',
      human('2026-03-09T01:00:00Z', { browsers: 'Firefox' }),
      human('2026-03-09T13:20:00Z', { browsers: 'Firefox' }),
      human('2026-03-09T13:29:00Z', { browsers: 'Chrome' }),
      bot('2026-03-09T23:00:00Z'),
    );
    const answer = await ask(visits, { from: '2026-03-09T13:00:00Z', to: '2026-03-09T14:00:00Z' });
    expect(answer).toMatchObject({
      from: '2026-03-09T13:00:00Z',
      to: '2026-03-09T14:00:00Z',
      total: 2,
      bots: 0,
      uniqueVisitors: 3,
      // The day's own first and last visit lie outside: known by the quarter hour.
      firstVisitAt: Date.parse('2026-03-09T13:15:00Z'),
      lastVisitAt: Date.parse('2026-03-09T13:15:00Z'),
      breakdownRange: { from: '2026-03-09T00:00:00Z', to: '2026-03-10T00:00:00Z' },
    });
    expect(answer.breakdowns.browsers).toEqual([
      { name: 'Firefox', visits: 2 },
      { name: 'Chrome', visits: 1 },
    ]);
    expect(answer.breakdowns.crawlers).toEqual([{ name: '(unknown)', visits: 1 }]);
  });

  it('of local days hold what fell into them', async () => {
    const visits = new FakeStatisticsDays().visit(
      'abc1234',
      human('2026-03-04T18:14:59Z'),
      human('2026-03-04T18:15:00Z'),
      human('2026-03-05T18:14:59Z'),
      human('2026-03-05T18:15:00Z'),
    );
    const answer = await ask(visits, {
      from: '2026-03-05',
      to: '2026-03-07',
      interval: 'day',
      timezone: 'asia/kathmandu',
    });
    expect(answer).toMatchObject({
      timezone: expect.stringMatching(/^asia\/kathmandu$/i),
      from: '2026-03-05T00:00:00+05:45',
    });
    expect(answer.series).toEqual([
      { start: '2026-03-05T00:00:00+05:45', total: 2, nonBots: 2 },
      { start: '2026-03-06T00:00:00+05:45', total: 1, nonBots: 1 },
    ]);
  });

  it('begin their first bucket where the calendar says, and count in it only what is in the range', async () => {
    const visits = new FakeStatisticsDays().visit(
      'abc1234',
      human('2026-03-02T08:00:00Z'),
      human('2026-03-04T08:00:00Z'),
    );
    const answer = await ask(visits, { from: '2026-03-03', to: '2026-03-10', interval: 'week' });
    expect(answer.series).toEqual([
      { start: '2026-03-02T00:00:00Z', total: 1, nonBots: 1 },
      { start: '2026-03-09T00:00:00Z', total: 0, nonBots: 0 },
    ]);
  });

  it('that end before the first visit are zeros', async () => {
    const visits = new FakeStatisticsDays().visit('abc1234', human('2026-03-09T01:00:00Z'));
    expect(await ask(visits, { to: '2026-03-01' })).toMatchObject({ total: 0, from: '2026-02-28T23:45:00Z' });
    expect(await ask(visits, { from: '2020-01-01', to: '2020-02-01' })).toMatchObject({ total: 0, interval: 'day' });
  });

  it('refuse a beginning that is not before now', async () => {
    const query = createLinkStatistics({
      statistics: new FakeStatisticsDays(),
      clock: { nowMs: () => Date.parse(noon) },
    });
    expect(await query(link, { from: '2026-03-11' })).toMatchObject([{ field: 'from', code: 'out-of-range' }]);
    expect(await query(link, { from: '1900-01-01' })).toMatchObject([{ field: 'from', code: 'out-of-range' }]);
  });

  it('refuse what is asked wrongly without reading anything', async () => {
    const statistics = new FakeStatisticsDays();
    const query = createLinkStatistics({ statistics, clock: { nowMs: () => Date.parse(noon) } });
    expect(await query(link, { from: 'x', timezone: 'y' })).toHaveLength(2);
    expect(await query(link, { from: '2020-01-01', to: '2021-01-01', interval: '15m' })).toMatchObject([
      { field: 'interval', code: 'too-many-buckets' },
    ]);
    expect(statistics.reads).toEqual([]);
  });

  it('read the days of the range once, and no others', async () => {
    const statistics = new FakeStatisticsDays();
    const day = (date: string) => Date.parse(date) / 86_400_000;
    await ask(statistics, { from: '2026-03-01T00:00:00Z', to: '2026-03-03T00:00:00Z' });
    await ask(statistics, { from: '2026-03-01T23:59:00Z', to: '2026-03-03T00:01:00Z' });
    await ask(statistics, { from: '1970-01-01', to: '1970-01-02', timezone: 'Asia/Tokyo' });
    expect(statistics.reads).toEqual([
      { code: 'abc1234', fromDay: day('2026-03-01'), toDay: day('2026-03-03') },
      { code: 'abc1234', fromDay: day('2026-03-01'), toDay: day('2026-03-04') },
      { code: 'abc1234', fromDay: 0, toDay: 1 },
    ]);
  });

  it.each([
    ['the stream has not come to its end', '2026-03-10T10:00:00Z', '2026-03-10T09:59:59.999Z', 0, false],
    ['the stream has passed its end', '2026-03-10T10:00:00Z', '2026-03-10T10:00:00Z', 0, true],
    [
      'a visit of before its end may be pending',
      '2026-03-10T10:00:00Z',
      '2026-03-10T10:00:00Z',
      2 * 3_600_000 + 1,
      false,
    ],
    ['what is pending came after its end', '2026-03-10T10:00:00Z', '2026-03-10T10:00:00Z', 2 * 3_600_000, true],
    ['it ends in the future', '2026-03-11T00:00:00Z', '2026-03-12T00:00:00Z', 0, false],
  ])('say whether they are final when %s', async (_, to, streamTime, lagMs, final) => {
    const statistics = new FakeStatisticsDays();
    statistics.position = { partition: 3, nextOffset: 42, streamTimeMs: Date.parse(streamTime) };
    statistics.lagMs = lagMs;
    const { position } = await ask(statistics, { from: '2026-03-01', to });
    expect(position).toEqual({ ...statistics.position, at: Date.parse(noon), lagMs, final });
  });

  it('pass on that the numbers are being rebuilt', async () => {
    const statistics = new FakeStatisticsDays();
    const rebuilding = new StatisticsRebuilding({ fraction: 0.5, recordsDone: 1, recordsTotal: 2 });
    statistics.daysOf = async () => Promise.reject(rebuilding);
    await expect(ask(statistics, {})).rejects.toBe(rebuilding);
  });

  it('sum to what a count of every visit gives, whatever the range, zone and interval', async () => {
    // Around changes of clocks in many zones, Apia's left-out day and Lord Howe's half hours.
    const origins = ['2011-12-29T00:00:00Z', '2018-11-03T00:00:00Z', '2026-03-07T00:00:00Z', '2026-10-03T00:00:00Z'];
    const zones = [
      'UTC',
      'Europe/Berlin',
      'Asia/Kathmandu',
      'America/St_Johns',
      'Pacific/Apia',
      'Australia/Lord_Howe',
      'America/Sao_Paulo',
      'America/New_York',
    ];
    const value = fc.constantFrom('a', 'b', '', null, '(other)');
    const visit = fc.record({
      minute: fc.integer({ min: 0, max: 5 * 1_440 }),
      class: fc.constantFrom('human' as const, 'bot' as const, 'prefetch' as const),
      value,
    });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...origins).map((origin) => Date.parse(origin)),
        fc.array(visit, { maxLength: 40 }),
        fc.constantFrom(...zones),
        fc.constantFrom('15m', 'hour', 'day', 'week', 'month'),
        fc.integer({ min: -2_000, max: 8_000 }),
        fc.integer({ min: 1, max: 8_000 }),
        async (originMs, visits, timezone, interval, fromMinute, minutes) => {
          const statistics = new FakeStatisticsDays();
          for (const { minute, class: visitClass, value: name } of visits) {
            const values = Object.fromEntries(dimensions.map((dimension) => [dimension, name]));
            statistics.visit('abc1234', { at: originMs + minute * 60_000 + 1, class: visitClass, values });
          }
          const iso = (ms: number) => new Date(ms).toISOString();
          const asked = {
            from: iso(originMs + fromMinute * 60_000),
            to: iso(originMs + (fromMinute + minutes) * 60_000),
          };
          const answer = await ask(statistics, { ...asked, interval, timezone });

          const [from, to] = [Date.parse(answer.from), Date.parse(answer.to)];
          expect(from).toBe(Math.floor(Date.parse(asked.from) / 900_000) * 900_000);
          expect(to).toBe(Math.ceil(Date.parse(asked.to) / 900_000) * 900_000);
          const counted = statistics.visitsOf('abc1234').filter(({ class: c }) => c !== 'prefetch');
          const inside = counted.filter(({ at }) => at >= from && at < to);
          expect(answer.total).toBe(inside.length);
          expect(answer.nonBots).toBe(inside.filter(({ class: c }) => c === 'human').length);
          expect(answer.total).toBe(answer.nonBots + answer.bots);

          const starts = answer.series.map(({ start }) => Date.parse(start));
          expect(starts[0]).toBeLessThanOrEqual(from);
          expect(starts.every((start, i) => i === 0 || (start > from && start > (starts[i - 1] ?? 0)))).toBe(true);
          const expectedSeries = starts.map((start, i) => {
            const bucket = inside.filter(({ at }) => at >= start && at < (starts[i + 1] ?? to));
            return { total: bucket.length, nonBots: bucket.filter(({ class: c }) => c === 'human').length };
          });
          expect(answer.series.map(({ total, nonBots }) => ({ total, nonBots }))).toEqual(expectedSeries);

          const [dayFrom, dayTo] = [Date.parse(answer.breakdownRange.from), Date.parse(answer.breakdownRange.to)];
          expect([dayFrom % 86_400_000, dayTo % 86_400_000]).toEqual([0, 0]);
          expect(dayFrom <= from && dayFrom > from - 86_400_000 && dayTo >= to && dayTo < to + 86_400_000).toBe(true);
          const ofDays = counted.filter(({ at }) => at >= dayFrom && at < dayTo);
          for (const dimension of dimensions) {
            const list = answer.breakdowns[dimension];
            const visitClass = dimension === 'crawlers' ? 'bot' : 'human';
            const expected = ofDays.filter(({ class: c }) => c === visitClass).length;
            expect(list.reduce((sum, { visits: count }) => sum + count, 0)).toBe(expected);
            expect(new Set(list.map(({ name }) => name)).size).toBe(list.length);
          }

          const times = inside.map(({ at }) => at).sort((a, b) => a - b);
          const near = (answered: number | null, exact: number | undefined) =>
            exact === undefined ? answered === null : answered !== null && Math.abs(answered - exact) < 900_000;
          expect(near(answer.firstVisitAt, times[0])).toBe(true);
          expect(near(answer.lastVisitAt, times.at(-1))).toBe(true);
          if (answer.firstVisitAt !== null && answer.lastVisitAt !== null) {
            expect(answer.firstVisitAt).toBeGreaterThanOrEqual(from);
            expect(answer.lastVisitAt).toBeGreaterThanOrEqual(answer.firstVisitAt);
            expect(answer.lastVisitAt).toBeLessThan(to);
          }
        },
      ),
      { numRuns: 250 },
    );
  });
});
