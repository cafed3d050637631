import { expect } from '@jest/globals';
import type { Breakdown, DayStatistics, Dimension } from '../../src/domain/statistics.ts';
import { dimensions } from '../../src/domain/statistics.ts';
import { namesMax, sumBreakdowns } from '../../src/queries/breakdown.ts';

const none: Breakdown = { values: [], other: 0 };

function dayWith(breakdowns: Partial<Record<Dimension, Breakdown>>): DayStatistics {
  const all = Object.fromEntries(dimensions.map((dimension) => [dimension, breakdowns[dimension] ?? none]));
  return {
    day: 20_000,
    quarters: [],
    prefetches: 0,
    firstVisitAt: null,
    lastVisitAt: null,
    uniqueVisitors: 0,
    breakdowns: all as Record<Dimension, Breakdown>,
  };
}

describe('the breakdowns of days', () => {
  it('are empty lists without a visit', () => {
    expect(sumBreakdowns([]).referrers).toEqual([]);
    expect(Object.keys(sumBreakdowns([dayWith({})]))).toEqual([...dimensions]);
  });

  it('sum each name over the days, most visits first, then by name', () => {
    const days = [
      dayWith({
        countries: {
          values: [
            ['DE', 3],
            ['AT', 1],
            ['CH', 2],
          ],
          other: 0,
        },
      }),
      dayWith({
        countries: {
          values: [
            ['AT', 1],
            ['DE', 4],
          ],
          other: 0,
        },
      }),
    ];
    expect(sumBreakdowns(days).countries).toEqual([
      { name: 'DE', visits: 7 },
      { name: 'AT', visits: 2 },
      { name: 'CH', visits: 2 },
    ]);
  });

  it.each<[Dimension, string]>([
    ['referrers', '(direct)'],
    ['countries', '(unknown)'],
    ['campaigns', '(none)'],
    ['crawlers', '(unknown)'],
  ])('name in %s what has no value %s', (dimension, name) => {
    expect(sumBreakdowns([dayWith({ [dimension]: { values: [['', 5]], other: 0 } })])[dimension]).toEqual([
      { name, visits: 5 },
    ]);
  });

  it('count a value that bears the name of another row with that row', () => {
    const day = dayWith({
      referrers: {
        values: [
          ['(other)', 2],
          ['', 3],
          ['(direct)', 4],
          ['__proto__', 1],
        ],
        other: 10,
      },
    });
    expect(sumBreakdowns([day]).referrers).toEqual([
      { name: '(other)', visits: 12 },
      { name: '(direct)', visits: 7 },
      { name: '__proto__', visits: 1 },
    ]);
  });

  it('name at most so many values and keep the sum', () => {
    const values = Array.from({ length: namesMax + 500 }, (_, i) => [`site-${i}.example`, 1 + (i % 7)] as const);
    const { referrers } = sumBreakdowns([dayWith({ referrers: { values, other: 5 } })]);
    expect(referrers).toHaveLength(namesMax + 1);
    const sum = (list: readonly { visits: number }[]) => list.reduce((total, { visits }) => total + visits, 0);
    expect(sum(referrers)).toBe(values.reduce((total, [, visits]) => total + visits, 5));
    expect(referrers[0]?.name).toBe('(other)');
    expect(referrers[1]).toEqual({ name: 'site-1000.example', visits: 7 });
  });
});
