/**
 * How far a store contains its changelog. Written in one batch with the rows, so that a store that was closed, lost its last
 * writes or was rolled back says itself where to go on.
 */
/** Row of the {@link ChangelogPosition}; a store without it was not restored from a changelog. */
export const positionKey = '!changelog';
/** Row of the newest checkpoint, as the changelog holds it. */
export const keptCheckpointKey = '!changelog-checkpoint';
/** Rows of keys that a stale owner wrote last: `!s/<key>`, value = {@link StaleMark}. */
export const staleKeyPrefix = '!s/';

/**
 * Behind the last checkpoint a value came from a stale owner, or came a second time. `behind`: the store's is newer; it must be rewritten
 * before compaction takes its own record away. `untrusted`: it is so old, and the store came to the checkpoint so late, that compaction
 * may have taken away a newer one unseen. The next checkpoint ends both: its owner has looked.
 */
export type StaleMark = 'behind' | 'untrusted';

export interface ChangelogPosition {
  readonly logId: string;
  readonly topology: string;
  readonly partition: number;
  /** Every record of the changelog before this offset is in the store, or is older than what the store holds. */
  readonly nextOffset: number;
  /** Of the last owner seen; -1 = none. */
  readonly epoch: number;
  /** Barriers of owners that nobody has taken away yet: their keys, and the offset of the last record of each. */
  readonly barriers: readonly (readonly [key: string, offset: number])[];
  /** Who wrote the kept checkpoint, and its send; -1 = there is none. What stands behind it but was sent before it is stale. */
  readonly checkpointEpoch: number;
  readonly checkpointSend: number;
  /**
   * The kept checkpoint was met while compaction could not yet have taken away anything before it for the sake of something behind it:
   * so the store lacks nothing that the checkpoint speaks for.
   */
  readonly isWarm: boolean;
  /** Highest version of a row seen in the changelog; -1 = none. */
  readonly highestVersion: number;
  /** Records of ours that were not what had been written: each may have been the newest value of a key. */
  readonly damagedRecords: number;
}

export function encodePosition(position: ChangelogPosition): Buffer {
  return Buffer.from(JSON.stringify(position), 'utf8');
}

/** The reverse of {@link encodePosition}; undefined when the bytes are no position. */
export function decodePosition(bytes: Uint8Array): ChangelogPosition | undefined {
  try {
    const value = JSON.parse(Buffer.from(bytes).toString('utf8')) as ChangelogPosition;
    const numbers = [value.partition, value.nextOffset, value.epoch, value.checkpointEpoch, value.checkpointSend];
    const isSound =
      typeof value.logId === 'string' &&
      typeof value.topology === 'string' &&
      typeof value.isWarm === 'boolean' &&
      Array.isArray(value.barriers) &&
      [...numbers, value.highestVersion, value.damagedRecords].every(Number.isSafeInteger);
    return isSound ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Whose rows a changelog or a store holds. */
export interface Identity {
  readonly logId: string;
  /** `topologyId` of the topology. */
  readonly topology: string;
  readonly partition: number;
}

export function isSameIdentity(one: Identity, other: Identity): boolean {
  return one.logId === other.logId && one.topology === other.topology && one.partition === other.partition;
}
