/**
 * Rows of statistics as stores, changelog and Redis hold them: 8 bytes of version (offset of the last record in the row, big endian),
 * then numbers as LEB128. Forms: src/projections/totals-row.ts and src/projections/day-row.ts; the keys: `t<code>`, `d<code>!<day>`, `o`.
 */
import { dayMs } from './visit-counts.js';
import { allLinks } from './visits-oracle.js';

const versionBytes = 8;
const crawlersPosition = 8;

/** @param {Buffer} bytes */
export function versionOf(bytes) {
  return bytes.readUInt32BE(0) * 2 ** 32 + bytes.readUInt32BE(4);
}

/** @param {Buffer} bytes a row with its version */
export function payloadOf(bytes) {
  return bytes.subarray(versionBytes);
}

/** What a row is about; null for a row of the worker's own. @param {string} key */
export function subjectOf(key) {
  if (key === 'o') return { code: allLinks, day: null };
  if (key.startsWith('t')) return { code: key.slice(1), day: null };
  const [, code, day] = /^d(.+)!(\d+)$/.exec(key) ?? [];
  return code === undefined ? null : { code, day: Number(day) };
}

/** @param {Buffer} payload of a row `t…` or `o` @returns {object | null} null for bytes that are none */
export function decodeTotals(payload) {
  const reader = new Reader(payload);
  const [nonBots, bots, prefetches, first, span] = [0, 0, 0, 0, 0].map(() => reader.number());
  if (!reader.isAtEnd()) return null;
  return { nonBots, bots, prefetches, first: first === 0 ? null : first, last: first === 0 ? null : first + span };
}

/** The same numbers as the log tells them. @param {import('./visit-counts.js').VisitCounts} counts */
export function totalsOf({ nonBots, bots, prefetches, first, last }) {
  return { nonBots, bots, prefetches, first, last };
}

/** @param {Buffer} payload of a row `d…` @returns {object | null} null for bytes that are none */
export function decodeDay(day, payload) {
  const reader = new Reader(payload);
  const [prefetches, first, last] = [reader.number(), reader.number(), reader.number()];
  const quarters = Array.from({ length: reader.number() * 3 }, () => reader.number());
  let [people, crawlers] = [0, 0];
  const add = (dimension, visits) => {
    if (dimension === crawlersPosition) crawlers += visits;
    else people += visits;
  };
  for (let left = reader.number(); left > 0; left--) {
    const dimension = reader.number();
    reader.skip(reader.number());
    add(dimension, reader.number());
  }
  const others = reader.number();
  for (let dimension = 0; dimension < others; dimension++) add(dimension, reader.number());
  reader.skip(reader.number());
  if (!reader.isAtEnd()) return null;
  const at = (ms) => (ms === 0 ? null : day * dayMs + ms - 1);
  return {
    quarters,
    prefetches,
    first: at(first),
    last: at(last),
    'visits by name': people,
    'visits of crawlers': crawlers,
  };
}

/** The same numbers as the log tells them: a visit of a person has a name in each of the eight other dimensions. */
export function dayOf(counts, day) {
  const found = counts.days.find((each) => each.day === day);
  if (found === undefined) return null;
  const { quarters, prefetches, first, last } = found;
  const sum = (place) => quarters.reduce((all, value, index) => (index % 3 === place ? all + value : all), 0);
  return {
    quarters,
    prefetches,
    first,
    last,
    'visits by name': sum(1) * crawlersPosition,
    'visits of crawlers': sum(2),
  };
}

/** Reads beyond the end as zero and remembers that it did. */
class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
    this.isBroken = false;
  }

  number() {
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      const byte = this.bytes[this.at++];
      if (byte === undefined || factor > 2 ** 49) {
        this.isBroken = true;
        return 0;
      }
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  skip(bytes) {
    this.at += bytes;
  }

  isAtEnd() {
    return !this.isBroken && this.at === this.bytes.length;
  }
}
