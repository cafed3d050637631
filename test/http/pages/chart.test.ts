import fc from 'fast-check';
import { niceScale } from '../../../src/http/pages/chart.ts';

describe('the scale of the chart', () => {
  it.each([
    [0, 1, [1]],
    [1, 1, [1]],
    [4, 4, [1, 2, 3, 4]],
    [312, 400, [100, 200, 300, 400]],
    [525, 600, [200, 400, 600]],
  ])('of a highest value of %d ends at %d', (highest, max, ticks) => {
    expect(niceScale(highest)).toEqual({ max, ticks });
  });

  it('covers every value with at most five whole steps and wastes less than half', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 1e12 }), (highest) => {
        const { max, ticks } = niceScale(highest);
        expect(max).toBeGreaterThanOrEqual(highest);
        expect(max).toBeLessThan(highest * 2);
        expect(ticks.length).toBeLessThanOrEqual(5);
        expect(ticks.every(Number.isInteger)).toBe(true);
        expect(ticks.at(-1)).toBe(max);
      }),
    );
  });
});
