/**
 * Kept answers for `Idempotency-Key` on LevelDB, one row an answer under the hash of its key. Rows are removed by a sweep
 * in small steps after at least 24 hours; a find never gives an older one.
 */
import { hash } from 'node:crypto';
import type { AnswerStore, KeptAnswer } from '../../ports/answer-store.ts';
import type { Clock } from '../../ports/clock.ts';
import { type StateStore, StoreDamaged } from '../../ports/state-store.ts';

export interface LevelAnswerStore extends AnswerStore {
  /** Removes expired answers; resolves with how many rows it looked at (at most 1,000 a call). Call it now and then. */
  sweep(): Promise<number>;
  close(): Promise<void>;
}

/** How long an answer is kept, by the clock at the time of keeping: 48 h, so that a clock set forward leaves 24. */
export const answerKeptMs = 48 * 60 * 60 * 1000;

const prefix = 'a/';
const behindPrefix = 'a0';
const sweepRowsMax = 1000;
/** A sweep step is taken after so many answers kept, so that a busy store cannot outgrow the sweep. */
const answersPerSweep = 200;

/** `store` is closed by `close`. */
export function createLevelAnswerStore(store: StateStore, clock: Clock): LevelAnswerStore {
  let sweptTo = prefix;
  let keptSinceSweep = 0;
  let sweeping: Promise<number> | null = null;
  /** Rows being written: a sweep must not delete the old answer after the new one was put in its place. */
  const keeping = new Set<string>();

  const isExpired = (answer: KeptAnswer): boolean => clock.nowMs() - answer.keptAtMs > answerKeptMs;

  async function sweepOnce(): Promise<number> {
    const entries = await store.range({ gt: sweptTo, lt: behindPrefix, limit: sweepRowsMax });
    const batch = store.batch();
    for (const [key, bytes] of entries) {
      if (!keeping.has(key) && isExpired(decode(bytes))) batch.delete(key);
    }
    await batch.write();
    sweptTo = entries.length < sweepRowsMax ? prefix : (entries.at(-1)?.[0] ?? prefix);
    return entries.length;
  }

  function sweep(): Promise<number> {
    sweeping ??= sweepOnce().finally(() => {
      sweeping = null;
    });
    return sweeping;
  }

  return {
    async find(key) {
      const bytes = store.getSync(rowKey(key));
      if (bytes === undefined) return undefined;
      const answer = decode(bytes);
      return isExpired(answer) ? undefined : answer;
    },
    async keep(key, answer) {
      const row = rowKey(key);
      while (sweeping !== null) await sweeping.catch(() => undefined);
      keeping.add(row);
      try {
        const batch = store.batch();
        batch.put(row, Buffer.from(JSON.stringify(answer)));
        // Synced: the caller is told that the answer is kept, and nothing else holds it.
        await batch.write({ sync: true });
      } finally {
        keeping.delete(row);
      }
      keptSinceSweep += 1;
      if (keptSinceSweep >= answersPerSweep) {
        keptSinceSweep = 0;
        // The answer is kept, whatever becomes of older ones; the next step tries again.
        sweep().catch(() => undefined);
      }
    },
    sweep,
    async close() {
      await sweeping?.catch(() => undefined);
      await store.close();
    },
  };
}

function rowKey(key: string): string {
  return prefix + hash('sha256', key, 'base64url');
}

function decode(bytes: Uint8Array): KeptAnswer {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()) as KeptAnswer;
  } catch (error) {
    throw new StoreDamaged('a kept answer cannot be read', { cause: error });
  }
}
