/**
 * Interactive queries: reads of a task's store at one consistent position, wherever the store is. The answer is bytes; whoever
 * knows the topology decodes them. (Kafka Streams' words; KIP-67.)
 */
import type { KeyRange, StoreEntry } from './state-store.ts';

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

/** A standby follows the owner through the changelog: its rows are whole, and as old as its position says. */
export type TaskRole = 'active' | 'standby';

export interface TaskPosition {
  readonly partition: number;
  readonly role: TaskRole;
  readonly nextOffset: number;
  readonly streamTimeMs: number;
}

/** The tasks of this instance. */
export interface LocalTasks extends TaskStoreReader {
  /** Null when the task is not here, or cannot be read yet. */
  roleOf(partition: number): TaskRole | null;
  /** Of every task that can be read here. */
  positions(): readonly TaskPosition[];
}
