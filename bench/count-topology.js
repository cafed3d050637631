/** The least topology that there can be: counts visits by link, and looks at nothing else of them. What the yardstick does. */
import { writeVarint } from '../dist/serde/varint.js';

const rowsInMemoryMax = 200_000;

const codec = {
  create: () => ({ visits: 0 }),
  decode(bytes) {
    let visits = 0;
    for (let at = bytes.length - 1; at >= 0; at--) visits = visits * 0x80 + (bytes[at] & 0x7f);
    return { visits };
  },
  maxEncodedBytes: () => 8,
  encode: (row, target, at) => writeVarint(target, row.visits, at),
};

export const countTopology = {
  name: 'bench-count',
  version: 1,
  createProcessor(rowFactory) {
    const counts = rowFactory.rows(codec);
    let rows = new Map();
    return {
      process({ key, offset }) {
        let row = rows.get(key);
        if (row === undefined) {
          row = counts.open(`t${key}`);
          rows.set(key, row);
        }
        if (counts.begin(row, offset)) row.state.visits++;
        return 0;
      },
      committed() {
        if (rows.size < rowsInMemoryMax) return;
        rows = new Map([...rows].filter(([, row]) => !counts.isStored(row)));
      },
    };
  },
};

/** The visits in a row of it, without its version. */
export const visitsCounted = (payload) => codec.decode(payload).visits;
