/** Unsigned varints (LEB128) of safe integers: seven bits a byte, the lowest first. The numbers of all rows. */

/** Bytes of the longest varint: a safe integer has 53 bits. */
export const varintBytesMax = 8;

/** Writes `value` (0 to 2⁵³-1) at `at` and returns the position behind it. */
export function writeVarint(target: Buffer, value: number, at: number): number {
  let rest = value;
  let position = at;
  while (rest >= 0x80) {
    target[position++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  target[position++] = rest;
  return position;
}

/** Reads the fields of a row one after the other. Throws {@link RowMalformed} instead of reading past the end. */
export class RowReader {
  private readonly bytes: Buffer;
  private at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  varint(): number {
    let value = 0;
    let factor = 1;
    for (let count = 0; count < varintBytesMax; count++) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw new RowMalformed('it ends within a number');
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 0x80;
    }
    throw new RowMalformed('a number is too long');
  }

  /** The position of the next `length` bytes, which are then behind us. */
  skip(length: number): number {
    const start = this.at;
    this.at += length;
    if (this.at > this.bytes.length) throw new RowMalformed('it ends within a text');
    return start;
  }

  text(): string {
    const length = this.varint();
    const start = this.skip(length);
    return this.bytes.toString('utf8', start, start + length);
  }

  end(): void {
    if (this.at !== this.bytes.length) throw new RowMalformed('something follows its end');
  }
}

/** The bytes of a row are not what was written: set the store aside and fold it anew. */
export class RowMalformed extends Error {
  override readonly name = 'RowMalformed';
  constructor(what: string) {
    super(`malformed row: ${what}`);
  }
}
