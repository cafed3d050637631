/**
 * The checkpoint in the changelog: of every key, the last value before it contains all that changed before `nextOffset`, and these are
 * the watermarks at exactly that offset. Whoever has read the changelog may go on from here. It counts only where its owner expected
 * it to stand: elsewhere somebody wrote in between, and what it says may not be so (docs/decisions/0019).
 */
import type { Identity } from './changelog-position.ts';
import type { ResumePoint, TaskCounts } from './checkpoint.ts';
import type { Watermark } from './producer-watermarks.ts';

export interface ChangelogCheckpoint extends Identity, ResumePoint {
  /** Offset of the changelog at which it stands if nobody wrote between its owner's last look and it. */
  readonly standsAt: number;
}

interface Shape extends Identity {
  readonly standsAt: number;
  readonly nextOffset: number;
  readonly streamTimeMs: number;
  readonly counts: TaskCounts;
  /** JSON has no maps. */
  readonly watermarks: readonly (readonly [id: string, sequence: number, lastSeenMs: number])[];
}

export function encodeChangelogCheckpoint(checkpoint: ChangelogCheckpoint): Buffer {
  const { logId, topology, partition, standsAt, nextOffset, streamTimeMs, counts } = checkpoint;
  const watermarks = [...checkpoint.watermarks].map(
    ([id, [sequence, lastSeenMs]]) => [id, sequence, lastSeenMs] as const,
  );
  const shape: Shape = { logId, topology, partition, standsAt, nextOffset, streamTimeMs, counts, watermarks };
  return Buffer.from(JSON.stringify(shape), 'utf8');
}

/** The reverse of {@link encodeChangelogCheckpoint}; undefined when the bytes are no checkpoint. */
export function decodeChangelogCheckpoint(bytes: Uint8Array): ChangelogCheckpoint | undefined {
  try {
    const shape = JSON.parse(Buffer.from(bytes).toString('utf8')) as Shape;
    const watermarks = new Map<string, Watermark>();
    for (const [id, sequence, lastSeenMs] of shape.watermarks) {
      if (typeof id !== 'string' || !Number.isSafeInteger(sequence) || !Number.isFinite(lastSeenMs)) return undefined;
      watermarks.set(id, [sequence, lastSeenMs]);
    }
    const { counts } = shape;
    const isSound =
      typeof shape.logId === 'string' &&
      typeof shape.topology === 'string' &&
      [
        shape.partition,
        shape.standsAt,
        shape.nextOffset,
        counts.folded,
        counts.duplicates,
        counts.gaps,
        counts.deadLetters,
      ].every(Number.isSafeInteger) &&
      Number.isFinite(shape.streamTimeMs);
    return isSound ? { ...shape, watermarks } : undefined;
  } catch {
    return undefined;
  }
}

/** The value of a barrier: whose changelog this is, and who became its owner. */
export interface Barrier extends Identity {
  readonly instanceId: string;
}

export function encodeBarrier(barrier: Barrier): Buffer {
  return Buffer.from(JSON.stringify(barrier), 'utf8');
}

/** The reverse of {@link encodeBarrier}; undefined when the bytes are no barrier. */
export function decodeBarrier(bytes: Uint8Array): Barrier | undefined {
  try {
    const barrier = JSON.parse(Buffer.from(bytes).toString('utf8')) as Barrier;
    const isSound =
      typeof barrier.logId === 'string' &&
      typeof barrier.topology === 'string' &&
      Number.isSafeInteger(barrier.partition);
    return isSound ? barrier : undefined;
  } catch {
    return undefined;
  }
}
