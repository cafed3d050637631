/** Names and places of the files of a log, and the few calls that write to them (replaceable, to test failing disks). */
import { close, fdatasync, fsync, ftruncateSync, open, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Topic } from '../../ports/event-log.ts';

/** The calls by which a log changes its segment files; the defaults are those of `node:fs`. */
export interface SegmentFileCalls {
  /** May write less than asked for; throws a Node system error. */
  readonly write: (fd: number, bytes: Buffer, offset: number, length: number, position: number) => number;
  readonly truncate: (fd: number, bytes: number) => void;
  readonly sync: (fd: number, done: (error: Error | null) => void) => void;
  /** Makes new names in a folder durable. */
  readonly syncFolder: (folder: string, done: (error: Error | null) => void) => void;
}

export const nodeFileCalls: SegmentFileCalls = {
  write: writeSync,
  truncate: ftruncateSync,
  sync: fdatasync,
  syncFolder(folder, done) {
    // Windows cannot sync a folder and does not need it.
    if (process.platform === 'win32') return done(null);
    open(folder, 'r', (openError, fd) => {
      if (openError) return done(openError);
      fsync(fd, (error) => close(fd, () => done(error)));
    });
  },
};

export function partitionFolder(folder: string, topic: Topic, partition: number): string {
  return join(folder, topic, String(partition));
}

/** `<20-digit base offset>.log`, so that names sort like offsets. */
export function segmentFile(partitionFolder: string, baseOffset: number): string {
  return join(partitionFolder, `${String(baseOffset).padStart(20, '0')}.log`);
}

/** The base offsets of the segments in a folder, ascending, and the names that are none of ours. */
export function listSegments(partitionFolder: string): { baseOffsets: number[]; foreign: string[] } {
  const baseOffsets: number[] = [];
  const foreign: string[] = [];
  for (const name of readdirSync(partitionFolder).sort()) {
    const baseOffset = /^\d{20}\.log$/.test(name) ? Number(name.slice(0, 20)) : Number.NaN;
    if (Number.isSafeInteger(baseOffset)) baseOffsets.push(baseOffset);
    else foreign.push(name);
  }
  return { baseOffsets, foreign };
}

/** Writes all of `length` bytes, however short the single writes are. Throws what the write throws. */
export function writeWhole(calls: SegmentFileCalls, fd: number, bytes: Buffer, length: number, position: number): void {
  for (let written = 0; written < length; ) {
    const more = calls.write(fd, bytes, written, length - written, position + written);
    if (more <= 0) throw new Error('the disk took no more bytes');
    written += more;
  }
}
