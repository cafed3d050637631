/**
 * Where a task's store stands in the log. It is written in the same atomic batch as the rows, so a restart goes on from
 * exactly what is in them; the store is never wiped because of a crash.
 */

import type { StateStore } from '../ports/state-store.ts';
import type { Watermark } from './producer-watermarks.ts';

export const checkpointKey = '!checkpoint';

export interface Checkpoint {
  /** Identity of the log that was folded. */
  readonly logId: string;
  /** `name@version` of the topology that wrote the rows. */
  readonly topology: string;
  readonly partition: number;
  /** Every record before this offset is in the rows. */
  readonly nextOffset: number;
  /** Highest event time folded, ms. */
  readonly streamTimeMs: number;
  readonly counts: TaskCounts;
}

/** What became of the records of a task since its store was made. */
export interface TaskCounts {
  readonly folded: number;
  readonly duplicates: number;
  readonly gaps: number;
  readonly deadLetters: number;
}

export const noCounts: TaskCounts = { folded: 0, duplicates: 0, gaps: 0, deadLetters: 0 };

/** Over several tasks, those that have not told yet left out. */
export function sumCounts(tasks: readonly (TaskCounts | undefined)[]): TaskCounts {
  const sum = { ...noCounts };
  for (const counts of tasks) {
    sum.folded += counts?.folded ?? 0;
    sum.duplicates += counts?.duplicates ?? 0;
    sum.gaps += counts?.gaps ?? 0;
    sum.deadLetters += counts?.deadLetters ?? 0;
  }
  return sum;
}

/** All that a fold needs to go on: where, and what it knew there. */
export interface ResumePoint {
  readonly nextOffset: number;
  readonly streamTimeMs: number;
  readonly counts: TaskCounts;
  /** By producer id, as they were at `nextOffset`. */
  readonly watermarks: ReadonlyMap<string, Watermark>;
}

/** The beginning of the log. */
export const resumeAtStart: ResumePoint = { nextOffset: 0, streamTimeMs: 0, counts: noCounts, watermarks: new Map() };

export function encodeCheckpoint(checkpoint: Checkpoint): Buffer {
  return Buffer.from(JSON.stringify(checkpoint), 'utf8');
}

/** The reverse of {@link encodeCheckpoint}; undefined when the bytes are no checkpoint. */
export function decodeCheckpoint(bytes: Uint8Array): Checkpoint | undefined {
  try {
    const value = JSON.parse(Buffer.from(bytes).toString('utf8')) as Checkpoint;
    const sound =
      typeof value.logId === 'string' &&
      typeof value.topology === 'string' &&
      Number.isSafeInteger(value.partition) &&
      Number.isSafeInteger(value.nextOffset) &&
      Number.isSafeInteger(value.counts.folded);
    return sound ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Why a store cannot be gone on with, or null when it can. */
export function mismatch(
  checkpoint: Checkpoint,
  expected: Pick<Checkpoint, 'logId' | 'topology' | 'partition'>,
  logEndOffset: number,
): string | null {
  if (checkpoint.logId !== expected.logId) return 'it was folded from another log';
  if (checkpoint.topology !== expected.topology)
    return `it was written by ${checkpoint.topology}, this is ${expected.topology}`;
  if (checkpoint.partition !== expected.partition) return `it belongs to partition ${checkpoint.partition}`;
  if (checkpoint.nextOffset > logEndOffset) {
    return `it is ahead of the log: ${checkpoint.nextOffset} after the log's end ${logEndOffset}`;
  }
  return null;
}

/**
 * The offset of the log up to which a store says that its rows go; -1 = it says nothing. A former owner's store may be ahead of every
 * checkpoint of the changelog.
 */
export function readableOffset(store: StateStore): number {
  const bytes = store.getSync(checkpointKey);
  return bytes === undefined ? -1 : (decodeCheckpoint(bytes)?.nextOffset ?? -1);
}
