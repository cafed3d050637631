/**
 * Walks the frames of one segment file in order and checks each of them. Both the check at opening and the readers go
 * this way; what an unfinished tail means is left to them.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { LogDamaged } from '../../ports/event-log.ts';
import { decodeFrameHeader, type FrameHeader, frameHeaderBytes, segmentHeaderBytes } from './segment-format.ts';

/**
 * `whole`: `frame` is at `position`, checked. `end`: nothing is left. `cut-short`: fewer bytes are left than the frame
 * needs. `not-a-header`: a header would fit but is none. `not-buffered`: it would take another read from the file.
 */
export type FrameState = 'whole' | 'end' | 'cut-short' | 'not-a-header' | 'not-buffered';

export class SegmentCursor {
  readonly file: string;
  readonly baseOffset: number;
  /** Where the next frame starts, in bytes. */
  position = segmentHeaderBytes;
  /** The offset that the next frame must start with. */
  nextOffset: number;
  readonly frame: FrameHeader = {
    bodyBytes: 0,
    bodyCrc: 0,
    count: 0,
    baseOffset: 0,
    appendedAtMs: 0,
    baseSequence: 0,
  };
  /** A piece of the file; the frame starts at `frameStart`. Overwritten by the next read from the file. */
  chunk: Buffer;
  #chunkPosition = 0;
  #chunkBytes = 0;
  #sealedBytes = -1;
  readonly #fd: number;

  /** Opens the file for reading. `chunk` is the buffer to read into; it is replaced when a frame is larger. */
  constructor(file: string, baseOffset: number, chunk: Buffer) {
    this.file = file;
    this.baseOffset = baseOffset;
    this.nextOffset = baseOffset;
    this.chunk = chunk;
    this.#fd = openSync(file, 'r');
  }

  get frameStart(): number {
    return this.position - this.#chunkPosition;
  }

  /**
   * Looks at the frame at `position`, where the file may be read up to `limit`. `readBytes` bounds one read from the
   * file; 0 takes only what is buffered. With `headerOnly` the body is neither read nor checked.
   * Throws {@link LogDamaged} for a body or an offset that does not check.
   */
  look(limit: number, readBytes: number, headerOnly = false): FrameState {
    const left = limit - this.position;
    if (left === 0) return 'end';
    if (left < frameHeaderBytes) return 'cut-short';
    if (!this.#buffer(frameHeaderBytes, limit, readBytes)) return 'not-buffered';
    if (!decodeFrameHeader(this.chunk, this.frameStart, this.frame)) return 'not-a-header';
    if (this.frame.baseOffset !== this.nextOffset) {
      throw this.damage(`a frame starts with offset ${this.frame.baseOffset} where ${this.nextOffset} is due`);
    }
    const frameBytes = frameHeaderBytes + this.frame.bodyBytes;
    if (frameBytes > left) return 'cut-short';
    if (headerOnly) return 'whole';
    if (!this.#buffer(frameBytes, limit, readBytes)) return 'not-buffered';
    const start = this.frameStart;
    if (crc32(this.chunk.subarray(start + frameHeaderBytes, start + frameBytes)) !== this.frame.bodyCrc) {
      throw this.damage('the checksum of a frame does not match');
    }
    return 'whole';
  }

  /** Steps over the frame that was looked at. */
  step(): void {
    this.position += frameHeaderBytes + this.frame.bodyBytes;
    this.nextOffset += this.frame.count;
  }

  /** Whether all bytes from `position` to `limit` are zero, as a file system leaves blocks that were never written. */
  onlyZerosUntil(limit: number): boolean {
    for (let at = this.position; at < limit; ) {
      const bytes = readSync(this.#fd, this.chunk, 0, Math.min(this.chunk.length, limit - at), at);
      if (bytes === 0) break;
      if (this.chunk.subarray(0, bytes).some((byte) => byte !== 0)) return false;
      at += bytes;
    }
    this.#chunkBytes = 0;
    return true;
  }

  /** Size of the file, asked for once: only for a segment that the writer has left. */
  sealedBytes(): number {
    if (this.#sealedBytes < 0) this.#sealedBytes = fstatSync(this.#fd).size;
    return this.#sealedBytes;
  }

  /** Replaces the chunk by a larger, empty one. */
  growChunk(bytes: number): void {
    this.chunk = Buffer.allocUnsafeSlow(bytes);
    this.#chunkBytes = 0;
  }

  damage(what: string): LogDamaged {
    return new LogDamaged(this.file, this.position, what);
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** Makes the `bytes` from `position` on lie in the chunk; false when that takes a read and none is allowed. */
  #buffer(bytes: number, limit: number, readBytes: number): boolean {
    if (this.position >= this.#chunkPosition && this.position + bytes <= this.#chunkPosition + this.#chunkBytes) {
      return true;
    }
    if (readBytes === 0) return false;
    if (this.chunk.length < bytes) this.growChunk(bytes);
    const wanted = Math.min(this.chunk.length, Math.max(bytes, readBytes), limit - this.position);
    this.#chunkPosition = this.position;
    this.#chunkBytes = 0;
    while (this.#chunkBytes < wanted) {
      const more = readSync(
        this.#fd,
        this.chunk,
        this.#chunkBytes,
        wanted - this.#chunkBytes,
        this.position + this.#chunkBytes,
      );
      if (more === 0) throw this.damage('the file is shorter than what was written to it');
      this.#chunkBytes += more;
    }
    return true;
  }
}
