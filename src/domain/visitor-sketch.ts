/**
 * Estimates how many different visitors a set of 32-bit hashes stands for, in bounded space: the exact hashes while they
 * are few, 4,096 HyperLogLog registers afterwards. The fold keeps one for each link and UTC day; it never sees an address.
 */

/** The most hashes kept exactly. Up to here the estimate is the number of different hashes. */
export const exactVisitorsMax = 256;

/** No encoding is longer. */
export const visitorSketchBytesMax = 1 + 2_560;

/**
 * A set of visitors. Its encoding is a function of the set of hashes alone, whatever their order, repetition and
 * grouping into merged sketches, so equal sets are equal bytes.
 */
export interface VisitorSketch {
  /**
   * Takes a hash (0 to 2³²-1, evenly distributed; anything else is reduced modulo 2³²). True when the encoding changed.
   */
  add(hash: number): boolean;
  /** Number of different hashes: exact up to {@link exactVisitorsMax}, beyond with a standard error of 1.6 %. Rounded. */
  estimate(): number;
  /** Makes `target` stand for the union of both sets; this sketch stays as it is. */
  mergeInto(target: VisitorSketch): void;
  /** Bytes that {@link VisitorSketch.encodeInto} will write: 1 to {@link visitorSketchBytesMax}. */
  encodedLength(): number;
  /** Writes the sketch at byte `at` and returns the position behind it. */
  encodeInto(buffer: Uint8Array, at: number): number;
}

/** The sketch of the empty set. */
export function createVisitorSketch(): VisitorSketch {
  return new Sketch();
}

/**
 * Reads `length` bytes at `at` as {@link VisitorSketch.encodeInto} wrote them. The sketch keeps no reference to `buffer`.
 * Throws {@link VisitorSketchMalformed} for bytes that it cannot have written: the row is damaged, fold it anew.
 */
export function decodeVisitorSketch(buffer: Uint8Array, at: number, length: number): VisitorSketch {
  if (length < 1 || at < 0 || at + length > buffer.length) {
    throw new VisitorSketchMalformed(`${length} bytes at ${at} of ${buffer.length}`);
  }
  const end = at + length;
  const format = buffer[at];
  if (format === formatExact) return new Sketch(readHashes(buffer, at + 1, end), undefined);
  if (format === formatPacked) return new Sketch([], readPacked(buffer, at + 1, end));
  if (format === formatRuns) return new Sketch([], readRuns(buffer, at + 1, end));
  throw new VisitorSketchMalformed(`unknown format ${format}`);
}

/** The bytes are not those of a sketch. */
export class VisitorSketchMalformed extends Error {
  override readonly name = 'VisitorSketchMalformed';
  constructor(what: string) {
    super(`not a visitor sketch: ${what}`);
  }
}

/** The first byte says which form follows: the sorted hashes, the registers at 5 bits, or the registers with runs of zeros. */
const formatExact = 0;
const formatPacked = 1;
const formatRuns = 2;

const indexBits = 12;
const registers = 1 << indexBits;
/** Bits of a hash left for the rank, which is therefore 0 (never hit) to 21. */
const rankBits = 32 - indexBits;
const rankMax = rankBits + 1;
/** Five bits hold the highest rank. */
const packedBytes = (registers * 5) / 8;
/** In the form with runs, a byte up to `rankMax` is one register; one from here on is 1 to 224 registers of zero. */
const zeroRunBase = 32;
const zeroRunMax = 256 - zeroRunBase;

/** Of sketches with fewer than two: never written to. */
const noHashes: number[] = [];

class Sketch implements VisitorSketch {
  /** The hash of a sketch that has but one, as most do; signed, which costs no memory of its own. */
  #only: number | undefined;
  /** Two or more, ascending. Empty once `ranks` has taken over. A plain array: a typed one costs more to make. */
  #hashes: number[];
  #ranks: Uint8Array | undefined;
  /** Length of the form with runs, or 0 when it must be counted again. */
  #runsLength = 0;

  constructor(hashes: number[] = noHashes, ranks: Uint8Array | undefined = undefined) {
    const isOne = hashes.length === 1;
    this.#only = isOne ? (hashes[0] as number) | 0 : undefined;
    this.#hashes = isOne ? noHashes : hashes;
    this.#ranks = ranks;
  }

  add(hash: number): boolean {
    const word = hash >>> 0;
    if (this.#ranks !== undefined) return this.#addToRanks(this.#ranks, word);
    const hashes = this.#hashes;
    const count = hashes.length;
    if (count === 0) return this.#addToFew(word);
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((hashes[middle] as number) < word) low = middle + 1;
      else high = middle;
    }
    if (low < count && hashes[low] === word) return false;
    if (count === exactVisitorsMax) {
      this.#addToRanks(this.#becomeDense(), word);
      return true;
    }
    hashes.push(word);
    for (let i = count; i > low; i--) hashes[i] = hashes[i - 1] as number;
    hashes[low] = word;
    return true;
  }

  #addToFew(word: number): boolean {
    if (this.#only === undefined) {
      this.#only = word | 0;
      return true;
    }
    const only = this.#only >>> 0;
    if (only === word) return false;
    this.#hashes = only < word ? [only, word] : [word, only];
    this.#only = undefined;
    return true;
  }

  /** All hashes, while they are kept exactly, and how many they are. */
  #exact(): readonly number[] {
    return this.#only === undefined ? this.#hashes : [this.#only >>> 0];
  }

  #exactCount(): number {
    return this.#only === undefined ? this.#hashes.length : 1;
  }

  #becomeDense(): Uint8Array {
    const ranks = new Uint8Array(registers);
    this.#ranks = ranks;
    for (const hash of this.#exact()) this.#addToRanks(ranks, hash);
    this.#only = undefined;
    this.#hashes = noHashes;
    return ranks;
  }

  #addToRanks(ranks: Uint8Array, word: number): boolean {
    const index = word >>> rankBits;
    // Leading zeros of the low 20 bits, plus one; 21 when all of them are zero.
    const rank = Math.clz32(word & ((1 << rankBits) - 1)) - indexBits + 1;
    if (rank <= (ranks[index] as number)) return false;
    ranks[index] = rank;
    this.#runsLength = 0;
    return true;
  }

  estimate(): number {
    return this.#ranks === undefined ? this.#exactCount() : Math.round(estimateOf(this.#ranks));
  }

  mergeInto(target: VisitorSketch): void {
    if (!(target instanceof Sketch)) throw new TypeError('a visitor sketch merges into a visitor sketch only');
    if (this.#ranks === undefined) {
      for (const hash of this.#exact()) target.add(hash);
      return;
    }
    const ranks = target.#ranks ?? target.#becomeDense();
    for (let i = 0; i < registers; i++) {
      if ((this.#ranks[i] as number) > (ranks[i] as number)) ranks[i] = this.#ranks[i] as number;
    }
    target.#runsLength = 0;
  }

  encodedLength(): number {
    if (this.#ranks === undefined) return 1 + 4 * this.#exactCount();
    if (this.#runsLength === 0) this.#runsLength = lengthOfRuns(this.#ranks);
    return 1 + Math.min(this.#runsLength, packedBytes);
  }

  encodeInto(buffer: Uint8Array, at: number): number {
    const end = at + this.encodedLength();
    // Typed arrays drop what is written beyond their end without a word.
    if (at < 0 || end > buffer.length) throw new RangeError(`a sketch of ${end - at} bytes does not fit at ${at}`);
    if (this.#ranks === undefined) {
      buffer[at] = formatExact;
      if (this.#only === undefined) writeHashes(this.#hashes, buffer, at + 1);
      else writeHash(this.#only, buffer, at + 1);
    } else if (this.#runsLength < packedBytes) {
      buffer[at] = formatRuns;
      writeRuns(this.#ranks, buffer, at + 1);
    } else {
      buffer[at] = formatPacked;
      writePacked(this.#ranks, buffer, at + 1);
    }
    return end;
  }
}

/**
 * Ertl's improved raw estimator: unbiased from zero to the hash space's end, without tables.
 * Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", 2017, algorithm 6 (arXiv:1702.01284).
 */
function estimateOf(ranks: Uint8Array): number {
  const histogram = new Uint32Array(rankMax + 1);
  for (let i = 0; i < registers; i++) {
    const rank = ranks[i] as number;
    histogram[rank] = (histogram[rank] as number) + 1;
  }
  let z = registers * tau(1 - (histogram[rankMax] as number) / registers);
  for (let rank = rankBits; rank >= 1; rank--) z = 0.5 * (z + (histogram[rank] as number));
  z += registers * sigma((histogram[0] as number) / registers);
  return (registers * registers) / (2 * Math.LN2 * z);
}

/** Σ over the registers that were never hit; 0 ≤ x < 1, since a dense sketch holds something. */
function sigma(x: number): number {
  let square = x;
  let sum = x;
  for (let weight = 1; ; weight += weight) {
    square *= square;
    const before = sum;
    sum += square * weight;
    if (sum === before) return sum;
  }
}

/** Correction for the registers at the highest rank. */
function tau(x: number): number {
  if (x === 0 || x === 1) return 0;
  let root = x;
  let sum = 1 - x;
  for (let weight = 0.5; ; weight *= 0.5) {
    root = Math.sqrt(root);
    const before = sum;
    sum -= (1 - root) * (1 - root) * weight;
    if (sum === before) return sum / 3;
  }
}

function writeHashes(hashes: readonly number[], buffer: Uint8Array, at: number): void {
  for (let i = 0; i < hashes.length; i++) writeHash(hashes[i] as number, buffer, at + 4 * i);
}

function writeHash(word: number, buffer: Uint8Array, at: number): void {
  buffer[at] = word & 0xff;
  buffer[at + 1] = (word >>> 8) & 0xff;
  buffer[at + 2] = (word >>> 16) & 0xff;
  buffer[at + 3] = word >>> 24;
}

function readHashes(buffer: Uint8Array, at: number, end: number): number[] {
  const count = (end - at) / 4;
  if (!Number.isInteger(count) || count > exactVisitorsMax)
    throw new VisitorSketchMalformed(`${end - at} bytes of hashes`);
  const hashes: number[] = [];
  let before = -1;
  for (let i = 0, p = at; i < count; i++, p += 4) {
    const word =
      ((buffer[p] as number) |
        ((buffer[p + 1] as number) << 8) |
        ((buffer[p + 2] as number) << 16) |
        ((buffer[p + 3] as number) << 24)) >>>
      0;
    if (word <= before) throw new VisitorSketchMalformed('hashes out of order');
    hashes.push(word);
    before = word;
  }
  return hashes;
}

function writePacked(ranks: Uint8Array, buffer: Uint8Array, at: number): void {
  let p = at;
  let bits = 0;
  let held = 0;
  for (let i = 0; i < registers; i++) {
    held |= (ranks[i] as number) << bits;
    bits += 5;
    if (bits >= 8) {
      buffer[p++] = held & 0xff;
      held >>>= 8;
      bits -= 8;
    }
  }
}

function readPacked(buffer: Uint8Array, at: number, end: number): Uint8Array {
  if (end - at !== packedBytes) throw new VisitorSketchMalformed(`${end - at} bytes of packed registers`);
  const ranks = new Uint8Array(registers);
  let p = at;
  let bits = 0;
  let held = 0;
  for (let i = 0; i < registers; i++) {
    if (bits < 5) {
      held |= (buffer[p++] as number) << bits;
      bits += 8;
    }
    const rank = held & 0x1f;
    if (rank > rankMax) throw new VisitorSketchMalformed(`rank ${rank}`);
    ranks[i] = rank;
    held >>>= 5;
    bits -= 5;
  }
  return ranks;
}

function lengthOfRuns(ranks: Uint8Array): number {
  let length = 0;
  let zeros = 0;
  for (let i = 0; i < registers; i++) {
    if (ranks[i] === 0) {
      if (zeros === 0) length++;
      if (++zeros === zeroRunMax) zeros = 0;
    } else {
      length++;
      zeros = 0;
    }
  }
  return length;
}

function writeRuns(ranks: Uint8Array, buffer: Uint8Array, at: number): void {
  let p = at;
  let i = 0;
  while (i < registers) {
    const rank = ranks[i] as number;
    if (rank !== 0) {
      buffer[p++] = rank;
      i++;
      continue;
    }
    let zeros = 1;
    while (zeros < zeroRunMax && ranks[i + zeros] === 0) zeros++;
    buffer[p++] = zeroRunBase + zeros - 1;
    i += zeros;
  }
}

function readRuns(buffer: Uint8Array, at: number, end: number): Uint8Array {
  const ranks = new Uint8Array(registers);
  let i = 0;
  for (let p = at; p < end; p++) {
    const byte = buffer[p] as number;
    if (byte >= zeroRunBase) i += byte - zeroRunBase + 1;
    else if (byte >= 1 && byte <= rankMax && i < registers) ranks[i++] = byte;
    else throw new VisitorSketchMalformed(`byte ${byte} of runs`);
  }
  if (i !== registers) throw new VisitorSketchMalformed(`${i} registers`);
  return ranks;
}
