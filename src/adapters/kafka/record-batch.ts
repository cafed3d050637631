/**
 * Record batches of format 2, as they stand in Kafka's log: written for one produce request, and read from a fetch. Batches are
 * opened one by one, so that a reader can stop anywhere; what is compressed by others is opened within bounds or refused.
 * Source: Kafka's documentation, "Record Batch" and "Record".
 */
import { gunzipSync } from 'node:zlib';
import { crc32c } from '../checksum/crc.ts';

export interface RecordToSend {
  /** As latin1. */
  readonly key: string;
  readonly value: Buffer | null;
  /** Names and values in turn, printable ASCII. */
  readonly headers: readonly string[];
}

/** A part of a buffer, its end not included. */
export interface ByteRange {
  start: number;
  end: number;
}

export function aRange(): ByteRange {
  return { start: 0, end: 0 };
}

/**
 * A record as it was read: where its parts stand in the bytes of its batch, all of them within. Nothing is copied or made text of before it
 * is asked for, because most of it never is.
 */
export class BatchRecord {
  readonly offset: number;
  readonly bytes: Buffer;
  /** -1 = null. */
  readonly keyStart: number;
  readonly keyEnd: number;
  /** -1 = null. */
  private readonly valueStart: number;
  private readonly valueEnd: number;
  private readonly headersStart: number;
  readonly headerCount: number;

  constructor(
    offset: number,
    bytes: Buffer,
    key: ByteRange,
    value: ByteRange,
    headersStart: number,
    headerCount: number,
  ) {
    this.offset = offset;
    this.bytes = bytes;
    this.keyStart = key.start;
    this.keyEnd = key.end;
    this.valueStart = value.start;
    this.valueEnd = value.end;
    this.headersStart = headersStart;
    this.headerCount = headerCount;
  }

  /** A view of the batch's bytes. */
  get key(): Buffer | null {
    return this.keyStart < 0 ? null : this.bytes.subarray(this.keyStart, this.keyEnd);
  }

  /** A view of the batch's bytes. */
  get value(): Buffer | null {
    return this.valueStart < 0 ? null : this.bytes.subarray(this.valueStart, this.valueEnd);
  }

  /** The value of the first header of this name, as latin1; a value that is null reads as empty. */
  header(name: string): string | undefined {
    const found = aRange();
    return this.findHeader(name, found) ? this.bytes.toString('latin1', found.start, found.end) : undefined;
  }

  /** Puts where the value of the first header of this name stands into `found`; false when there is none. */
  findHeader(name: string, found: ByteRange): boolean {
    const cursor: Cursor = { bytes: this.bytes, offset: this.headersStart };
    for (let left = this.headerCount; left > 0; left--) {
      readRange(cursor, found);
      const isIt = isText(this.bytes, found, name);
      readRange(cursor, found);
      if (isIt) return true;
    }
    return false;
  }

  /** The same for several headers, each into its range. In one go where they are the first ones, in this order. */
  findHeaders(names: readonly string[], found: readonly ByteRange[]): boolean {
    if (names.length > this.headerCount) return false;
    const cursor: Cursor = { bytes: this.bytes, offset: this.headersStart };
    for (let index = 0; index < names.length; index++) {
      const range = found[index] as ByteRange;
      readRange(cursor, range);
      if (!isText(this.bytes, range, names[index] as string)) {
        return names.every((name, place) => this.findHeader(name, found[place] as ByteRange));
      }
      readRange(cursor, range);
    }
    return true;
  }
}

/** Whether these bytes are this text, which is latin1. */
export function isText(bytes: Buffer, { start, end }: ByteRange, text: string): boolean {
  if (end - start !== text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** A batch that was found in a fetched record set, not opened yet. */
export interface RecordBatch {
  readonly baseOffset: number;
  /** Of the last record that the batch was written with; compaction may have taken it away since. */
  readonly lastOffset: number;
  readonly bytes: Buffer;
}

/** A batch as a whole is not what a producer of ours writes, or its bytes lie about their lengths. */
export class UnreadableBatch extends Error {
  override readonly name = 'UnreadableBatch';
}

const headerBytes = 61;
const at = {
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  count: 57,
};
const compressionMask = 7;
const controlBit = 0x20;
const gzip = 1;
const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
/** A bomb is refused; ours are smaller by far, even when the brokers compress them. */
const inflatedBytesMax = 16 * 1024 * 1024;
const headersMax = 64;

/** One batch, base offset 0, of at least one record, stamped with `nowMs` (brokers with LogAppendTime put theirs instead). */
export function encodeRecordBatch(records: readonly RecordToSend[], nowMs: number): Buffer {
  const bodies = records.map(bodyBytes);
  let size = headerBytes;
  bodies.forEach((body, delta) => {
    const bytes = body + varintBytes(delta);
    size += varintBytes(bytes) + bytes;
  });
  const batch = Buffer.allocUnsafe(size);
  batch.writeBigInt64BE(0n, 0);
  batch.writeInt32BE(size - at.leaderEpoch, at.length);
  batch.writeInt32BE(-1, at.leaderEpoch);
  batch.writeInt8(2, at.magic);
  batch.writeInt16BE(0, at.attributes);
  batch.writeInt32BE(records.length - 1, at.lastOffsetDelta);
  batch.writeBigInt64BE(BigInt(nowMs), at.baseTimestamp);
  batch.writeBigInt64BE(BigInt(nowMs), at.maxTimestamp);
  batch.writeBigInt64BE(-1n, at.producerId);
  batch.writeInt16BE(-1, at.producerEpoch);
  batch.writeInt32BE(-1, at.baseSequence);
  batch.writeInt32BE(records.length, at.count);
  let offset = headerBytes;
  records.forEach((record, delta) => {
    offset = writeVarint(batch, offset, (bodies[delta] ?? 0) + varintBytes(delta));
    batch[offset++] = 0;
    batch[offset++] = 0;
    offset = writeVarint(batch, offset, delta);
    offset = writeText(batch, offset, record.key);
    offset = writeBytes(batch, offset, record.value);
    offset = writeVarint(batch, offset, record.headers.length / 2);
    for (const text of record.headers) offset = writeText(batch, offset, text);
  });
  batch.writeInt32BE(crc32c(batch, at.attributes, batch.length), at.crc);
  return batch;
}

/** About what a record takes in a batch, for bounds. */
export function recordBytes(record: RecordToSend): number {
  return bodyBytes(record) + 10;
}

/** Whole batches of a fetched record set. The last one may be cut off by the fetch's bound: it is left for the next. */
export function splitBatches(bytes: Buffer): RecordBatch[] {
  const batches: RecordBatch[] = [];
  for (let start = 0; start + headerBytes <= bytes.length; ) {
    const end = start + at.leaderEpoch + bytes.readInt32BE(start + at.length);
    if (end > bytes.length || end < start + headerBytes) break;
    const baseOffset = Number(bytes.readBigInt64BE(start));
    const magic = bytes.readInt8(start + at.magic);
    if (magic !== 2) throw new UnreadableBatch(`a batch of format ${magic} at offset ${baseOffset}`);
    const lastOffset = baseOffset + bytes.readInt32BE(start + at.lastOffsetDelta);
    batches.push({ baseOffset, lastOffset, bytes: bytes.subarray(start, end) });
    start = end;
  }
  return batches;
}

/** When the broker appended the batch, wall-clock ms: with LogAppendTime, its latest time is that of all its records. */
export function appendedAtMsOf({ bytes }: RecordBatch): number {
  return Number(bytes.readBigInt64BE(at.maxTimestamp));
}

/** Whether the batch has the bytes that its writer, or the broker, made a checksum of. Costs as much as reading it. */
export function isWhole({ bytes }: RecordBatch): boolean {
  return bytes.readInt32BE(at.crc) === crc32c(bytes, at.attributes, bytes.length);
}

/** The records of a batch, oldest first. Throws {@link UnreadableBatch}. */
export function openBatch({ baseOffset, lastOffset, bytes }: RecordBatch): BatchRecord[] {
  const attributes = bytes.readInt16BE(at.attributes);
  if ((attributes & controlBit) !== 0) throw new UnreadableBatch('the end of a transaction');
  const body = inflate(bytes.subarray(headerBytes), attributes & compressionMask);
  const count = bytes.readInt32BE(at.count);
  if (count < 0 || count > lastOffset - baseOffset + 1) throw new UnreadableBatch(`a batch of ${count} records`);
  const cursor = { bytes: body, offset: 0 };
  const key = aRange();
  const value = aRange();
  const text = aRange();
  const records: BatchRecord[] = [];
  for (let i = 0; i < count; i++) {
    const length = readVarint(cursor);
    const end = cursor.offset + length;
    if (length < 0 || end > body.length) throw new UnreadableBatch('a record longer than its batch');
    cursor.offset += 1;
    skipVarint(cursor);
    const offset = baseOffset + readVarint(cursor);
    readRange(cursor, key);
    readRange(cursor, value);
    const headerCount = readVarint(cursor);
    const headersStart = cursor.offset;
    // Too many are not ours, and not to be gone through again and again: its offset and what stood in it stay.
    const isBounded = headerCount >= 0 && headerCount <= headersMax;
    for (let left = isBounded ? 2 * headerCount : 0; left > 0; left--) readRange(cursor, text);
    records.push(new BatchRecord(offset, body, key, value, headersStart, isBounded ? headerCount : 0));
    if (cursor.offset > end) throw new UnreadableBatch('a record longer than it says');
    cursor.offset = end;
  }
  return records;
}

function inflate(body: Buffer, codec: number): Buffer {
  if (codec === 0) return body;
  if (codec !== gzip) throw new UnreadableBatch(`compressed with ${codecs[codec] ?? `codec ${codec}`}`);
  try {
    return gunzipSync(body, { maxOutputLength: inflatedBytesMax });
  } catch (error) {
    throw new UnreadableBatch(`compressed to more than ${inflatedBytesMax} bytes, or not gzip`, { cause: error });
  }
}

/** Attributes, timestamp delta, key, value and headers; the offset delta differs by place. */
function bodyBytes({ key, value, headers }: RecordToSend): number {
  let bytes = 2 + varintBytes(key.length) + key.length + varintBytes(headers.length / 2);
  bytes += value === null ? 1 : varintBytes(value.length) + value.length;
  for (const text of headers) bytes += varintBytes(text.length) + text.length;
  return bytes;
}

/** Zigzag, 7 bits a byte, as all lengths of a record are. */
function varintBytes(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  if (zigzag < 0x80) return 1;
  if (zigzag < 0x4000) return 2;
  if (zigzag < 0x200000) return 3;
  return zigzag < 0x10000000 ? 4 : 5;
}

function writeVarint(target: Buffer, start: number, value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  let offset = start;
  while (rest >= 0x80) {
    target[offset++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[offset++] = rest;
  return offset;
}

/** Keys and headers are short: a call of `write` costs more than the loop. */
function writeText(target: Buffer, start: number, text: string): number {
  let offset = writeVarint(target, start, text.length);
  for (let i = 0; i < text.length; i++) target[offset++] = text.charCodeAt(i);
  return offset;
}

function writeBytes(target: Buffer, start: number, bytes: Buffer | null): number {
  if (bytes === null) return writeVarint(target, start, -1);
  const offset = writeVarint(target, start, bytes.length);
  bytes.copy(target, offset);
  return offset + bytes.length;
}

interface Cursor {
  readonly bytes: Buffer;
  offset: number;
}

function readVarint(cursor: Cursor): number {
  let value = 0;
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = cursor.bytes[cursor.offset++];
    if (byte === undefined) throw new UnreadableBatch('a length beyond the batch');
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
  }
  throw new UnreadableBatch('a length that never ends');
}

/** Up to ten bytes: a timestamp's distance, which nobody here reads. */
function skipVarint(cursor: Cursor): void {
  for (let i = 0; i < 10; i++) {
    const byte = cursor.bytes[cursor.offset++];
    if (byte === undefined) throw new UnreadableBatch('a length beyond the batch');
    if (byte < 0x80) return;
  }
  throw new UnreadableBatch('a length that never ends');
}

/** Reads a length and passes over as many bytes. None at all, which is not the same as no bytes, starts at -1. */
function readRange(cursor: Cursor, range: ByteRange): void {
  const length = readVarint(cursor);
  if (length < 0) {
    range.start = -1;
    range.end = -1;
    return;
  }
  range.start = cursor.offset;
  range.end = cursor.offset + length;
  if (range.end > cursor.bytes.length) throw new UnreadableBatch('a field longer than its batch');
  cursor.offset = range.end;
}
