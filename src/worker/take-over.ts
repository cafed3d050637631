/**
 * Becoming the owner of a partition (docs/decisions/0019): append a barrier, read the changelog to its end, and learn from where to
 * fold on. The barrier's offset is the owner's epoch, so the changelog itself says who came later.
 */
import type { Changelog } from '../ports/changelog.ts';
import { type LogReader, OffsetOutOfRange } from '../ports/event-log.ts';
import type { StateStore } from '../ports/state-store.ts';
import { encodeBarrier } from './changelog-checkpoint.ts';
import type { Identity } from './changelog-position.ts';
import { type ResumePoint, readableOffset, resumeAtStart } from './checkpoint.ts';
import { Fenced } from './fenced.ts';
import type { Replica } from './replica.ts';
import { type RetryOptions, retryOutages } from './retry.ts';
import { versionOf } from './versioned-rows.ts';

export interface TakeOverOptions {
  readonly replica: Replica;
  readonly identity: Identity;
  readonly changelog: Changelog;
  /** The replica's. */
  readonly store: StateStore;
  /** Of the log's partition, opened after the replica had caught up. */
  openLogReader(): Promise<LogReader>;
  readonly instanceId: string;
  /** Unique to this takeover. */
  readonly barrierKey: string;
  readonly retry: RetryOptions;
}

/** What an owner begins with. */
export interface Tenure {
  /** Offset of its barrier. */
  readonly epoch: number;
  /** Of the changelog: where its first append goes if nobody else writes. */
  readonly nextChangelogOffset: number;
  /** Where to fold on from; rows beyond it are skipped by their versions. */
  readonly resume: ResumePoint;
  /** The last checkpoint speaks for more than can be trusted: `resume` is the log's beginning. */
  readonly isFoldedAnew: boolean;
  /** Keys whose newest value must be written again. */
  readonly rewrite: readonly string[];
  readonly barrierKey: string;
  /** Keys and offsets of barriers to take away once that is done. */
  readonly earlierBarriers: readonly (readonly [key: string, offset: number])[];
  /** Highest version of a row in the changelog; -1 = none. */
  readonly highestVersion: number;
}

/** The log no longer holds what the newest checkpoint needs next. Needs a person: what retention took was never counted. */
export class LogPassedCheckpoint extends Error {
  override readonly name = 'LogPassedCheckpoint';
}

/** The log ends before what was already folded from it. Needs a person: acknowledged records were lost, or the log is another one. */
export class LogLostItsEnd extends Error {
  override readonly name = 'LogLostItsEnd';
}

/**
 * The changelog may lack the newest value of some key, and the log no longer reaches back to its beginning to fold them anew. Needs a person:
 * let an instance take over whose store was warm before, or restore the changelog.
 */
export class ChangelogUntrusted extends Error {
  override readonly name = 'ChangelogUntrusted';
}

const endWaitsMax = 10;
const endWaitMs = 1_000;

/**
 * Throws {@link Fenced} when another owner's barrier came later, {@link LogPassedCheckpoint}, {@link LogLostItsEnd},
 * {@link ChangelogUntrusted}, `StoreUnusable`, `Interrupted`.
 */
export async function takeOver(options: TakeOverOptions): Promise<Tenure> {
  const { replica, changelog, identity, barrierKey, retry } = options;
  const { partition, logId, topology } = identity;
  // 1. From here on no earlier owner's checkpoint counts.
  const value = encodeBarrier({ logId, topology, partition, instanceId: options.instanceId });
  const barrier = { kind: 'barrier', key: barrierKey, value } as const;
  const offset = await retryOutages(retry, () => changelog.append(partition, [barrier], -1, 0));
  // 2. To the end and not only to the barrier: what a value behind it replaced may already be compacted away.
  const endOffset = await retryOutages(retry, () => changelog.endOffset(partition));
  await replica.catchUp(Math.max(endOffset, offset + 1));
  // 3. Whose barrier is last? An append that was repeated may have left several of mine.
  const { position, checkpoint } = replica.findings();
  const epoch = position.barriers.find(([key]) => key === barrierKey)?.[1];
  if (epoch === undefined || position.epoch !== epoch) {
    throw new Fenced(`the barrier at ${position.epoch} came after mine at ${epoch ?? offset}`);
  }
  // 4. From where?
  const reader = await retryOutages(retry, () => options.openLogReader());
  try {
    const resume = await resumePoint(options, reader, checkpoint ?? resumeAtStart);
    return {
      epoch,
      nextChangelogOffset: position.nextOffset,
      resume,
      isFoldedAnew: checkpoint !== null && resume.nextOffset < checkpoint.nextOffset,
      rewrite: [...replica.findings().stale.keys()],
      barrierKey,
      earlierBarriers: position.barriers.filter(([key]) => key !== barrierKey),
      highestVersion: position.highestVersion,
    };
  } finally {
    await reader.close();
  }
}

async function resumePoint(options: TakeOverOptions, reader: LogReader, checkpoint: ResumePoint): Promise<ResumePoint> {
  const { retry, store, replica } = options;
  const foldedTo = Math.max(
    checkpoint.nextOffset,
    replica.findings().position.highestVersion + 1,
    readableOffset(store),
  );
  const doubt = await doubtIn(options, checkpoint.nextOffset);
  const resume = doubt === null ? checkpoint : resumeAtStart;
  try {
    await retryOutages(retry, () => reader.read(resume.nextOffset, 1));
  } catch (error) {
    if (!(error instanceof OffsetOutOfRange)) throw error;
    if (error.endOffset < resume.nextOffset) throw lostItsEnd(error.endOffset, foldedTo);
    if (doubt !== null) throw new ChangelogUntrusted(`${doubt}, and the log begins at ${error.startOffset}`);
    throw new LogPassedCheckpoint(
      `the log begins at ${error.startOffset}, but only what is before ${resume.nextOffset} was counted`,
    );
  }
  // A log whose leader has just changed may take a moment to know its end again.
  for (let waits = 0; reader.endOffset() < foldedTo && waits < endWaitsMax; waits++) {
    await retry.interrupt.outcomeOf(reader.waitFor(foldedTo - 1, endWaitMs));
  }
  if (reader.endOffset() < foldedTo) throw lostItsEnd(reader.endOffset(), foldedTo);
  return resume;
}

function lostItsEnd(endOffset: number, foldedTo: number): LogLostItsEnd {
  return new LogLostItsEnd(`the log ends at ${endOffset}, but it was folded up to ${foldedTo}`);
}

/** Why the rows may lack something that was folded before `checkpointOffset`, or null. */
async function doubtIn({ replica, store }: TakeOverOptions, checkpointOffset: number): Promise<string | null> {
  const { position, stale } = replica.findings();
  if (position.damagedRecords > 0) return `${position.damagedRecords} records of the changelog are damaged`;
  const untrusted = [...stale].filter(([, mark]) => mark === 'untrusted').map(([key]) => key);
  const values = untrusted.length === 0 ? [] : await store.getMany(untrusted);
  const early = values.filter((value) => value === undefined || versionOf(value) + 1 < checkpointOffset);
  return early.length === 0 ? null : `${early.length} keys of the changelog were last written by a stale owner`;
}
