/** The smallest topology that notices a record folded twice, left out or out of order. Two rows a record: its key's, and one of all. */
import { PoisonRecord, type RowFactory, type Topology } from '../../src/worker/topology.ts';
import type { Row, RowCodec, VersionedRows } from '../../src/worker/versioned-rows.ts';

export interface Tally {
  count: number;
  hash: number;
}

const codec: RowCodec<Tally> = {
  create: () => ({ count: 0, hash: 7 }),
  decode(bytes) {
    const [count, hash] = bytes.toString('latin1').split(',').map(Number);
    return { count: count ?? Number.NaN, hash: hash ?? Number.NaN };
  },
  maxEncodedBytes: () => 40,
  encode: (row, target, at) => at + target.write(`${row.count},${row.hash}`, at, 'latin1'),
};

/** How a row is begun: a simulation may put a wrong way in its place. */
export type Begin = (rows: VersionedRows<Tally>, row: Row<Tally>, offset: number) => boolean;

export const begin: Begin = (rows, row, offset) => rows.begin(row, offset);

export function createTallies(beginRow: Begin, onSkipped: () => void): Topology {
  return {
    name: 'tallies',
    version: 1,
    createProcessor(factory: RowFactory) {
      const rows = factory.rows(codec);
      const cache = new Map<string, Row<Tally>>();
      return {
        process(record) {
          const text = record.value.toString();
          if (text === 'poison') throw new PoisonRecord('poison');
          const eventTimeMs = Number(text);
          for (const key of [`t${record.key}`, 'o']) {
            const row = cache.get(key) ?? rows.open(key);
            cache.set(key, row);
            if (!beginRow(rows, row, record.offset)) {
              onSkipped();
              continue;
            }
            row.state.count += 1;
            row.state.hash = (row.state.hash * 31 + (eventTimeMs % 1_000_003)) % 2_147_483_647;
          }
          return eventTimeMs;
        },
        committed() {
          for (const [key, row] of cache) if (rows.isStored(row)) cache.delete(key);
        },
      };
    },
  };
}
