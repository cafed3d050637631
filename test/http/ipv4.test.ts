import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { ipv4Number } from '../../src/http/ipv4.ts';

describe('the number of an IPv4 address', () => {
  it('is that of its four bytes', () => {
    const byte = fc.nat(255);
    fc.assert(
      fc.property(fc.tuple(byte, byte, byte, byte), (bytes) => {
        expect(ipv4Number(bytes.join('.'))).toBe(Buffer.from(bytes).readUInt32BE());
      }),
    );
  });

  it.each([
    ['0.0.0.0', 0],
    ['255.255.255.255', 4_294_967_295],
    ['1.2.3.4', 16_909_060],
  ])('of %s is %d', (text, number) => {
    expect(ipv4Number(text)).toBe(number);
  });

  it.each(
    '|1.2.3|1.2.3.4.5|1.2.3.|.1.2.3|1..2.3|1.2.3.256|1.2.3.04|01.2.3.4|00.0.0.0|0x7f.0.0.1|1.2.3.4 | 1.2.3.4|1.2.3.4:80|::1|1.2.3.-4|१.2.3.4|1,2.3.4'.split(
      '|',
    ),
  )('is none for "%s"', (text) => {
    expect(ipv4Number(text)).toBe(-1);
  });

  it('is there only where the library reads four decimal numbers', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'0129.'.split('')), maxLength: 12 }), (text) => {
        if (ipv4Number(text) >= 0) expect(ipaddr.parse(text).toString()).toBe(text);
      }),
    );
  });
});
