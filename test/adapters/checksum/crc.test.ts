import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { crc32, crc32c, crc32OfText } from '../../../src/adapters/checksum/crc.ts';

const bytes = fc.uint8Array({ maxLength: 200 });

describe('a checksum', () => {
  it.each([
    ['CRC-32', crc32, 0xcbf43926],
    ['CRC-32C', crc32c, 0xe3069283],
  ])('is %s by its check value', (_name, crc, expected) => {
    expect(crc(Buffer.from('123456789'), 0, 9) >>> 0).toBe(expected);
    expect(crc(Buffer.alloc(0), 0, 0)).toBe(0);
  });

  it('is that of zlib, of any part of any bytes, in one piece or in several', () => {
    fc.assert(
      fc.property(bytes, fc.nat(), fc.nat(), fc.nat(), (all, ...cuts) => {
        const [start, middle, end] = cuts.map((cut) => cut % (all.length + 1)).sort((a, b) => a - b);
        const expected = zlib.crc32(all.subarray(start, end)) | 0;
        expect(crc32(all, start ?? 0, end ?? 0)).toBe(expected);
        expect(crc32(all, middle ?? 0, end ?? 0, crc32(all, start ?? 0, middle ?? 0))).toBe(expected);
      }),
    );
  });

  it('is the same of a text and of its bytes', () => {
    fc.assert(
      fc.property(bytes, bytes, (before, all) => {
        const text = Buffer.from(all).toString('latin1');
        expect(crc32OfText(text, crc32(before, 0, before.length))).toBe(zlib.crc32(Buffer.concat([before, all])) | 0);
      }),
    );
  });

  it('is the same in several pieces for the other polynomial too', () => {
    fc.assert(
      fc.property(bytes, fc.nat(), (all, cut) => {
        const middle = cut % (all.length + 1);
        expect(crc32c(all, middle, all.length, crc32c(all, 0, middle))).toBe(crc32c(all, 0, all.length));
      }),
    );
  });
});
