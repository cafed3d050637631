/** A store whose batches do some of their work in another way: later, not at all, or counted. */
import type { StateBatch, StateStore } from '../../src/ports/state-store.ts';

/** @param change what is different about a batch, given the store's own */
export function withBatches(store: StateStore, change: (batch: StateBatch) => Partial<StateBatch>): StateStore {
  return {
    ...store,
    batch() {
      const batch = store.batch();
      return { ...batch, ...change(batch) };
    },
  };
}
