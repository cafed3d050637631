/** A state store in memory, for tests and for folds that need not survive the process. It keeps nothing on disk. */
import type { KeyRange, StateBatch, StateSnapshot, StateStore, StoreEntry } from '../../ports/state-store.ts';

/** An empty store. Ranges sort the keys anew after a write: meant for up to about 10⁵ rows. */
export function createMemoryStateStore(): StateStore {
  const rows = new Map<string, Uint8Array>();
  let sortedKeys: string[] | null = null;
  let closed = false;

  function assertOpen(): void {
    if (closed) throw new Error('the store is closed');
  }

  function keysInOrder(): string[] {
    // Keys are ASCII, so the order of UTF-16 code units is the order of bytes.
    sortedKeys ??= [...rows.keys()].sort();
    return sortedKeys;
  }

  return {
    getSync(key) {
      assertOpen();
      return copyOf(rows.get(key));
    },
    async getMany(keys) {
      assertOpen();
      return keys.map((key) => copyOf(rows.get(key)));
    },
    async range(range) {
      assertOpen();
      return select(keysInOrder(), rows, range);
    },
    batch(): StateBatch {
      assertOpen();
      const operations: (readonly [string, Uint8Array | null])[] = [];
      let used = false;
      function assertUnused(): void {
        if (used) throw new Error('a batch is used once');
      }
      return {
        put(key, value) {
          assertUnused();
          operations.push([key, typeof value === 'string' ? Buffer.from(value) : Uint8Array.from(value)]);
        },
        delete(key) {
          assertUnused();
          operations.push([key, null]);
        },
        async write() {
          assertUnused();
          used = true;
          assertOpen();
          for (const [key, value] of operations) {
            if (value === null) rows.delete(key);
            else rows.set(key, value);
          }
          if (operations.length > 0) sortedKeys = null;
        },
      };
    },
    async clear({ gte, lt }) {
      assertOpen();
      const keys = keysInOrder();
      for (let at = firstAtLeast(keys, gte); at < firstAtLeast(keys, lt); at += 1) rows.delete(keys[at] as string);
      sortedKeys = null;
    },
    snapshot(): StateSnapshot {
      assertOpen();
      const kept = new Map(rows);
      const keys = [...keysInOrder()];
      return {
        getMany: async (wanted) => wanted.map((key) => copyOf(kept.get(key))),
        range: async (range) => select(keys, kept, range),
        close: async () => undefined,
      };
    },
    async close() {
      closed = true;
    },
  };
}

function select(keys: readonly string[], rows: ReadonlyMap<string, Uint8Array>, range: KeyRange): StoreEntry[] {
  let from = 0;
  if (range.gte !== undefined) from = firstAtLeast(keys, range.gte);
  if (range.gt !== undefined) from = Math.max(from, firstAtLeast(keys, `${range.gt}\0`));
  const to = range.lt === undefined ? keys.length : firstAtLeast(keys, range.lt);
  const selected =
    range.reverse === true
      ? keys.slice(Math.max(from, to - range.limit), Math.max(from, to)).reverse()
      : keys.slice(from, Math.min(to, from + range.limit));
  const entries: StoreEntry[] = [];
  for (const key of selected) {
    const value = copyOf(rows.get(key));
    if (value !== undefined) entries.push([key, value]);
  }
  return entries;
}

function firstAtLeast(keys: readonly string[], bound: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] ?? '') < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

function copyOf(value: Uint8Array | undefined): Uint8Array | undefined {
  return value === undefined ? undefined : Uint8Array.from(value);
}
