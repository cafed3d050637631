/** Answers interactive queries from a task's store. */
import type { StateStore } from '../ports/state-store.ts';
import type { StoreAnswer, StoreRequest } from '../ports/task-stores.ts';
import { checkpointKey, decodeCheckpoint } from './checkpoint.ts';
import { payloadOf } from './versioned-rows.ts';

/** Answers a request from a store that this thread owns. */
export async function readTaskStore(store: StateStore, request: StoreRequest): Promise<StoreAnswer> {
  const snapshot = store.snapshot();
  try {
    const [checkpointBytes, ...values] = await snapshot.getMany([checkpointKey, ...request.keys]);
    const entries = request.range === undefined ? [] : await snapshot.range(request.range);
    const checkpoint = checkpointBytes === undefined ? undefined : decodeCheckpoint(checkpointBytes);
    return {
      nextOffset: checkpoint?.nextOffset ?? 0,
      streamTimeMs: checkpoint?.streamTimeMs ?? 0,
      values: values.map((value) => (value === undefined ? undefined : payloadOf(value))),
      entries: entries.map(([key, value]) => [key, payloadOf(value)] as const),
    };
  } finally {
    await snapshot.close();
  }
}
