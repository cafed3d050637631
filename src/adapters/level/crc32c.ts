/** CRC-32C (Castagnoli), as LevelDB's files use it; Node's own `crc32` is the other polynomial. Eight bytes a step. */
const tables = makeTables();

/** The checksum of `bytes[start, end)`. */
export function crc32c(bytes: Uint8Array, start: number, end: number): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables;
  let crc = -1;
  let at = start;
  for (const last = end - 8; at <= last; at += 8) {
    crc ^= byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16) | (byte(bytes, at + 3) << 24);
    crc =
      entry(t7, crc & 0xff) ^
      entry(t6, (crc >>> 8) & 0xff) ^
      entry(t5, (crc >>> 16) & 0xff) ^
      entry(t4, crc >>> 24) ^
      entry(t3, byte(bytes, at + 4)) ^
      entry(t2, byte(bytes, at + 5)) ^
      entry(t1, byte(bytes, at + 6)) ^
      entry(t0, byte(bytes, at + 7));
  }
  for (; at < end; at += 1) crc = entry(t0, (crc ^ byte(bytes, at)) & 0xff) ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** LevelDB stores checksums rotated and shifted, so that a checksum of bytes that hold checksums stays strong. */
export function maskCrc(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}

function entry(table: Int32Array, index: number): number {
  return table[index] as number;
}

type Tables = readonly [Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array];

function makeTables(): Tables {
  const all = Array.from({ length: 8 }, () => new Int32Array(256));
  const first = all[0] as Int32Array;
  for (let value = 0; value < 256; value += 1) {
    let crc = value;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    first[value] = crc;
  }
  for (let k = 1; k < 8; k += 1) {
    for (let value = 0; value < 256; value += 1) {
      const previous = entry(all[k - 1] as Int32Array, value);
      (all[k] as Int32Array)[value] = entry(first, previous & 0xff) ^ (previous >>> 8);
    }
  }
  return all as unknown as Tables;
}
