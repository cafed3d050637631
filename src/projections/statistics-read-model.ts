/**
 * The statistics as they are read from the tasks' stores: decodes rows, adds positions, waits for progress. Where the stores
 * are (this thread, another one, another instance) is the reader's business.
 */
import type { VisitTotals } from '../domain/statistics.ts';
import type { Clock } from '../ports/clock.ts';
import type { StoreEntry } from '../ports/state-store.ts';
import {
  type LinkStatistics,
  type PartitionPosition,
  type Position,
  type StatisticsProgress,
  type StatisticsReadModel,
  StatisticsRebuilding,
  StatisticsUnavailable,
} from '../ports/statistics-read-model.ts';
import type { StoreAnswer, TaskStoreReader } from '../ports/task-stores.ts';
import { asBuffer } from '../worker/versioned-rows.ts';
import { dayStatisticsOf } from './day-row.ts';
import { totalsOfRow, totalsRowCodec } from './totals-row.ts';
import { dayKey, dayOfKey, overallKey, totalsKey } from './visit-statistics.ts';

export interface StatisticsReadModelOptions {
  readonly stores: TaskStoreReader;
  readonly partitions: number;
  readonly partitionOf: (code: string) => number;
  readonly clock: Clock;
  /** Where the fold stands, as told by the worker last. */
  readonly progress: () => StatisticsProgress;
  /** The same, asked of whoever knows it best now; by default what was told last. */
  readonly progressNow?: () => Promise<StatisticsProgress>;
  /** Links in the order of their numbers, where somebody keeps it; by default nobody does. */
  readonly highest?: StatisticsReadModel['highest'];
  readonly onProgress: (listener: (progress: StatisticsProgress) => void) => () => void;
}

/** Rows read from a store at once. */
const rowsPerRead = 5_000;

const noVisits: VisitTotals = {
  total: 0,
  nonBots: 0,
  bots: 0,
  prefetches: 0,
  firstVisitAt: null,
  lastVisitAt: null,
};

export function createStatisticsReadModel(options: StatisticsReadModelOptions): StatisticsReadModel {
  const { stores, partitions, partitionOf, clock } = options;
  let everyTotal: { readonly readAtMs: number; readonly totals: Promise<ReadonlyMap<string, VisitTotals>> } | null =
    null;

  function assertReadable(): void {
    const { rebuild, halted } = options.progress();
    if (halted !== null) throw new StatisticsUnavailable(halted);
    if (rebuild !== null) throw new StatisticsRebuilding(rebuild);
  }

  async function totalsOf(codes: readonly string[]) {
    assertReadable();
    const byPartition = new Map<number, string[]>();
    for (const code of codes) {
      const partition = partitionOf(code);
      const asked = byPartition.get(partition);
      if (asked === undefined) byPartition.set(partition, [code]);
      else asked.push(code);
    }
    const totals = new Map<string, VisitTotals>();
    const positions = new Map(options.progress().partitions.map((position) => [position.partition, position]));
    await Promise.all(
      [...byPartition].map(async ([partition, asked]) => {
        const answer = await stores.read({ partition, keys: asked.map(totalsKey) });
        positions.set(partition, positionOf(partition, answer));
        answer.values.forEach((value, index) => {
          if (value !== undefined) totals.set(asked[index] as string, decodeTotals(value));
        });
      }),
    );
    return { totals, position: inOrder(positions.values()) };
  }

  async function daysOf(code: string, fromDay: number, toDay: number): Promise<LinkStatistics> {
    assertReadable();
    const partition = partitionOf(code);
    const lt = dayKey(code, toDay);
    const first = await stores.read({
      partition,
      keys: [totalsKey(code)],
      range: { gte: dayKey(code, fromDay), lt, limit: rowsPerRead },
    });
    const rows: StoreEntry[] = [...first.entries];
    // More days than one read gives (over 13 years): later reads may stand a little further, the position says where the first did.
    let page: readonly StoreEntry[] = first.entries;
    while (page.length === rowsPerRead) {
      const gt = (page[page.length - 1] as StoreEntry)[0];
      page = (await stores.read({ partition, keys: [], range: { gt, lt, limit: rowsPerRead } })).entries;
      rows.push(...page);
    }
    const totals = first.values[0];
    return {
      totals: totals === undefined ? undefined : decodeTotals(totals),
      days: rows.map(([key, value]) => dayStatisticsOf(dayOfKey(key), asBuffer(value))),
      position: { partitions: [positionOf(partition, first)] },
    };
  }

  async function overall() {
    assertReadable();
    const answers = await Promise.all(
      Array.from({ length: partitions }, (_, partition) => stores.read({ partition, keys: [overallKey] })),
    );
    const totals = answers
      .map(({ values: [value] }) => (value === undefined ? noVisits : decodeTotals(value)))
      .reduce(addTotals, noVisits);
    return { totals, position: inOrder(answers.map((answer, partition) => positionOf(partition, answer))) };
  }

  async function readEveryTotal(): Promise<ReadonlyMap<string, VisitTotals>> {
    const totals = new Map<string, VisitTotals>();
    for (let partition = 0; partition < partitions; partition++) {
      let after = totalsKey('');
      for (;;) {
        const range = { gt: after, lt: 'u', limit: rowsPerRead };
        const { entries } = await stores.read({ partition, keys: [], range });
        for (const [key, value] of entries) totals.set(key.slice(1), decodeTotals(value));
        if (entries.length < rowsPerRead) break;
        after = (entries[entries.length - 1] as StoreEntry)[0];
      }
    }
    return totals;
  }

  return {
    totalsOf,
    daysOf,
    overall,
    everyTotal(maxAgeMs) {
      assertReadable();
      const nowMs = clock.monotonicMs();
      if (everyTotal === null || nowMs - everyTotal.readAtMs > maxAgeMs) {
        const totals = readEveryTotal();
        everyTotal = { readAtMs: nowMs, totals };
        totals.catch(() => {
          everyTotal = null;
        });
      }
      return everyTotal.totals;
    },
    highest: options.highest ?? (async () => null),
    progress: options.progress,
    progressNow: options.progressNow ?? (async () => options.progress()),
    onProgress: options.onProgress,
    reached(partition, nextOffset, timeoutMs) {
      return new Promise((resolve, reject) => {
        const isReached = (progress: StatisticsProgress) =>
          progress.rebuild === null && (progress.partitions[partition]?.nextOffset ?? 0) >= nextOffset;
        if (isReached(options.progress())) {
          resolve();
          return;
        }
        const timer = setTimeout(() => {
          stop();
          reject(new StatisticsUnavailable(`the numbers have not reached offset ${nextOffset} within ${timeoutMs} ms`));
        }, timeoutMs);
        const stop = options.onProgress((progress) => {
          if (!isReached(progress)) return;
          clearTimeout(timer);
          stop();
          resolve();
        });
      });
    },
  };
}

function positionOf(partition: number, answer: StoreAnswer): PartitionPosition {
  return { partition, nextOffset: answer.nextOffset, streamTimeMs: answer.streamTimeMs };
}

function inOrder(positions: Iterable<PartitionPosition>): Position {
  return { partitions: [...positions].sort((a, b) => a.partition - b.partition) };
}

function decodeTotals(value: Uint8Array): VisitTotals {
  return totalsOfRow(totalsRowCodec.decode(asBuffer(value)));
}

function addTotals(a: VisitTotals, b: VisitTotals): VisitTotals {
  return {
    total: a.total + b.total,
    nonBots: a.nonBots + b.nonBots,
    bots: a.bots + b.bots,
    prefetches: a.prefetches + b.prefetches,
    firstVisitAt: pick(Math.min, a.firstVisitAt, b.firstVisitAt),
    lastVisitAt: pick(Math.max, a.lastVisitAt, b.lastVisitAt),
  };
}

function pick(choose: (a: number, b: number) => number, a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null ? a : choose(a, b);
}
