/** What a task tells of one commit that its store has: all that another view of the same fold needs, and nothing else. */
import type { TaskCounts } from './checkpoint.ts';
import type { PackedRows } from './packed-rows.ts';
import type { Watermark } from './producer-watermarks.ts';

export interface TaskCommit {
  readonly partition: number;
  /** Every record before this offset is in the store. */
  readonly nextOffset: number;
  readonly streamTimeMs: number;
  readonly counts: TaskCounts;
  /** The rows that were written, each key once, as the store holds them: 8 bytes of version in front (`versionOf`). */
  readonly rows: PackedRows;
  /** Watermarks that changed, by producer id; null = forgotten. */
  readonly watermarks: ReadonlyMap<string, Watermark | null>;
  readonly deadLetters: readonly DeadLetter[];
}

/** A record that can never be folded. */
export interface DeadLetter {
  /** Where it stands in its partition of the log. */
  readonly offset: number;
  readonly reason: string;
  readonly key: string;
  readonly producerId: string;
  readonly sequence: number;
  /** Length of the whole value. */
  readonly bytes: number;
  /** The value's first 64 KiB. */
  readonly value: Buffer;
}
