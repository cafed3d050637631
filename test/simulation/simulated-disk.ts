/** The store of one instance, which outlives its processes, and may be lost or come back as it was some writes ago. */
import type { KeyRange, StateStore, StoreEntry } from '../../src/ports/state-store.ts';
import type { SimulatedProcess } from './simulated-process.ts';

type Write = readonly (readonly [key: string, value: Buffer | null])[];

export class SimulatedDisk {
  private rows = new Map<string, Buffer>();
  private writes: Write[] = [];
  private openedBy: SimulatedProcess | null = null;
  private readonly onRow: (key: string, value: Buffer) => void;

  constructor(onRow: (key: string, value: Buffer) => void) {
    this.onRow = onRow;
  }

  get(key: string): Buffer | undefined {
    return this.rows.get(key);
  }

  entries(): [string, Buffer][] {
    return [...this.rows].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** What a process that was killed had under way goes with it: it was on its way to the disk that is gone. */
  lose(): void {
    this.openedBy = null;
    this.rows = new Map();
    this.writes = [];
  }

  /** As it was before the last `count` writes. */
  rollBack(count: number): void {
    const kept = this.writes.slice(0, Math.max(0, this.writes.length - count));
    this.lose();
    for (const write of kept) this.apply(write);
  }

  get writeCount(): number {
    return this.writes.length;
  }

  /** A store in a process. What a process that was killed had under way is written or not. */
  open(process: SimulatedProcess): Promise<StateStore> {
    return process.call(5, () => {
      if (this.openedBy !== null && !this.openedBy.isDead) throw new Error('the store is open already');
      this.openedBy = process;
      return this.storeIn(process);
    });
  }

  private storeIn(process: SimulatedProcess): StateStore {
    let isOpen = true;
    const assertOpen = (): void => {
      if (!isOpen) throw new Error('the store is closed');
    };
    return {
      getSync: (key) => {
        assertOpen();
        return this.rows.get(key);
      },
      getMany: (keys) =>
        process.call(2, () => {
          assertOpen();
          return keys.map((key) => this.rows.get(key));
        }),
      range: (range) =>
        process.call(2, () => {
          assertOpen();
          return this.select(range);
        }),
      batch: () => {
        const write: [string, Buffer | null][] = [];
        return {
          put: (key, value) => {
            write.push([key, Buffer.from(value)]);
          },
          delete: (key) => {
            write.push([key, null]);
          },
          write: () =>
            process.call(5, () => {
              assertOpen();
              if (this.openedBy === process) this.apply(write);
            }),
        };
      },
      clear: () => {
        throw new Error('nobody clears here');
      },
      snapshot: () => {
        throw new Error('nobody reads here');
      },
      close: () => {
        isOpen = false;
        if (this.openedBy === process) this.openedBy = null;
        return Promise.resolve();
      },
    };
  }

  private apply(write: Write): void {
    this.writes.push(write);
    for (const [key, value] of write) {
      if (value === null) this.rows.delete(key);
      else {
        this.rows.set(key, value);
        if (!key.startsWith('!')) this.onRow(key, value);
      }
    }
  }

  private select(range: KeyRange): StoreEntry[] {
    const { gte = '', gt, lt, limit } = range;
    const isIn = ([key]: readonly [string, Buffer]): boolean =>
      key >= gte && (gt === undefined || key > gt) && (lt === undefined || key < lt);
    return this.entries().filter(isIn).slice(0, limit);
  }
}
