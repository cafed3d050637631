/**
 * Reads one partition from its segment files, in the writer's thread or in any other of the process. It checks every
 * frame that it hands out, and reads only what the writer has published. It does not write and takes no lock.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { LogDamaged, type LogRecord, OffsetOutOfRange, type Topic } from '../../ports/event-log.ts';
import type { JournalReader } from '../../ports/journal-reader.ts';
import { SegmentCursor } from './segment-cursor.ts';
import { listSegments, partitionFolder, segmentFile } from './segment-files.ts';
import { frameHeaderBytes, producerIdAt } from './segment-format.ts';
import { type PositionSlot, positionSlot, type ReadablePosition } from './shared-positions.ts';

export interface SegmentReaderOptions {
  /** The log's folder, as given to `openSegmentLog`. */
  readonly folder: string;
  readonly topic: Topic;
  readonly partition: number;
  /** `shared` of the open log: may be sent to a worker thread. */
  readonly shared: SharedArrayBuffer;
  /**
   * Each wait begins with a rest of up to this long during which nothing wakes the reader. To wake a thread costs the
   * writer more than to write a frame: with a rest, frames that come every moment wake nobody, and are read in one go.
   * Default 0.
   */
  readonly restMs?: number;
}

const smallestReadBytes = 64 * 1024;
const largestReadBytes = 1024 * 1024;

/** Opens a reader; the log itself must be open in this process, and stay so while records are awaited. */
export function openSegmentReader(options: SegmentReaderOptions): SegmentReader {
  return new SegmentReader(
    partitionFolder(options.folder, options.topic, options.partition),
    positionSlot(options.shared, options.topic, options.partition),
    options.restMs ?? 0,
  );
}

/**
 * Reads from the files are synchronous: what is read was mostly written a moment ago, and a read of up to 1 MiB from
 * the page cache costs less than a trip through the thread pool that the disk's syncs occupy.
 */
export class SegmentReader implements JournalReader {
  readonly #folder: string;
  readonly #slot: PositionSlot;
  readonly #restMs: number;
  readonly #readable: ReadablePosition = { startOffset: 0, endOffset: 0, activeBaseOffset: 0, activeBytes: 0 };
  #cursor: SegmentCursor | undefined;
  #chunk: Buffer = Buffer.allocUnsafeSlow(smallestReadBytes);
  #producerKey = '';
  #producerId = '';
  #watching = false;
  #closed = false;
  #readAppendedAtMs: number | null = null;
  readonly #waiting = new Set<() => void>();

  constructor(folder: string, slot: PositionSlot, restMs: number) {
    this.#folder = folder;
    this.#slot = slot;
    this.#restMs = restMs;
  }

  async read(nextOffset: number, maxBytes: number): Promise<readonly LogRecord[]> {
    if (this.#closed) throw new Error('the reader is closed');
    const { startOffset, endOffset } = this.#slot.read(this.#readable);
    if (!Number.isSafeInteger(nextOffset) || nextOffset < startOffset || nextOffset > endOffset) {
      throw new OffsetOutOfRange(nextOffset, startOffset, endOffset);
    }
    if (nextOffset === endOffset) return [];
    try {
      return this.#readFrames(nextOffset, maxBytes);
    } catch (error) {
      this.#closeCursor();
      if (error instanceof LogDamaged) throw error;
      return this.#explain(error, nextOffset);
    }
  }

  async waitFor(nextOffset: number, timeoutMs: number): Promise<void> {
    if (this.#closed || this.endOffset() > nextOffset) return;
    const restMs = Math.min(this.#restMs, timeoutMs);
    if (restMs > 0) await delay(restMs);
    await this.#waitUntilWoken(nextOffset, timeoutMs - restMs);
  }

  #waitUntilWoken(nextOffset: number, timeoutMs: number): Promise<void> {
    if (this.#closed || this.endOffset() > nextOffset) return Promise.resolve();
    return new Promise((resolve) => {
      // The timer also keeps the thread alive, which a wait on shared memory does not.
      const timer = setTimeout(finish, timeoutMs);
      const look = (): void => {
        if (this.#closed || this.endOffset() > nextOffset) finish();
      };
      const waiting = this.#waiting;
      function finish(): void {
        clearTimeout(timer);
        waiting.delete(look);
        resolve();
      }
      waiting.add(look);
      this.#watch();
    });
  }

  endOffset(): number {
    return this.#slot.read(this.#readable).endOffset;
  }

  startOffset(): number {
    return this.#slot.read(this.#readable).startOffset;
  }

  readAppendedAtMs(): number | null {
    return this.#readAppendedAtMs;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#closeCursor();
    this.#lookAgain();
    // Ends the wait on shared memory, which would otherwise hold this reader for ever.
    this.#slot.wake();
  }

  #readFrames(nextOffset: number, maxBytes: number): LogRecord[] {
    let cursor = this.#seek(nextOffset);
    const readBytes = Math.min(Math.max(maxBytes, smallestReadBytes), largestReadBytes);
    if (cursor.chunk.length < readBytes) cursor.growChunk(readBytes);
    let state = cursor.look(this.#limit(cursor), readBytes);
    if (state === 'end' && cursor.baseOffset < this.#readable.activeBaseOffset) {
      cursor = this.#open(cursor.nextOffset);
      state = cursor.look(this.#limit(cursor), readBytes);
    }
    const records: LogRecord[] = [];
    if (state === 'whole') this.#readAppendedAtMs = cursor.frame.appendedAtMs;
    for (let bytes = 0; state === 'whole'; ) {
      this.#decode(cursor, nextOffset, records);
      bytes += frameHeaderBytes + cursor.frame.bodyBytes;
      cursor.step();
      if (bytes >= maxBytes) return records;
      // The records point into the chunk, so the same call must not read into it again.
      state = cursor.look(this.#limit(cursor), 0);
    }
    if (records.length === 0) {
      throw cursor.damage(
        state === 'end' || state === 'cut-short'
          ? `the segment ends before offset ${cursor.nextOffset}, which was written`
          : 'a frame header does not check',
      );
    }
    return records;
  }

  /** The cursor on the frame that holds `nextOffset`. */
  #seek(nextOffset: number): SegmentCursor {
    if (this.#cursor?.nextOffset === nextOffset) return this.#cursor;
    const { baseOffsets } = listSegments(this.#folder);
    const baseOffset = baseOffsets.findLast((base) => base <= nextOffset);
    const cursor = this.#open(baseOffset ?? this.#readable.startOffset);
    for (;;) {
      const state = cursor.look(this.#limit(cursor), largestReadBytes, true);
      if (state !== 'whole' || cursor.nextOffset + cursor.frame.count > nextOffset) return cursor;
      cursor.step();
    }
  }

  #open(baseOffset: number): SegmentCursor {
    this.#closeCursor();
    this.#cursor = new SegmentCursor(segmentFile(this.#folder, baseOffset), baseOffset, this.#chunk);
    return this.#cursor;
  }

  #closeCursor(): void {
    if (this.#cursor === undefined) return;
    this.#chunk = this.#cursor.chunk;
    this.#cursor.close();
    this.#cursor = undefined;
  }

  /** How far the cursor's file may be read: all of it once the writer has left it. */
  #limit(cursor: SegmentCursor): number {
    const { activeBaseOffset, activeBytes } = this.#readable;
    return cursor.baseOffset === activeBaseOffset ? activeBytes : cursor.sealedBytes();
  }

  #decode(cursor: SegmentCursor, fromOffset: number, records: LogRecord[]): void {
    const { chunk, frame } = cursor;
    const producerId = this.#producer(chunk, cursor.frameStart);
    const bodyStart = cursor.frameStart + frameHeaderBytes;
    const bodyEnd = bodyStart + frame.bodyBytes;
    const skipped = fromOffset - frame.baseOffset;
    let at = bodyStart;
    for (let index = 0; index < frame.count; index++) {
      const keyEnd = at + 2 + chunk.readUInt16LE(at);
      const valueStart = keyEnd + 4;
      const valueEnd = valueStart + chunk.readUInt32LE(keyEnd);
      if (index >= skipped) {
        records.push({
          offset: frame.baseOffset + index,
          key: chunk.toString('latin1', at + 2, keyEnd),
          value: chunk.subarray(valueStart, valueEnd),
          producerId,
          sequence: frame.baseSequence + index,
        });
      }
      at = valueEnd;
    }
    if (at !== bodyEnd) throw cursor.damage('the records of a frame do not fill it');
  }

  /** The producer's id as text, made once for a run of frames of the same producer. */
  #producer(chunk: Buffer, frameStart: number): string {
    const key = chunk.toString('latin1', frameStart + 44, frameStart + 60);
    if (key !== this.#producerKey) {
      this.#producerKey = key;
      this.#producerId = producerIdAt(chunk, frameStart);
    }
    return this.#producerId;
  }

  /** A file that is gone was dropped by retention meanwhile, or it is missing. */
  #explain(error: unknown, nextOffset: number): never {
    if (!isSystemError(error) || error.code !== 'ENOENT') throw error;
    const { startOffset, endOffset } = this.#slot.read(this.#readable);
    if (nextOffset < startOffset) throw new OffsetOutOfRange(nextOffset, startOffset, endOffset);
    throw new LogDamaged(error.path ?? this.#folder, 0, 'the segment file is missing');
  }

  #watch(): void {
    if (this.#watching || this.#waiting.size === 0) return;
    const version = this.#slot.version();
    this.#lookAgain();
    if (this.#waiting.size === 0) return;
    const changed = this.#slot.changedSince(version) ?? Promise.resolve();
    this.#watching = true;
    void changed.then(() => {
      this.#watching = false;
      this.#lookAgain();
      this.#watch();
    });
  }

  #lookAgain(): void {
    for (const look of [...this.#waiting]) look();
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return typeof error === 'object' && error !== null && 'code' in error;
}
