/**
 * Knows which keys a store cannot hold: a Bloom filter (Bloom 1970) of the keys written since the store was empty. Folding
 * into an empty store asks for many rows that are not there yet, and the store takes microseconds to say so. Wrong only in the
 * harmless direction: a full filter merely asks the store more often.
 */
const bitsLog2 = 24;
const bitMask = 2 ** bitsLog2 - 1;
const fewMax = 1_000;

export class WrittenKeys {
  /** The first keys, as they are: most stores of a small installation never hold more. */
  private few: Set<string> | null = new Set();
  private words = new Uint32Array(0);

  /** Notes a key that will be written. */
  add(key: string): void {
    if (this.few === null) {
      this.addBits(key);
      return;
    }
    this.few.add(key);
    if (this.few.size > fewMax) this.turnToBits(this.few);
  }

  /** False only if the key was never added. */
  mayHold(key: string): boolean {
    if (this.few !== null) return this.few.has(key);
    const hash = hashOf(key);
    return this.has(hash & bitMask) && this.has(secondOf(hash) & bitMask);
  }

  private turnToBits(keys: ReadonlySet<string>): void {
    this.few = null;
    this.words = new Uint32Array(2 ** (bitsLog2 - 5));
    for (const key of keys) this.addBits(key);
  }

  private addBits(key: string): void {
    const hash = hashOf(key);
    this.set(hash & bitMask);
    this.set(secondOf(hash) & bitMask);
  }

  private set(bit: number): void {
    const word = bit >>> 5;
    this.words[word] = (this.words[word] as number) | (1 << (bit & 31));
  }

  private has(bit: number): boolean {
    return ((this.words[bit >>> 5] as number) & (1 << (bit & 31))) !== 0;
  }
}

/** FNV-1a with the finalizer of MurmurHash3, over UTF-16 units. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

function secondOf(hash: number): number {
  return Math.imul(hash ^ 0x5bd1e995, 0x9e3779b1) >>> 7;
}
