/** Uncompresses a block of LevelDB's (raw Snappy format), so that the index of a table file can be read. */

/** Throws a `RangeError` when the bytes are not a Snappy block. */
export function uncompressSnappy(bytes: Buffer): Buffer {
  let at = 0;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const next = bytes.readUInt8(at);
    at += 1;
    length += (next & 0x7f) * 2 ** shift;
    if (next < 0x80) break;
    if (shift > 28) throw new RangeError('the length is too long');
  }
  // Snappy reaches about 21:1 at most; more is a damaged length.
  if (length > bytes.length * 64) throw new RangeError('the length is out of reach');

  const output = Buffer.alloc(length);
  let written = 0;
  while (at < bytes.length) {
    const tag = bytes.readUInt8(at);
    at += 1;
    if ((tag & 3) === 0) {
      let size = tag >>> 2;
      if (size >= 60) {
        const extra = size - 59;
        size = bytes.readUIntLE(at, extra);
        at += extra;
      }
      size += 1;
      if (at + size > bytes.length || written + size > length) throw new RangeError('a literal is too long');
      bytes.copy(output, written, at, at + size);
      at += size;
      written += size;
      continue;
    }
    let size: number;
    let distance: number;
    if ((tag & 3) === 1) {
      size = ((tag >>> 2) & 7) + 4;
      distance = ((tag >>> 5) << 8) | bytes.readUInt8(at);
      at += 1;
    } else {
      const width = (tag & 3) === 2 ? 2 : 4;
      size = (tag >>> 2) + 1;
      distance = bytes.readUIntLE(at, width);
      at += width;
    }
    if (distance === 0 || distance > written || written + size > length) throw new RangeError('a copy is out of reach');
    // A copy may overlap what it writes: byte for byte.
    for (let end = written + size; written < end; written += 1) output[written] = output[written - distance] as number;
  }
  if (written !== length) throw new RangeError('the block is too short');
  return output;
}
