/**
 * Reads rows from whoever has them (Redis, the task's owner, a standby), which stand at different positions, so that what this
 * instance shows never goes back: an answer that is older than an earlier one about the same rows is passed over.
 */
import { LRUCache } from 'lru-cache';
import { StatisticsUnavailable } from '../ports/statistics-read-model.ts';
import type { StoreAnswer, StoreRequest, TaskStoreReader } from '../ports/task-stores.ts';

/** Null: this source does not have what was asked for. It may also throw: then the next one is asked. */
export type StoreSource = (request: StoreRequest) => Promise<StoreAnswer | null>;

/** Of so many rows, or pages of rows, it is remembered where they were read last. */
const rememberedMax = 100_000;

/**
 * @param sourcesOf in the order in which they are asked; at least one
 * @param onAnswer called with where each answer stood
 */
export function createMonotonicStoreReader(
  sourcesOf: (partition: number) => readonly StoreSource[],
  onAnswer: (partition: number, position: Pick<StoreAnswer, 'nextOffset' | 'streamTimeMs'>) => void,
): TaskStoreReader {
  const shown = new LRUCache<string, number>({ max: rememberedMax });
  return {
    async read(request) {
      const rows = rowsOf(request);
      const { partition } = request;
      let failure: unknown = new StatisticsUnavailable(
        'the numbers that can be read are older than those shown before',
      );
      for (const source of sourcesOf(partition)) {
        let answer: StoreAnswer | null;
        try {
          answer = await source(request);
        } catch (error) {
          failure = error;
          continue;
        }
        if (answer === null) continue;
        const { nextOffset } = answer;
        if (rows.some((row) => nextOffset < (shown.get(row) ?? 0))) continue;
        for (const row of rows) shown.set(row, nextOffset);
        onAnswer(partition, answer);
        return answer;
      }
      throw failure;
    },
  };
}

/** Each row by itself, whatever it is asked for with: the numbers of a link are read alone and in lists. */
function rowsOf({ partition, keys, range }: StoreRequest): readonly string[] {
  const rows = keys.map((key) => `${partition} ${key}`);
  if (range !== undefined) rows.push(`${partition} from ${range.gte ?? range.gt ?? ''}`);
  return rows;
}
