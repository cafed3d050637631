import fc from 'fast-check';
import type { VisitTotals } from '../../src/domain/statistics.ts';
import type { Position } from '../../src/ports/statistics-read-model.ts';
import { createVisitLimits } from '../../src/projections/visit-limits.ts';

/** A log of human visits that is written late, and a fold that goes no further than it is asked to, each in some turns. */
function createWorld(options: { linksMax?: number; turns?: () => number } = {}) {
  const log: string[] = [];
  const waiting: { code: string; done: (error: Error | null) => void; fail: boolean }[] = [];
  const calls = { end: 0, totals: 0 };
  let reachable = true;
  let foldedTo = 0;

  async function pause(): Promise<void> {
    for (let turn = options.turns?.() ?? 1; turn > 0; turn--) await new Promise((resolve) => setImmediate(resolve));
  }

  function write(): void {
    for (const { code, done, fail } of waiting.splice(0)) {
      if (!fail) log.push(code);
      done(fail ? new Error('disk full') : null);
    }
  }

  const limits = createVisitLimits({
    ...(options.linksMax === undefined ? {} : { linksMax: options.linksMax }),
    partitionOf: () => 0,
    async visitsEnd() {
      calls.end += 1;
      await pause();
      write();
      return log.length;
    },
    statistics: {
      async reached(_partition, nextOffset) {
        await pause();
        if (!reachable) throw new Error('the fold did not come so far');
        if (nextOffset > log.length) throw new Error('beyond the end');
        foldedTo = Math.max(foldedTo, nextOffset);
      },
      async totalsOf(codes) {
        calls.totals += 1;
        await pause();
        const totals = new Map<string, VisitTotals>();
        for (const code of codes) {
          const nonBots = log.slice(0, foldedTo).filter((logged) => logged === code).length;
          if (nonBots > 0) {
            totals.set(code, { total: nonBots, nonBots, bots: 0, prefetches: 0, firstVisitAt: 1, lastVisitAt: 1 });
          }
        }
        return { totals, position: { partitions: [] } as Position };
      },
    },
  });

  /** What the door does: take and hand over in one turn, or learn the number first. */
  async function visit(code: string, maxVisits: number, fail = false): Promise<'answered' | 'used-up' | 'failed'> {
    for (;;) {
      const taken = limits.take(code, maxVisits);
      if (taken === 'used-up') return 'used-up';
      if (taken === 'seeding') {
        await limits.seed(code, maxVisits, 'take');
        continue;
      }
      return new Promise((resolve) => {
        const done = (error: Error | null): void => {
          if (error !== null) limits.giveBack(code);
          resolve(error === null ? 'answered' : 'failed');
        };
        waiting.push({ code, done, fail });
        void pause().then(pause).then(write);
      });
    }
  }

  return { limits, log, calls, visit, setReachable: (value: boolean) => (reachable = value) };
}

describe('the visits of a limited link', () => {
  it('are seeded from the folded number before the first is taken', async () => {
    const world = createWorld();
    world.log.push('a', 'b', 'a');
    expect(world.limits.take('a', 3)).toBe('seeding');
    expect(world.limits.look('a', 3)).toBe('seeding');
    await world.limits.seed('a', 3, 'take');
    expect(world.limits.look('a', 3)).toBe('left');
    expect(world.limits.take('a', 3)).toBe('taken');
    expect(world.limits.take('a', 3)).toBe('used-up');
    expect(world.limits.look('a', 3)).toBe('used-up');
    expect(world.limits.take('a', 4)).toBe('taken');
  });

  it('are five of fifty at once when five are left', async () => {
    const world = createWorld();
    for (let used = 0; used < 10; used++) world.log.push('a');
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => world.visit('a', 15)));
    expect(outcomes.filter((outcome) => outcome === 'answered')).toHaveLength(5);
    expect(outcomes.filter((outcome) => outcome === 'used-up')).toHaveLength(45);
    expect(world.log).toHaveLength(15);
    expect(world.calls).toEqual({ end: 1, totals: 1 });
  });

  it('given back can be taken by another', async () => {
    const world = createWorld();
    expect(await world.visit('a', 1, true)).toBe('failed');
    expect(await world.visit('a', 1)).toBe('answered');
    expect(await world.visit('a', 1)).toBe('used-up');
  });

  it('are not known when the fold cannot be reached, and are asked for anew afterwards', async () => {
    const world = createWorld();
    world.setReachable(false);
    await expect(world.limits.seed('a', 1, 'take')).rejects.toThrow('did not come so far');
    expect(world.limits.take('a', 1)).toBe('seeding');
    world.setReachable(true);
    await world.limits.seed('a', 1, 'take');
    expect(world.limits.take('a', 1)).toBe('taken');
  });

  it('are never more than allowed, and as many when all is written, whatever is forgotten, relearnt and fails', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ code: fc.constantFrom('a', 'b', 'c'), fail: fc.boolean(), wait: fc.nat(3) }), {
          minLength: 1,
          maxLength: 60,
        }),
        fc.infiniteStream(fc.nat(3)),
        async (requests, turns) => {
          const world = createWorld({ linksMax: 1, turns: () => turns.next().value ?? 0 });
          const limitOf = { a: 5, b: 2, c: 1 };
          const running: Promise<[string, string]>[] = [];
          for (const { code, fail, wait } of requests) {
            for (let turn = 0; turn < wait; turn++) await new Promise((resolve) => setImmediate(resolve));
            running.push(world.visit(code, limitOf[code], fail).then((outcome) => [code, outcome]));
          }
          const outcomes = await Promise.all(running);
          for (const [code, limit] of Object.entries(limitOf)) {
            const ofCode = outcomes.filter(([visited]) => visited === code);
            const answered = ofCode.filter(([, outcome]) => outcome === 'answered').length;
            expect(answered).toBeLessThanOrEqual(limit);
            expect(world.log.filter((logged) => logged === code)).toHaveLength(answered);
            const failed = ofCode.filter(([, outcome]) => outcome === 'failed').length;
            if (failed === 0) expect(answered).toBe(Math.min(limit, ofCode.length));
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});
