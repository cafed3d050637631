/**
 * The changelog: one compacted topic whose partition p holds what task p's store holds, as absolute values with their
 * versions, so that another instance can restore the store or keep a warm copy. Every record says which owner wrote it
 * (`epoch`, the offset of that owner's barrier) and the place of its send among that owner's (`send`): a resend is recognised.
 */

/** What a record is. A key is unique within its kind; compaction keeps the newest record of a kind and key. */
export type ChangelogKind = 'row' | 'checkpoint' | 'barrier';

export interface ChangelogEntry {
  readonly kind: ChangelogKind;
  /** ASCII, 1 to 512 characters: the row's key; for a checkpoint the topology's id; for a barrier an id of its own. */
  readonly key: string;
  /** A row with its version in front, as the store holds it; null takes the key away (barriers alone are ever taken away). */
  readonly value: Buffer | null;
}

export interface ChangelogRecord extends ChangelogEntry {
  readonly offset: number;
  /** Offset of the writing owner's barrier; -1 in a barrier itself, whose own offset is the epoch. */
  readonly epoch: number;
  /** Place of the send that carried the record among those of its epoch, from 0. */
  readonly send: number;
  /**
   * When the broker appended it, wall-clock ms. A stale value is only trusted while compaction cannot have dropped a newer one
   * before it, which needs its age; without it the value counts as old.
   */
  readonly appendedAtMs?: number;
  /**
   * Set when the record's checksum does not match or it cannot be read: why. Nothing in it may be believed; `epoch` is -1 when
   * it carries none, so that it cannot have been a record of ours.
   */
  readonly invalid?: string;
}

/** Most that one append takes. */
export const changelogAppendMax = { entries: 2_000, bytes: 700_000 };

export interface Changelog {
  /**
   * Appends entries that stand together, in order, and resolves with the offset of the first when enough replicas have them.
   * At most one append at a time for each partition; leave its entries as they are until then. Throws {@link ChangelogUnavailable}
   * when the outcome is unknown or a refusal: the same entries, epoch and send may be appended again, and may then stand in the log twice.
   */
  append(partition: number, entries: readonly ChangelogEntry[], epoch: number, send: number): Promise<number>;
  reader(partition: number): Promise<ChangelogReader>;
  /** The offset that the next record will get, asked of the brokers. Throws {@link ChangelogUnavailable}. */
  endOffset(partition: number): Promise<number>;
  close(): Promise<void>;
}

export interface ChangelogReader {
  /**
   * Records from `nextOffset` on in offset order, up to about `maxBytes`, and where to go on. Offsets have holes where
   * compaction took records away. No records and `nextOffset` unchanged: the end. Throws `OffsetOutOfRange` when
   * `nextOffset` lies behind the end, {@link ChangelogUnavailable}.
   */
  read(
    nextOffset: number,
    maxBytes: number,
  ): Promise<{ readonly records: readonly ChangelogRecord[]; readonly nextOffset: number }>;
  /** Resolves when something at or behind `nextOffset` can be read, or after `timeoutMs`. */
  waitFor(nextOffset: number, timeoutMs: number): Promise<void>;
  /** The offset that the next record will get, as known now. */
  endOffset(): number;
  /** The oldest offset still kept. */
  startOffset(): number;
  close(): Promise<void>;
}

/** The changelog cannot be written or read now. Try again; nothing is known about the append. */
export class ChangelogUnavailable extends Error {
  override readonly name = 'ChangelogUnavailable';
}
