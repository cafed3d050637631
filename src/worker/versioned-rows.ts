/**
 * Rows of a state store as a fold sees them: decoded, with the version each carries. The version is the offset of the
 * last record in a row, so that a replay skips what a row already contains (docs/decisions/0004). Does not cache: the processor keeps the
 * handles it wants to use again.
 */
import type { StateBatch, StateStore } from '../ports/state-store.ts';
import type { PackedRows } from './packed-rows.ts';
import type { WrittenKeys } from './written-keys.ts';

/** Bytes ↔ the in-memory state of a row. The worker adds the version itself. */
export interface RowCodec<R> {
  create(): R;
  decode(bytes: Buffer): R;
  /** Upper bound of what {@link encode} writes for this row, in bytes. */
  maxEncodedBytes(row: R): number;
  /** Writes the row at `at` and returns the position behind it. Equal rows must give equal bytes. */
  encode(row: R, target: Buffer, at: number): number;
}

/** A row in memory. `state` may be changed only after {@link VersionedRows.begin} said so. */
export interface Row<R> {
  readonly key: string;
  /** Offset of the last record in the row; -1 before the first. */
  version: number;
  state: R;
  /** Number of the commit that will hold, or holds, the row's last change; 0 = as it was read. */
  commit: number;
}

/** Bytes of the version in front of each row: a safe integer as two unsigned 32-bit halves, high half first. */
export const versionBytes = 8;
const twoTo32 = 0x1_0000_0000;

/** Rows changed since the last commit, over all kinds of rows of one task, in the order in which they were first changed. */
export class DirtyRows {
  /** Number of the commit that is being gathered. */
  gathering = 1;
  /** Number of the last commit that is in the store. */
  stored = 0;
  private rows: Row<unknown>[] = [];
  private codecs: RowCodec<unknown>[] = [];
  private scratch = Buffer.allocUnsafe(64 * 1024);

  get size(): number {
    return this.rows.length;
  }

  add<R>(row: Row<R>, codec: RowCodec<R>): void {
    row.commit = this.gathering;
    this.rows.push(row as Row<unknown>);
    this.codecs.push(codec as RowCodec<unknown>);
  }

  /**
   * Encodes every dirty row into the batch, forgets them, and returns the number of this commit. The bytes are also added to
   * `written` when that is given.
   */
  drainInto(batch: StateBatch, written: PackedRows | null): number {
    for (let i = 0; i < this.rows.length; i++) {
      const row = this.rows[i] as Row<unknown>;
      const codec = this.codecs[i] as RowCodec<unknown>;
      const bound = versionBytes + codec.maxEncodedBytes(row.state);
      if (this.scratch.length < bound) this.scratch = Buffer.allocUnsafe(bound * 2);
      this.scratch.writeUInt32BE(Math.floor(row.version / twoTo32), 0);
      this.scratch.writeUInt32BE(row.version % twoTo32, 4);
      const end = codec.encode(row.state, this.scratch, versionBytes);
      const bytes = this.scratch.subarray(0, end);
      batch.put(row.key, bytes);
      written?.add(row.key, bytes);
    }
    this.rows = [];
    this.codecs = [];
    return this.gathering++;
  }
}

export class VersionedRows<R> {
  private readonly store: StateStore;
  private readonly codec: RowCodec<R>;
  private readonly dirtyRows: DirtyRows;
  private readonly written: WrittenKeys | null;

  /** `written` is given for a store that was empty when it was opened. */
  constructor(store: StateStore, codec: RowCodec<R>, dirtyRows: DirtyRows, written: WrittenKeys | null) {
    this.store = store;
    this.written = written;
    this.codec = codec;
    this.dirtyRows = dirtyRows;
  }

  /**
   * Reads a row from the store, or makes a new one. A handle may be let go, and its key opened again, only once the store has
   * its last change: {@link isStored}.
   */
  open(key: string): Row<R> {
    const bytes = this.written === null || this.written.mayHold(key) ? this.store.getSync(key) : undefined;
    if (bytes === undefined) return { key, version: -1, state: this.codec.create(), commit: 0 };
    return { key, version: versionOf(bytes), state: this.codec.decode(payloadOf(bytes)), commit: 0 };
  }

  /**
   * Begins the change of a row by the record at `offset`; false when the row already contains that record: then leave it. Either
   * way the row is in the next commit: a row that is ahead of its task was written by a commit whose rows may have reached nobody else.
   */
  begin(row: Row<R>, offset: number): boolean {
    const isNew = row.version < offset;
    if (isNew) {
      if (row.version < 0) this.written?.add(row.key);
      row.version = offset;
    }
    if (row.commit !== this.dirtyRows.gathering) this.dirtyRows.add(row, this.codec);
    return isNew;
  }

  isStored(row: Row<R>): boolean {
    return row.commit <= this.dirtyRows.stored;
  }
}

/** The version that a stored row carries. */
export function versionOf(bytes: Uint8Array): number {
  const view = asBuffer(bytes);
  return view.readUInt32BE(0) * twoTo32 + view.readUInt32BE(4);
}

/** A stored row without its version. */
export function payloadOf(bytes: Uint8Array): Buffer {
  return asBuffer(bytes).subarray(versionBytes);
}

/** The same bytes with a buffer's methods: stores give any kind of bytes, and what comes from another thread has lost its prototype. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
