/**
 * The bytes of a segment file: a segment header, then frames. A frame is a header and a body of records, and holds one
 * producer's dense run of sequences (the part of Kafka's RecordBatch). All numbers are little endian.
 *
 *     segment header (52): magic 4 · CRC-32 of the rest 4 · version 4 · topic 4 · partition 4 ·
 *                          base offset 8 · base offset of the segment before 8 (its own if first) · log id 16
 *     frame header (60):   magic 4 · CRC-32 of the rest 4 · body bytes 4 · CRC-32 of the body 4 · count 4 ·
 *                          base offset 8 · appended at (ms) 8 · base sequence 8 · producer id 16
 *     record:              key bytes 2 · key (ASCII) · value bytes 4 · value
 *
 * The frame header has a CRC of its own: a flipped length is then damage, and cannot pass for a torn tail.
 */
import { crc32 } from 'node:zlib';
import type { Topic } from '../../ports/event-log.ts';

export const topics: readonly Topic[] = ['links', 'visits'];

export const segmentHeaderBytes = 52;
export const frameHeaderBytes = 60;
/** What a record takes besides its key and its value. */
export const recordOverheadBytes = 6;
export const maxKeyBytes = 0xffff;

const segmentMagic = 0x31534854; // "THS1"
const frameMagic = 0x31464854; // "THF1"
const formatVersion = 1;

export interface SegmentHeader {
  readonly topic: Topic;
  readonly partition: number;
  readonly baseOffset: number;
  readonly previousBaseOffset: number;
  readonly logId: string;
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(segmentHeaderBytes);
  bytes.writeUInt32LE(segmentMagic, 0);
  bytes.writeUInt32LE(formatVersion, 8);
  bytes.writeUInt32LE(topics.indexOf(header.topic), 12);
  bytes.writeUInt32LE(header.partition, 16);
  writeSafeInteger(bytes, header.baseOffset, 20);
  writeSafeInteger(bytes, header.previousBaseOffset, 28);
  uuidBytes(header.logId).copy(bytes, 36);
  bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4);
  return bytes;
}

/** The header at the start of `bytes`, or a word on what is wrong with it. */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | string {
  if (bytes.length < segmentHeaderBytes) return 'the segment header is cut short';
  if (bytes.readUInt32LE(0) !== segmentMagic) return 'this is not a segment file';
  if (bytes.readUInt32LE(4) !== crc32(bytes.subarray(8, segmentHeaderBytes))) {
    return 'the checksum of the segment header does not match';
  }
  const version = bytes.readUInt32LE(8);
  if (version !== formatVersion) return `the segment has version ${version}, this program reads ${formatVersion}`;
  const topic = topics[bytes.readUInt32LE(12)];
  if (topic === undefined) return 'the segment is of an unknown topic';
  return {
    topic,
    partition: bytes.readUInt32LE(16),
    baseOffset: readSafeInteger(bytes, 20),
    previousBaseOffset: readSafeInteger(bytes, 28),
    logId: uuidText(bytes, 36),
  };
}

/** What a frame's header says. Mutable, so that one object serves all frames of a reader. */
export interface FrameHeader {
  bodyBytes: number;
  bodyCrc: number;
  count: number;
  baseOffset: number;
  appendedAtMs: number;
  baseSequence: number;
}

/** Completes a frame in place: `buffer` holds room for the header and then the body, `frameBytes` together. */
export function sealFrame(
  buffer: Buffer,
  frameBytes: number,
  frame: Pick<FrameHeader, 'count' | 'baseOffset' | 'appendedAtMs' | 'baseSequence'>,
  producerId: Buffer,
): void {
  buffer.writeUInt32LE(frameMagic, 0);
  buffer.writeUInt32LE(frameBytes - frameHeaderBytes, 8);
  buffer.writeUInt32LE(crc32(buffer.subarray(frameHeaderBytes, frameBytes)), 12);
  buffer.writeUInt32LE(frame.count, 16);
  writeSafeInteger(buffer, frame.baseOffset, 20);
  writeSafeInteger(buffer, frame.appendedAtMs, 28);
  writeSafeInteger(buffer, frame.baseSequence, 36);
  producerId.copy(buffer, 44);
  buffer.writeUInt32LE(crc32(buffer.subarray(8, frameHeaderBytes)), 4);
}

/** Reads the frame header at `at` into `header`; false when it is not one. The caller has checked that it is whole. */
export function decodeFrameHeader(bytes: Buffer, at: number, header: FrameHeader): boolean {
  if (bytes.readUInt32LE(at) !== frameMagic) return false;
  if (bytes.readUInt32LE(at + 4) !== crc32(bytes.subarray(at + 8, at + frameHeaderBytes))) return false;
  header.bodyBytes = bytes.readUInt32LE(at + 8);
  header.bodyCrc = bytes.readUInt32LE(at + 12);
  header.count = bytes.readUInt32LE(at + 16);
  header.baseOffset = readSafeInteger(bytes, at + 20);
  header.appendedAtMs = readSafeInteger(bytes, at + 28);
  header.baseSequence = readSafeInteger(bytes, at + 36);
  return true;
}

export function producerIdAt(bytes: Buffer, frameStart: number): string {
  return uuidText(bytes, frameStart + 44);
}

/** The 16 bytes of a UUID (RFC 9562). Throws a TypeError for anything else. */
export function uuidBytes(uuid: string): Buffer {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid)) throw new TypeError(`not a lower-case UUID: ${uuid}`);
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}

function uuidText(bytes: Buffer, at: number): string {
  const hex = bytes.toString('hex', at, at + 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function writeSafeInteger(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32LE(value >>> 0, at);
  bytes.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}

function readSafeInteger(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
}
