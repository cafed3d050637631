/** What stands as text in keys and headers, read without making strings of it: a reader does this for every record. */
import { crc32, crc32OfText } from '../checksum/crc.ts';
import type { BatchRecord, ByteRange } from './record-batch.ts';

const digit0 = 0x30;
const digits = 10;
const decimalDigitsMax = 16;
const hexDigits = 8;
const zero = Buffer.alloc(1);
const hexBytes = Buffer.from('0123456789abcdef', 'latin1');

export function isAscii(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if ((bytes[at] as number) > 0x7f) return false;
  return true;
}

export function isAsciiText(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false;
  return true;
}

/** A safe integer from 0 on, in decimal digits without a leading zero; else undefined. */
export function decimalIn(bytes: Buffer, { start, end }: ByteRange): number | undefined {
  const length = end - start;
  if (length < 1 || length > decimalDigitsMax || (length > 1 && bytes[start] === digit0)) return undefined;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] as number) - digit0;
    if (digit < 0 || digit >= digits) return undefined;
    value = value * 10 + digit;
  }
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Each byte in two digits. */
const hexPairs = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function hexPair(byte: number): string {
  return hexPairs[byte] as string;
}

/** 32 bits in eight lower-case digits. */
export function hexOf(value: number): string {
  const high = hexPair(value >>> 24) + hexPair((value >>> 16) & 0xff);
  return high + hexPair((value >>> 8) & 0xff) + hexPair(value & 0xff);
}

/** Whether the bytes are {@link hexOf} this value. */
export function isHexOf(value: number, bytes: Buffer, { start, end }: ByteRange): boolean {
  if (end - start !== hexDigits) return false;
  for (let i = 0; i < hexDigits; i++) {
    if (bytes[start + i] !== hexBytes[(value >>> (28 - 4 * i)) & 0xf]) return false;
  }
  return true;
}

/** What stands between key and value in the checksum of a record that is written: two headers, a 0 around each. */
export function headersSummed(first: string, second: string): string {
  return `\0${first}\0${second}\0`;
}

/** CRC-32 of a record that is written, as text: of key, {@link headersSummed} and value. A value that is taken away counts as no bytes. */
export function writtenChecksum(key: string, headers: string, value: Uint8Array | null): string {
  const sum = crc32OfText(headers, crc32OfText(key));
  return hexOf(value === null ? sum : crc32(value, 0, value.length, sum));
}

/** The same of a record that was read, whose two headers stand at `first` and `second`. */
export function readChecksum(record: BatchRecord, first: ByteRange, second: ByteRange, value: Buffer | null): number {
  const { bytes, keyStart, keyEnd } = record;
  let sum = crc32(zero, 0, 1, crc32(bytes, keyStart, keyEnd));
  sum = crc32(zero, 0, 1, crc32(bytes, first.start, first.end, sum));
  sum = crc32(zero, 0, 1, crc32(bytes, second.start, second.end, sum));
  return value === null ? sum : crc32(value, 0, value.length, sum);
}
