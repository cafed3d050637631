/** Statistics as a Map of totals, set by the test; implements the whole read model. */
import type { VisitTotals } from '../../src/domain/statistics.ts';
import {
  type LinkStatistics,
  type Position,
  type RebuildProgress,
  type StatisticsProgress,
  type StatisticsReadModel,
  StatisticsRebuilding,
  StatisticsUnavailable,
} from '../../src/ports/statistics-read-model.ts';

export interface FakeStatistics extends StatisticsReadModel {
  /** Sets the totals of a code and moves the position on by one record. */
  set(code: string, totals: Partial<VisitTotals>): void;
  setDays(code: string, days: LinkStatistics['days']): void;
  /** Makes reads throw {@link StatisticsRebuilding} until it is null again. */
  /** From now on links are known in the order of their numbers. */
  keepOrder(): void;
  setRebuild(rebuild: RebuildProgress | null): void;
}

export function createFakeStatistics(): FakeStatistics {
  const totals = new Map<string, VisitTotals>();
  const days = new Map<string, LinkStatistics['days']>();
  const listeners = new Set<(progress: StatisticsProgress) => void>();
  let nextOffset = 0;
  let streamTimeMs = 0;
  let rebuild: RebuildProgress | null = null;
  let keepsOrder = false;

  const position = (): Position => ({ partitions: [{ partition: 0, nextOffset, streamTimeMs }] });
  const progress = (): StatisticsProgress => ({ ...position(), lagMs: 0, rebuild, halted: null });

  function assertReadable(): void {
    if (rebuild !== null) throw new StatisticsRebuilding(rebuild);
  }

  function sum(): VisitTotals {
    const all = { total: 0, nonBots: 0, bots: 0, prefetches: 0 };
    let firstVisitAt: number | null = null;
    let lastVisitAt: number | null = null;
    for (const each of totals.values()) {
      all.total += each.total;
      all.nonBots += each.nonBots;
      all.bots += each.bots;
      all.prefetches += each.prefetches;
      if (each.firstVisitAt !== null) firstVisitAt = Math.min(firstVisitAt ?? each.firstVisitAt, each.firstVisitAt);
      if (each.lastVisitAt !== null) lastVisitAt = Math.max(lastVisitAt ?? each.lastVisitAt, each.lastVisitAt);
    }
    return { ...all, firstVisitAt, lastVisitAt };
  }

  return {
    set(code, given) {
      const nonBots = given.nonBots ?? given.total ?? 0;
      const bots = given.bots ?? 0;
      totals.set(code, {
        total: given.total ?? nonBots + bots,
        nonBots,
        bots,
        prefetches: given.prefetches ?? 0,
        firstVisitAt: given.firstVisitAt ?? given.lastVisitAt ?? null,
        lastVisitAt: given.lastVisitAt ?? null,
      });
      nextOffset += 1;
      streamTimeMs = Math.max(streamTimeMs, given.lastVisitAt ?? 0);
      for (const listener of listeners) listener(progress());
    },
    setDays(code, given) {
      days.set(code, given);
    },
    keepOrder() {
      keepsOrder = true;
    },
    setRebuild(given) {
      rebuild = given;
      for (const listener of listeners) listener(progress());
    },
    async totalsOf(codes) {
      assertReadable();
      const found = new Map<string, VisitTotals>();
      for (const code of codes) {
        const each = totals.get(code);
        if (each !== undefined) found.set(code, each);
      }
      return { totals: found, position: position() };
    },
    async daysOf(code, fromDay, toDay) {
      assertReadable();
      const some = (days.get(code) ?? []).filter(({ day }) => day >= fromDay && day < toDay);
      return { totals: totals.get(code), days: some, position: position() };
    },
    async overall() {
      assertReadable();
      return { totals: sum(), position: position() };
    },
    async everyTotal() {
      assertReadable();
      return new Map(totals);
    },
    progress,
    async highest(by, count) {
      if (!keepsOrder) return null;
      const values = [...totals].map(([code, each]) => {
        return { code, value: (by === 'visits' ? each.total : each.lastVisitAt) ?? 0 };
      });
      return values.sort((left, right) => right.value - left.value).slice(0, count);
    },
    progressNow: async () => progress(),
    onProgress(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async reached(_partition, wanted) {
      if (wanted > nextOffset) throw new StatisticsUnavailable('this position is never reached here');
    },
  };
}
