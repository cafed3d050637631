/**
 * Packs rows and scores of a partition into calls of the function `put`, whose body is one string of bytes: cheaper for the
 * client, the wire and Redis than an argument for each row. The form is told in `function-library.ts`.
 */
import { checksumBytes, rowChecksum } from './checked-row.ts';

export type RowEntry = readonly [rowKey: string, bytes: Uint8Array];

/** What the rows of a hash are: some that changed, all, or a part of all that needs several calls. */
export type PutMode = 'changed' | 'all' | 'first-part' | 'next-part' | 'last-part';

export interface HashRows {
  readonly key: string;
  /** The link's code, null for a row of no link. */
  readonly code: string | null;
  readonly mode: PutMode;
  /** 0: for ever. */
  readonly ttlSeconds: number;
  readonly rows: readonly RowEntry[];
}

export interface ScoreEntry {
  readonly code: string;
  readonly visits: number;
  readonly lastVisitAt: number;
}

export interface PutChunk {
  readonly hashes: readonly HashRows[];
  readonly scores: readonly ScoreEntry[];
}

/** Bounds of a call; a single row may be bigger than `bytes`. */
export const putChunkMax = { rows: 500, bytes: 256 * 1024 };

const modeNumbers: Readonly<Record<PutMode, number>> = {
  changed: 0,
  all: 1,
  'first-part': 2,
  'next-part': 3,
  'last-part': 4,
};
/** Mode, ttl and number of rows in front of a hash. */
const hashBytes = 9;
/** Lengths around a row, and its checksum. */
const rowExtraBytes = 8 + checksumBytes;
/** Lengths and two numbers. */
const scoreExtraBytesMax = 12 + 2 * 24;

/**
 * Cuts hashes, each with the scores of its link, into chunks. A hash stays in one chunk, so that a link's rows change in one
 * step, unless it is too big for one: then changed rows are put apart, and all rows become parts.
 */
export function* putChunks(
  items: Iterable<{ readonly hash: HashRows | null; readonly score: ScoreEntry | null }>,
): Generator<PutChunk> {
  let hashes: HashRows[] = [];
  let scores: ScoreEntry[] = [];
  let rows = 0;
  let bytes = 0;
  for (const { hash, score } of items) {
    const parts = hash === null ? [null] : partsOf(hash);
    for (const [index, part] of parts.entries()) {
      const partRows = part?.rows.length ?? 0;
      const partBytes = part === null ? 0 : sizeOf(part);
      const isFull = rows + partRows > putChunkMax.rows || bytes + partBytes > putChunkMax.bytes;
      // A part waits for the answer to the one before it.
      if (isFull || scores.length === putChunkMax.rows || index > 0) {
        if (hashes.length > 0 || scores.length > 0) yield { hashes, scores };
        hashes = [];
        scores = [];
        rows = 0;
        bytes = 0;
      }
      if (part !== null) hashes.push(part);
      if (score !== null && index === 0) scores.push(score);
      rows += partRows;
      bytes += partBytes;
    }
  }
  if (hashes.length > 0 || scores.length > 0) yield { hashes, scores };
}

function partsOf(hash: HashRows): readonly HashRows[] {
  if (hash.rows.length <= putChunkMax.rows && sizeOf(hash) <= putChunkMax.bytes) return [hash];
  const slices: RowEntry[][] = [[]];
  let bytes = 0;
  for (const row of hash.rows) {
    const slice = slices[slices.length - 1] ?? [];
    const size = row[0].length + row[1].length + rowExtraBytes;
    if (slice.length > 0 && (slice.length === putChunkMax.rows || bytes + size > putChunkMax.bytes)) {
      slices.push([row]);
      bytes = size;
    } else {
      slice.push(row);
      bytes += size;
    }
  }
  if (slices.length === 1) return [hash];
  return slices.map((rows, index) => ({ ...hash, rows, mode: partMode(hash.mode, index, slices.length) }));
}

function partMode(mode: PutMode, index: number, parts: number): PutMode {
  if (mode !== 'all') return mode;
  if (index === 0) return 'first-part';
  return index === parts - 1 ? 'last-part' : 'next-part';
}

function sizeOf(hash: HashRows): number {
  let size = hashBytes;
  for (const [rowKey, bytes] of hash.rows) size += rowKey.length + bytes.length + rowExtraBytes;
  return size;
}

/** The body of the call: hashes in the order of their keys, then scores. */
export function encodePutBody(chunk: PutChunk): Buffer {
  let size = 4;
  for (const hash of chunk.hashes) size += sizeOf(hash);
  for (const { code } of chunk.scores) size += code.length + scoreExtraBytesMax;
  const body = Buffer.allocUnsafe(size);
  let at = 0;
  const text = (value: string): void => {
    at = body.writeUInt32BE(value.length, at);
    at += body.write(value, at, 'latin1');
  };
  for (const { mode, ttlSeconds, rows } of chunk.hashes) {
    at = body.writeUInt8(modeNumbers[mode], at);
    at = body.writeUInt32BE(ttlSeconds, at);
    at = body.writeUInt32BE(rows.length, at);
    for (const [rowKey, bytes] of rows) {
      text(rowKey);
      at = body.writeUInt32BE(bytes.length + checksumBytes, at);
      body.set(bytes, at);
      at = body.writeUInt32BE(rowChecksum(rowKey, bytes), at + bytes.length);
    }
  }
  at = body.writeUInt32BE(chunk.scores.length, at);
  for (const { code, visits, lastVisitAt } of chunk.scores) {
    text(code);
    text(String(visits));
    text(String(lastVisitAt));
  }
  return body.subarray(0, at);
}
