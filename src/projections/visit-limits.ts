/**
 * How many human visits of each limited link are used up, exactly: the folded number, and since then one for each visit
 * that the redirect door took in this process. For one process that answers all redirects; instances side by side need
 * a count that they share.
 */
import { LRUCache } from 'lru-cache';
import type { StatisticsReadModel } from '../ports/statistics-read-model.ts';
import type { VisitLimits } from '../ports/visit-limits.ts';

export interface VisitLimitsDeps {
  readonly statistics: Pick<StatisticsReadModel, 'reached' | 'totalsOf'>;
  /**
   * The offset behind every visit of the partition that was handed to the journal before this call, waiting ones
   * included: flush the journal, then ask the log for its end. All callbacks of those visits must have been called by then.
   */
  readonly visitsEnd: (partition: number) => Promise<number>;
  readonly partitionOf: (code: string) => number;
  /** Limited links remembered; those not followed for longest are forgotten and learnt anew. Default 100,000. */
  readonly linksMax?: number;
}

/** How long the fold may take to reach the end of the log before the door says 503. */
const seedTimeoutMs = 2_000;

export function createVisitLimits(deps: VisitLimitsDeps): VisitLimits {
  const used = new LRUCache<string, number>({ max: deps.linksMax ?? 100_000 });
  const seeds = new Map<string, Promise<void>>();

  /**
   * Exact because of its order: while a code has no number, nobody takes visits of it; all visits taken before are
   * handed to the journal in the same turn, so the end asked for here lies behind them; and the folded number is read
   * only when it holds them all.
   */
  async function learn(code: string): Promise<void> {
    const partition = deps.partitionOf(code);
    const nextOffset = await deps.visitsEnd(partition);
    await deps.statistics.reached(partition, nextOffset, seedTimeoutMs);
    const { totals } = await deps.statistics.totalsOf([code]);
    used.set(code, totals.get(code)?.nonBots ?? 0);
  }

  return {
    take(code, maxVisits) {
      const count = used.get(code);
      if (count === undefined) return 'seeding';
      if (count >= maxVisits) return 'used-up';
      used.set(code, count + 1);
      return 'taken';
    },

    look(code, maxVisits) {
      const count = used.get(code);
      if (count === undefined) return 'seeding';
      return count >= maxVisits ? 'used-up' : 'left';
    },

    seed(code) {
      if (used.has(code)) return Promise.resolve();
      let seed = seeds.get(code);
      if (seed === undefined) {
        seed = learn(code).finally(() => seeds.delete(code));
        seeds.set(code, seed);
      }
      return seed;
    },

    giveBack(code) {
      // Forgotten meanwhile: the number learnt next is without the visit that was not written.
      const count = used.peek(code);
      if (count !== undefined) used.set(code, count - 1);
    },
  };
}
