/**
 * A statistics row as it stands in Redis: the store's bytes (8 bytes of version, payload) and a checksum over its key and
 * them. The functions compare versions; only the readers here look at the checksum.
 */
import { crc32 } from 'node:zlib';

export const versionBytes = 8;
export const checksumBytes = 4;

/** CRC-32 of the row's key, a zero byte and its bytes: what stands behind them in Redis, high byte first. */
export function rowChecksum(rowKey: string, bytes: Uint8Array): number {
  return crc32(bytes, crc32(`${rowKey}\0`));
}

/** The row's bytes as the store holds them; null when they are not what was written under this key. */
export function openCheckedRow(rowKey: string, value: Buffer): Buffer | null {
  if (value.length < versionBytes + checksumBytes) return null;
  const bytes = value.subarray(0, -checksumBytes);
  return rowChecksum(rowKey, bytes) === value.readUInt32BE(bytes.length) ? bytes : null;
}

/** Offset of the last record in a row. */
export function rowVersion(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, versionBytes);
  return view.getUint32(0) * 0x1_0000_0000 + view.getUint32(4);
}
