/**
 * Appends to one partition with group commit: all that is appended in one turn of the event loop becomes one frame and
 * one write to the open segment file. The write is synchronous, because a few microseconds into the page cache cost
 * less than handing it to a thread; `GroupSync` brings it to the disk. It does not read.
 */
import { closeSync, mkdirSync, openSync, renameSync, unlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Clock } from '../../ports/clock.ts';
import { LogUnavailable, type RecordToAppend } from '../../ports/event-log.ts';
import type { Logger } from '../../ports/logger.ts';
import type { JournalCallback } from '../../ports/visit-journal.ts';
import { GroupSync } from './group-sync.ts';
import type { PartitionPlace, RecoveredPartition, Segment } from './recover-partition.ts';
import { type SegmentFileCalls, segmentFile, writeWhole } from './segment-files.ts';
import {
  encodeSegmentHeader,
  frameHeaderBytes,
  maxKeyBytes,
  recordOverheadBytes,
  sealFrame,
  segmentHeaderBytes,
} from './segment-format.ts';
import type { PositionSlot } from './shared-positions.ts';
import type { WriteTurn } from './write-turn.ts';

export interface PartitionWriterOptions {
  readonly place: PartitionPlace;
  /** 16 bytes of the producer's UUID. */
  readonly producerId: Buffer;
  /** `always`: a callback is called when its record is synced. `interval`: synced at most `syncIntervalMs` later. */
  readonly fsync: 'off' | 'interval' | 'always';
  readonly syncIntervalMs: number;
  /** A frame that would start at or beyond this size starts a new segment. */
  readonly segmentBytes: number;
  /** An active segment whose first frame is older than this is left for a new one at the next append. */
  readonly segmentMaxAgeMs: number;
  /** Bound on what waits to be written and, with `always`, to be synced. Also the bound of one frame. */
  readonly maxWaitingBytes: number;
  readonly slot: PositionSlot;
  /** Shared by the partitions that are written together. */
  readonly turn: WriteTurn;
  /** Shared by the partitions whose files are bounded together; each keeps up its part. */
  readonly disk: DiskUse;
  readonly calls: SegmentFileCalls;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Bytes of the segment files of some partitions. */
export interface DiskUse {
  bytes: number;
}

/** Numbers since the log was opened, and sizes now. */
export interface WriterFigures {
  readonly bytesWritten: number;
  readonly frames: number;
  readonly records: number;
  readonly writeErrors: number;
  readonly syncs: number;
  readonly syncErrors: number;
  /** How long the last sync took; 0 before the first. */
  readonly lastSyncMs: number;
  readonly waitingRecords: number;
  readonly waitingBytes: number;
  readonly segments: number;
  /** Size of all segments, and of the active one. */
  readonly diskBytes: number;
  readonly activeBytes: number;
}

/** Callbacks of one frame, each with the place of its first record in the frame. */
interface Waiting {
  dones: JournalCallback[];
  firsts: number[];
}

const initialBufferBytes = 64 * 1024;

export class PartitionWriter {
  readonly #options: PartitionWriterOptions;
  readonly #segments: Segment[];
  readonly #firstOffset: number;
  readonly #sync: GroupSync;
  #fd: number;
  /** Where the last good frame ends. */
  #activeBytes: number;
  #nextOffset: number;

  // The frame being filled: room for its header, then its records.
  #buffer: Buffer = Buffer.allocUnsafeSlow(initialBufferBytes);
  #bytes = frameHeaderBytes;
  #count = 0;
  #waiting: Waiting = { dones: [], firsts: [] };
  #spare: Waiting | undefined;
  #scheduled = false;

  /** Set when nothing more can be appended until the log is opened again. */
  #refusal: LogUnavailable | undefined;
  #closed = false;
  /** While writes fail one after the other, only the first and the end of it are logged. */
  #failing = false;

  #bytesWritten = 0;
  #frames = 0;
  #writeErrors = 0;

  constructor(options: PartitionWriterOptions, recovered: RecoveredPartition) {
    this.#options = options;
    this.#segments = recovered.segments;
    this.#fd = recovered.activeFd;
    this.#activeBytes = recovered.activeBytes;
    this.#nextOffset = recovered.nextOffset;
    this.#firstOffset = recovered.nextOffset;
    this.#sync = new GroupSync(
      {
        folder: options.place.folder,
        calls: options.calls,
        clock: options.clock,
        intervalMs: options.syncIntervalMs,
        onFailure: (error) => this.#refuse('a sync failed: the log must be opened again', error),
      },
      recovered.activeFd,
    );
    options.disk.bytes += this.#diskBytes();
    this.#publish();
  }

  get nextOffset(): number {
    return this.#nextOffset;
  }

  /** The oldest offset still kept. */
  get startOffset(): number {
    return this.#segments[0]?.baseOffset ?? 0;
  }

  /** The offset of a record of this producer: both numbers rise together from the opening on. */
  offsetOf(sequence: number): number {
    return this.#firstOffset + sequence;
  }

  /** Takes one record. `done` is called after the write (or sync), or at once when it cannot be taken. */
  append(key: string, value: Uint8Array, done: JournalCallback): void {
    const error = checkKey(key) ?? this.#makeRoom(recordOverheadBytes + key.length + value.length);
    if (error !== null) {
      done(error, -1);
      return;
    }
    this.#put(key, value);
    this.#take(1, done);
  }

  /** Takes several records, all into the same frame; `done` gets the sequence of the first. */
  appendAll(records: readonly RecordToAppend[], done: JournalCallback): void {
    let bytes = 0;
    let error: Error | null = records.length === 0 ? new RangeError('there is no record to append') : null;
    for (const record of records) {
      error ??= checkKey(record.key);
      bytes += recordOverheadBytes + record.key.length + record.value.length;
    }
    error ??= this.#makeRoom(bytes);
    if (error !== null) {
      done(error, -1);
      return;
    }
    for (const { key, value } of records) this.#put(key, value);
    this.#take(records.length, done);
  }

  /** Writes what waits and syncs it. Rejects with {@link LogUnavailable} when appends are refused. */
  async flush(): Promise<void> {
    this.#write();
    if (!this.#closed) await this.#sync.ended();
    if (this.#refusal !== undefined) throw this.#refusal;
  }

  /** Writes and syncs what waits, then closes the file. Appends are refused from now on. */
  async close(): Promise<void> {
    this.#write();
    this.#closed = true;
    this.#refusal ??= new LogUnavailable('the log is closed');
    await this.#sync.close();
  }

  /** Drops sealed segments that hold only records before `offset`. Returns the new start offset. */
  dropBefore(offset: number): number {
    return this.#drop(
      (_, next) => next.baseOffset <= offset,
      unlinkSync,
      (file) => this.#options.logger.debug({ file }, 'a segment that is not needed any more was dropped'),
    );
  }

  /** Drops sealed segments whose last append is older than `maxAgeMs` and before `keepFrom`. Returns the new start offset. */
  dropOlderThan(maxAgeMs: number, keepFrom: number): number {
    const limitMs = this.#options.clock.nowMs() - maxAgeMs;
    return this.#drop(
      (_, next) =>
        next.firstAppendedAtMs !== undefined && next.firstAppendedAtMs < limitMs && next.baseOffset <= keepFrom,
      unlinkSync,
      (file) => this.#options.logger.info({ file }, 'a segment past its retention was dropped'),
    );
  }

  /**
   * Moves the segments that were begun more than `maxAgeMs` ago into `folder`, the active one included, and makes them no
   * part of the log. Returns the new start offset.
   */
  setAsideOlderThan(maxAgeMs: number, folder: string): number {
    const limitMs = this.#options.clock.nowMs() - maxAgeMs;
    const isDue = ({ firstAppendedAtMs }: Segment): boolean =>
      firstAppendedAtMs !== undefined && firstAppendedAtMs < limitMs;
    if (isDue(this.#active())) this.leaveActive();
    const move = (file: string): void => {
      mkdirSync(folder, { recursive: true });
      renameSync(file, join(folder, basename(file)));
    };
    return this.#drop(isDue, move, (file) => this.#options.logger.warn({ file, folder }, 'a segment was set aside'));
  }

  /** Leaves the active segment for a new one, so that it can be dropped. Says whether it did: an empty one stays. */
  leaveActive(): boolean {
    if (this.#refusal !== undefined || this.#active().firstAppendedAtMs === undefined) return false;
    try {
      this.#roll();
    } catch (error) {
      // Only disk space is at stake, and the next append tells of a failing disk.
      this.#options.logger.debug({ err: error, partition: this.#name() }, 'the active segment cannot be left now');
      return false;
    }
    this.#publish();
    return true;
  }

  figures(): WriterFigures {
    return {
      bytesWritten: this.#bytesWritten,
      frames: this.#frames,
      records: this.#nextOffset - this.#firstOffset,
      writeErrors: this.#writeErrors,
      syncs: this.#sync.syncs,
      syncErrors: this.#sync.syncErrors,
      lastSyncMs: this.#sync.lastSyncMs,
      waitingRecords: this.#count,
      waitingBytes: this.#bytes - frameHeaderBytes + this.#sync.waitingBytes,
      segments: this.#segments.length,
      diskBytes: this.#diskBytes(),
      activeBytes: this.#activeBytes,
    };
  }

  /** Makes `bytes` more fit into the frame, or says why they cannot be taken. */
  #makeRoom(bytes: number): Error | null {
    if (this.#refusal !== undefined) return this.#refusal;
    const limit = this.#options.maxWaitingBytes;
    if (bytes > limit) return new RangeError(`a record of up to ${bytes} bytes is beyond the bound of ${limit}`);
    const needed = this.#bytes + bytes;
    if (needed - frameHeaderBytes + this.#sync.waitingBytes > limit) {
      return new LogUnavailable(`${this.#name()} is behind by ${limit} bytes`);
    }
    if (needed > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(2 * this.#buffer.length, limit)));
      this.#buffer.copy(larger, 0, 0, this.#bytes);
      this.#buffer = larger;
    }
    return null;
  }

  #put(key: string, value: Uint8Array): void {
    this.#buffer.writeUInt16LE(key.length, this.#bytes);
    let at = this.#bytes + 2;
    // A call of `write` costs more than the characters of a key do.
    for (let i = 0; i < key.length; i++) this.#buffer[at++] = key.charCodeAt(i);
    this.#buffer.writeUInt32LE(value.length, at);
    this.#buffer.set(value, at + 4);
    this.#bytes = at + 4 + value.length;
  }

  #take(count: number, done: JournalCallback): void {
    this.#waiting.dones.push(done);
    this.#waiting.firsts.push(this.#count);
    this.#count += count;
    if (!this.#scheduled) {
      this.#scheduled = true;
      this.#options.turn.add(this);
    }
  }

  /** Called at the end of the turn; also by whoever cannot wait for it. */
  writeNow(): void {
    this.#write();
  }

  #write(): void {
    this.#scheduled = false;
    const count = this.#count;
    if (count === 0) return;
    const bytes = this.#bytes;
    const baseSequence = this.#nextOffset - this.#firstOffset;
    const { dones, firsts } = this.#waiting;
    let failure: LogUnavailable | null = this.#refusal ?? null;
    try {
      if (failure === null) this.#writeFrame(bytes, count, baseSequence);
    } catch (error) {
      failure = this.#writeFailed(error);
    }
    this.#bytes = frameHeaderBytes;
    this.#count = 0;
    if (failure === null && this.#options.fsync === 'always') {
      this.#waiting = { dones: [], firsts: [] };
      this.#sync.answerWhenSynced({ dones, firsts, baseSequence, bytes });
      return;
    }
    if (failure === null && this.#options.fsync === 'interval') this.#sync.dueSoon();
    // Callbacks may append: they must find the state of the next frame, not of this one.
    this.#waiting = this.#spare ?? { dones: [], firsts: [] };
    this.#spare = undefined;
    for (let i = 0; i < dones.length; i++) dones[i]?.(failure, failure === null ? baseSequence + (firsts[i] ?? 0) : -1);
    dones.length = 0;
    firsts.length = 0;
    this.#spare = { dones, firsts };
  }

  #writeFrame(bytes: number, count: number, baseSequence: number): void {
    const appendedAtMs = this.#options.clock.nowMs();
    this.#rollWhenDue(appendedAtMs);
    const frame = { count, baseOffset: this.#nextOffset, appendedAtMs, baseSequence };
    sealFrame(this.#buffer, bytes, frame, this.#options.producerId);
    writeWhole(this.#options.calls, this.#fd, this.#buffer, bytes, this.#activeBytes);
    const active = this.#active();
    active.firstAppendedAtMs ??= appendedAtMs;
    this.#activeBytes += bytes;
    this.#options.disk.bytes += bytes;
    this.#nextOffset += count;
    this.#bytesWritten += bytes;
    this.#frames += 1;
    this.#publish();
    if (this.#failing) {
      this.#failing = false;
      this.#options.logger.info({ partition: this.#name() }, 'appends to the log succeed again');
    }
  }

  /** Cuts off what a failed write left, so that the next frame follows the last good one. */
  #writeFailed(error: unknown): LogUnavailable {
    this.#writeErrors += 1;
    if (!this.#failing) {
      this.#failing = true;
      this.#options.logger.error({ err: error, partition: this.#name() }, 'an append to the log failed');
    }
    const failure = new LogUnavailable(`${this.#name()} could not be written`, { cause: error });
    try {
      this.#options.calls.truncate(this.#fd, this.#activeBytes);
    } catch (cause) {
      this.#refuse('a failed append could not be cut off: the log must be opened again', cause);
    }
    return failure;
  }

  #refuse(reason: string, cause: unknown): LogUnavailable {
    this.#options.logger.error({ err: cause, partition: this.#name() }, reason);
    this.#refusal ??= new LogUnavailable(`${this.#name()}: ${reason}`, { cause });
    return this.#refusal;
  }

  #rollWhenDue(nowMs: number): void {
    const { firstAppendedAtMs } = this.#active();
    if (firstAppendedAtMs === undefined) return;
    const { segmentBytes, segmentMaxAgeMs } = this.#options;
    if (this.#activeBytes >= segmentBytes || nowMs - firstAppendedAtMs >= segmentMaxAgeMs) this.#roll();
  }

  #roll(): void {
    const { calls, place, disk } = this.#options;
    const baseOffset = this.#nextOffset;
    const file = segmentFile(place.folder, baseOffset);
    const fd = openSync(file, 'w');
    try {
      const header = encodeSegmentHeader({ ...place, baseOffset, previousBaseOffset: this.#active().baseOffset });
      writeWhole(calls, fd, header, header.length, 0);
    } catch (error) {
      closeSync(fd);
      unlinkSync(file);
      throw error;
    }
    this.#active().bytes = this.#activeBytes;
    this.#fd = fd;
    this.#activeBytes = segmentHeaderBytes;
    disk.bytes += segmentHeaderBytes;
    this.#segments.push({ baseOffset, firstAppendedAtMs: undefined, bytes: 0 });
    this.#sync.moveTo(fd);
  }

  /** Removes sealed segments from the oldest on, while `isDue` says so of one and the one that follows. */
  #drop(
    isDue: (segment: Segment, next: Segment) => boolean,
    remove: (file: string) => void,
    tell: (file: string) => void,
  ): number {
    const { place, disk, logger } = this.#options;
    let dropped = 0;
    for (;;) {
      const [segment, next] = this.#segments.slice(dropped, dropped + 2);
      if (segment === undefined || next === undefined || !isDue(segment, next)) break;
      dropped += 1;
    }
    const gone = this.#segments.splice(0, dropped);
    // Readers learn it before the files go.
    if (dropped > 0) this.#publish();
    while (gone[0] !== undefined) {
      const file = segmentFile(place.folder, gone[0].baseOffset);
      try {
        remove(file);
      } catch (error) {
        // What follows must stay as well: without it there would be a gap.
        logger.warn({ err: error, file }, 'a segment could not be taken out of the log');
        this.#segments.unshift(...gone);
        this.#publish();
        break;
      }
      disk.bytes -= gone[0].bytes;
      gone.shift();
      tell(file);
    }
    return this.startOffset;
  }

  #diskBytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0) + this.#activeBytes;
  }

  #publish(): void {
    this.#options.slot.publish({
      startOffset: this.startOffset,
      endOffset: this.#nextOffset,
      activeBaseOffset: this.#active().baseOffset,
      activeBytes: this.#activeBytes,
    });
  }

  #active(): Segment {
    const active = this.#segments.at(-1);
    if (active === undefined) throw new Error('a partition has no segment');
    return active;
  }

  #name(): string {
    return `partition ${this.#options.place.partition} of ${this.#options.place.topic}`;
  }
}

function checkKey(key: string): RangeError | null {
  for (let i = 0; i < key.length; i++) {
    if (key.charCodeAt(i) > 0x7f) return new RangeError('a key has a character that is not ASCII');
  }
  return key.length > maxKeyBytes ? new RangeError(`a key is longer than ${maxKeyBytes} characters`) : null;
}
