/**
 * How far a store contains its changelog. Written in one batch with the rows, so that a store that was closed, lost its last
 * writes or was rolled back says itself where to go on.
 */
/** Row of the {@link ChangelogPosition}; a store without it was not restored from a changelog. */
export const positionKey = '!changelog';
/** Row of the newest checkpoint, as the changelog holds it. */
export const keptCheckpointKey = '!changelog-checkpoint';
/** Rows of keys whose newest value does not stand last in the changelog: `!s/<key>`, value = {@link StaleMark}. */
export const staleKeyPrefix = '!s/';

/**
 * `behind`: the store's value is newer than the last one in the changelog, which must be rewritten before compaction takes the newer
 * one away. `untrusted`: the only value found came from a stale owner, long enough ago that compaction may have taken a newer one away.
 */
export type StaleMark = 'behind' | 'untrusted';

export interface ChangelogPosition {
  readonly logId: string;
  readonly topology: string;
  readonly partition: number;
  /** Every record of the changelog before this offset is in the store, or is older than what the store holds. */
  readonly nextOffset: number;
  /** The last owner and its last send seen: what comes later in the changelog but is less than this was written by a stale owner, or twice. */
  readonly epoch: number;
  readonly send: number;
  /** Barriers of owners that nobody has taken away yet: their keys, and the offset of the last record of each. */
  readonly barriers: readonly (readonly [key: string, offset: number])[];
  /** Epoch of the kept checkpoint; -1 = there is none. */
  readonly checkpointEpoch: number;
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
    const numbers = [value.partition, value.nextOffset, value.epoch, value.send, value.checkpointEpoch];
    const isSound =
      typeof value.logId === 'string' &&
      typeof value.topology === 'string' &&
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
