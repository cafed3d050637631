import fc from 'fast-check';
import { decimalIn, hexOf, isAscii, isHexOf } from '../../../src/adapters/kafka/record-text.ts';

/** The text in the middle of other bytes. */
function within(text: string) {
  const bytes = Buffer.from(`7f${text}0a`, 'latin1');
  return [bytes, { start: 2, end: 2 + text.length }] as const;
}

describe('text in keys and headers', () => {
  it('holds a safe integer, or none', () => {
    fc.assert(fc.property(fc.maxSafeNat(), (value) => expect(decimalIn(...within(String(value)))).toBe(value)));
    const odd = ['', '-1', '+1', '01', '00', '1.0', '1e3', ' 1', '1 ', 'a', '9007199254740992', '99999999999999999'];
    for (const text of odd) expect(decimalIn(...within(text))).toBeUndefined();
    expect(decimalIn(...within('0'))).toBe(0);
    expect(decimalIn(...within('9007199254740991'))).toBe(Number.MAX_SAFE_INTEGER);
  });

  it('is the checksum that it was made of, and no other', () => {
    const sum = fc.integer({ min: 0, max: 0xffff_ffff });
    fc.assert(
      fc.property(sum, sum, (one, other) => {
        expect(isHexOf(one, ...within(hexOf(one)))).toBe(true);
        expect(isHexOf(other, ...within(hexOf(one)))).toBe(one === other);
      }),
    );
    expect(isHexOf(0xab, ...within('000000AB'))).toBe(false);
    expect(isHexOf(0xab, ...within('00000ab'))).toBe(false);
    expect(isHexOf(0xab, ...within('0000000ab'))).toBe(false);
  });

  it('is ASCII or not', () => {
    expect(isAscii(Buffer.from([0x80, 0x00, 0x7f, 0xff]), 1, 3)).toBe(true);
    expect(isAscii(Buffer.from([0x80, 0x00, 0x7f, 0xff]), 1, 4)).toBe(false);
    expect(isAscii(Buffer.from([0x80, 0x00]), 0, 2)).toBe(false);
  });
});
