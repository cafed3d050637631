/**
 * A sorted map of bytes with atomic batches: where a fold keeps its state. Keys are ASCII strings of 1 to 512
 * characters in byte order. Values are opaque.
 */
export interface StateStore {
  /** Synchronous point read: for the redirect door and for folds. */
  getSync(key: string): Uint8Array | undefined;
  getMany(keys: readonly string[]): Promise<(Uint8Array | undefined)[]>;
  /** Entries of a key range in order. One call returns at most `limit`; go on from the last key. */
  range(range: KeyRange): Promise<StoreEntry[]>;
  /** An empty batch. Nothing is visible before `write` and all of it after. */
  batch(): StateBatch;
  /**
   * Deletes all keys of `gte ≤ key < lt`, without reading their values. Not in one step: when the process dies meanwhile, some are left.
   * Reads, and writes of other keys, may go on beside it. `close` waits for it.
   */
  clear(range: { readonly gte: string; readonly lt: string }): Promise<void>;
  /** A consistent view for several reads; close it soon. */
  snapshot(): StateSnapshot;
  close(): Promise<void>;
}

export interface KeyRange {
  readonly gte?: string;
  readonly gt?: string;
  readonly lt?: string;
  readonly reverse?: boolean;
  /** 1 to 10,000. */
  readonly limit: number;
}

export type StoreEntry = readonly [key: string, value: Uint8Array];

export interface StateBatch {
  /** The value is copied; a text is kept as UTF-8. */
  put(key: string, value: Uint8Array | string): void;
  delete(key: string): void;
  /** Writes the batch in one atomic step. `sync` waits for the disk. Use a batch once. */
  write(options?: { readonly sync?: boolean }): Promise<void>;
}

export interface StateSnapshot {
  getMany(keys: readonly string[]): Promise<(Uint8Array | undefined)[]>;
  range(range: KeyRange): Promise<StoreEntry[]>;
  close(): Promise<void>;
}

/** Another process holds the store. Stop it, or use another `DATA_DIR`. */
export class StoreLocked extends Error {
  override readonly name = 'StoreLocked';
}

/** The store's own checks found bytes that are not what was written. The reaction is to set it aside and restore. */
export class StoreDamaged extends Error {
  override readonly name = 'StoreDamaged';
}
