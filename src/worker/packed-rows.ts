/**
 * Rows of one commit with their bytes packed into blocks: tens of thousands wait for the changelog at a time, and a buffer of its own for
 * each would cost more than what is in it.
 */
import type { StoreEntry } from '../ports/state-store.ts';

/** Whoever keeps one row keeps its block. */
const blockBytes = 4 * 1024;

export class PackedRows implements Iterable<StoreEntry> {
  /** Of each row: its key, the block that its value is in, and where it begins and ends in it. */
  private readonly keys: string[] = [];
  private readonly blocks: Buffer[] = [];
  private readonly starts: number[] = [];
  private readonly ends: number[] = [];
  private block = Buffer.alloc(0);
  private blockEnd = 0;
  private bytes = 0;

  static of(entries: Iterable<StoreEntry>): PackedRows {
    const rows = new PackedRows();
    for (const [key, value] of entries) rows.add(key, value);
    return rows;
  }

  get size(): number {
    return this.keys.length;
  }

  /** Of keys and values. */
  get byteLength(): number {
    return this.bytes;
  }

  /** Adds a row; its value is copied. */
  add(key: string, value: Uint8Array): void {
    this.makeRoom(value.length);
    const start = this.blockEnd;
    this.block.set(value, start);
    this.blockEnd += value.length;
    this.keys.push(key);
    this.blocks.push(this.block);
    this.starts.push(start);
    this.ends.push(this.blockEnd);
    this.bytes += key.length + value.length;
  }

  /** In the order in which they were added. */
  *[Symbol.iterator](): Generator<StoreEntry> {
    for (let index = 0; index < this.size; index++) yield [this.keyAt(index), this.valueAt(index)];
  }

  /** @param index 0 to {@link size} - 1, in the order in which they were added */
  keyAt(index: number): string {
    return this.keys[index] as string;
  }

  /** A view. */
  valueAt(index: number): Buffer {
    return (this.blocks[index] as Buffer).subarray(this.starts[index], this.ends[index]);
  }

  /** Blocks grow with what is there: most commits are small. */
  private makeRoom(length: number): void {
    if (this.blockEnd + length <= this.block.length) return;
    this.block = Buffer.allocUnsafeSlow(Math.max(length, Math.min(this.bytes, blockBytes)));
    this.blockEnd = 0;
  }
}
