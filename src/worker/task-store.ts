/**
 * Interactive queries: reads of a task's store at one consistent position. The answer is bytes; whoever knows the topology
 * decodes them. (Kafka Streams' words; KIP-67.)
 */
import type { KeyRange, StateStore, StoreEntry } from '../ports/state-store.ts';
import { checkpointKey, decodeCheckpoint } from './checkpoint.ts';
import { payloadOf } from './versioned-rows.ts';

/** Reads of one task's store, all at one position. */
export interface StoreRequest {
  readonly partition: number;
  readonly keys: readonly string[];
  readonly range?: KeyRange;
}

export interface StoreAnswer {
  /** Every record before this offset is in the rows. */
  readonly nextOffset: number;
  readonly streamTimeMs: number;
  /** Rows without their versions, in the order of the keys asked for. */
  readonly values: readonly (Uint8Array | undefined)[];
  readonly entries: readonly StoreEntry[];
}

/** Asks the owner of a task: in this thread, in another one, or on another instance. */
export interface TaskStoreReader {
  read(request: StoreRequest): Promise<StoreAnswer>;
}

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
