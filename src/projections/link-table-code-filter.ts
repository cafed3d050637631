/** A Bloom filter over the codes of the link table: most look-ups of codes that never existed end here, without a read. */

/** 8 MiB: false positives are below 1 in 1,000 up to 4 million links, 1 in 10 at 15 million. */
const filterBytes = 8 * 1024 * 1024;
const probes = 4;

export interface CodeFilter {
  add(code: string): void;
  /** False only when the code was never added. */
  mayHave(code: string): boolean;
}

/** An empty filter. The operating system gives it memory as bits are set. */
export function createCodeFilter(): CodeFilter {
  const words = new Uint32Array(filterBytes / 4);
  const mask = filterBytes * 8 - 1;

  // Double hashing (Kirsch and Mitzenmacher): probe i is first + i × second.
  return {
    add(code) {
      let bit = hash(code);
      const step = stepOf(bit);
      for (let probe = 0; probe < probes; probe += 1) {
        const at = bit & mask;
        words[at >>> 5] = (words[at >>> 5] ?? 0) | (1 << (at & 31));
        bit = (bit + step) | 0;
      }
    },
    mayHave(code) {
      let bit = hash(code);
      const step = stepOf(bit);
      for (let probe = 0; probe < probes; probe += 1) {
        const at = bit & mask;
        if (((words[at >>> 5] ?? 0) & (1 << (at & 31))) === 0) return false;
        bit = (bit + step) | 0;
      }
      return true;
    },
  };
}

/** FNV-1a with a final mix (MurmurHash3's), so that all bits depend on all characters. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return value ^ (value >>> 16);
}

/** The second hash, from the first: another of its 32 bits would not tell more codes apart than the filter has room for. */
function stepOf(first: number): number {
  return Math.imul(first ^ (first >>> 15), 0x9e3779b1) | 1;
}
