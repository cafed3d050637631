import fc from 'fast-check';
import { gatheringMs } from '../../src/worker/pacing.ts';

const pace = { shortestMs: 10, longestMs: 250, loops: 1 };

describe('the time for which records are gathered', () => {
  it('is the shortest for few records, and the longest for ones that come as fast as they can', () => {
    expect([0, 1, 4].map((records) => gatheringMs(records, pace))).toEqual([10, 10, 10]);
    expect(gatheringMs(625, pace)).toBe(125);
    expect(gatheringMs(2_500, pace)).toBe(250);
    expect(gatheringMs(1_000_000, pace)).toBe(250);
  });

  it('is that of the rate of all loops together', () => {
    expect(gatheringMs(625 / 16, { ...pace, loops: 16 })).toBe(125);
  });

  it('is reached within its bounds at any steady rate, by a loop that asks again and again', () => {
    const rates = fc.integer({ min: 1, max: 200_000 });
    const loopCounts = fc.integer({ min: 1, max: 64 });
    fc.assert(
      fc.property(rates, loopCounts, (perSecond, loops) => {
        for (let sinceMs = 1; ; sinceMs++) {
          const records = Math.floor((perSecond * sinceMs) / 1_000 / loops);
          if (gatheringMs(records, { ...pace, loops }) > sinceMs) continue;
          expect(sinceMs).toBeGreaterThanOrEqual(10);
          expect(sinceMs).toBeLessThanOrEqual(250);
          if (perSecond <= 300) expect(sinceMs).toBe(10);
          if (perSecond >= 20_000) expect(sinceMs).toBe(250);
          return;
        }
      }),
    );
  });
});
