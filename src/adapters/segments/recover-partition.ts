/**
 * Checks a partition's folder when the log is opened: every segment's header and first frame, and all of the active
 * segment. An unfinished tail is cut off; whatever else does not check is damage and stays as it is.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { LogDamaged, type Topic } from '../../ports/event-log.ts';
import type { Logger } from '../../ports/logger.ts';
import { SegmentCursor } from './segment-cursor.ts';
import { listSegments, type SegmentFileCalls, segmentFile, writeWhole } from './segment-files.ts';
import {
  decodeFrameHeader,
  decodeSegmentHeader,
  encodeSegmentHeader,
  type FrameHeader,
  frameHeaderBytes,
  segmentHeaderBytes,
} from './segment-format.ts';

/** A segment as the writer knows it. */
export interface Segment {
  readonly baseOffset: number;
  /** When its first frame was appended; undefined while it has none. */
  firstAppendedAtMs: number | undefined;
  /** Size of its file once it has been left; 0 while it is active. */
  bytes: number;
}

export interface RecoveredPartition {
  /** In order; the last one is active. */
  readonly segments: Segment[];
  readonly nextOffset: number;
  readonly activeBytes: number;
  /** The active segment, open for writing. */
  readonly activeFd: number;
}

export interface PartitionPlace {
  readonly folder: string;
  readonly topic: Topic;
  readonly partition: number;
  readonly logId: string;
}

const chunkBytes = 1024 * 1024;

/** Throws {@link LogDamaged}; the files are then as they were. */
export function recoverPartition(place: PartitionPlace, calls: SegmentFileCalls, logger: Logger): RecoveredPartition {
  const { baseOffsets, foreign } = listSegments(place.folder);
  if (foreign.length > 0)
    logger.warn({ folder: place.folder, files: foreign }, 'files that are no segments are ignored');
  const active = baseOffsets.at(-1);
  if (active === undefined) throw new LogDamaged(place.folder, 0, 'there is no segment file');

  const segments: Segment[] = [];
  for (const baseOffset of baseOffsets) {
    const previous = segments.at(-1);
    segments.push(checkStart(place, baseOffset, previous?.baseOffset, baseOffset === active));
  }

  const file = segmentFile(place.folder, active);
  const fd = openSync(file, 'r+');
  try {
    const size = fstatSync(fd).size;
    const cursor = new SegmentCursor(file, active, Buffer.allocUnsafeSlow(chunkBytes));
    try {
      let end = cutAt(cursor, size);
      if (end < size) {
        logger.warn({ file, position: end, bytes: size - end }, 'an unfinished tail of the log was cut off');
        calls.truncate(fd, end);
      }
      const last = segments.at(-1);
      if (last !== undefined && end <= segmentHeaderBytes) last.firstAppendedAtMs = undefined;
      if (end < segmentHeaderBytes) {
        const previousBaseOffset = segments.at(-2)?.baseOffset ?? active;
        const header = encodeSegmentHeader({ ...place, baseOffset: active, previousBaseOffset });
        writeWhole(calls, fd, header, header.length, 0);
        end = segmentHeaderBytes;
      }
      return { segments, nextOffset: cursor.nextOffset, activeBytes: end, activeFd: fd };
    } finally {
      cursor.close();
    }
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Checks the segment's header, and that a segment which is not the active one begins with a frame. */
function checkStart(place: PartitionPlace, baseOffset: number, previous: number | undefined, active: boolean): Segment {
  const file = segmentFile(place.folder, baseOffset);
  const { bytes, size } = readStart(file);
  // A crash between making the file and writing its header; what it held is then nothing.
  if (active && unwritten(bytes, size)) return { baseOffset, firstAppendedAtMs: undefined, bytes: 0 };

  const header = decodeSegmentHeader(bytes);
  if (typeof header === 'string') throw new LogDamaged(file, 0, header);
  if (header.logId !== place.logId) throw new LogDamaged(file, 0, `the segment belongs to log ${header.logId}`);
  if (header.topic !== place.topic || header.partition !== place.partition || header.baseOffset !== baseOffset) {
    const name = `${header.topic}/${header.partition} at offset ${header.baseOffset}`;
    throw new LogDamaged(file, 0, `the segment is that of ${name}`);
  }
  if (previous !== undefined && header.previousBaseOffset !== previous) {
    throw new LogDamaged(file, 0, `the segment before it, at offset ${header.previousBaseOffset}, is missing`);
  }
  const frame: FrameHeader = { bodyBytes: 0, bodyCrc: 0, count: 0, baseOffset: 0, appendedAtMs: 0, baseSequence: 0 };
  const whole = bytes.length === segmentHeaderBytes + frameHeaderBytes;
  if (whole && decodeFrameHeader(bytes, segmentHeaderBytes, frame)) {
    return { baseOffset, firstAppendedAtMs: frame.appendedAtMs, bytes: active ? 0 : size };
  }
  if (!active) throw new LogDamaged(file, segmentHeaderBytes, 'the segment does not begin with a whole frame');
  return { baseOffset, firstAppendedAtMs: undefined, bytes: 0 };
}

/** Where the checked frames of the active segment end. Throws {@link LogDamaged} unless what follows is a torn tail. */
function cutAt(cursor: SegmentCursor, size: number): number {
  if (size < segmentHeaderBytes) return 0;
  cursor.position = 0;
  if (cursor.onlyZerosUntil(size)) return 0;
  cursor.position = segmentHeaderBytes;
  for (;;) {
    switch (cursor.look(size, chunkBytes)) {
      case 'whole':
        cursor.step();
        break;
      case 'end':
      case 'cut-short':
        return cursor.position;
      case 'not-a-header':
        if (cursor.onlyZerosUntil(size)) return cursor.position;
        throw cursor.damage('a frame header does not check');
      case 'not-buffered':
        throw new Error('a frame could not be read');
    }
  }
}

function unwritten(start: Buffer, size: number): boolean {
  return size < segmentHeaderBytes || start.every((byte) => byte === 0);
}

function readStart(file: string): { bytes: Buffer; size: number } {
  const fd = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(segmentHeaderBytes + frameHeaderBytes);
    const read = readSync(fd, bytes, 0, bytes.length, 0);
    return { bytes: bytes.subarray(0, read), size: fstatSync(fd).size };
  } finally {
    closeSync(fd);
  }
}
