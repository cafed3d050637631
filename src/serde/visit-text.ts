/**
 * The text of a visit in its usual form: JSON without spaces, of printable ASCII without escapes. It is read here without JSON's parser,
 * in half the time, because the fold reads every visit; what is in another form is not for this file.
 */
import type { Visit, VisitSource } from '../domain/visit.ts';
import { visitBounds } from '../domain/visit-bounds.ts';
import type { Description } from './visit-bytes.ts';

/** Of the 18 members: 0 is the version, 1 and 2 integers, 3 to 12 strings, 13 an integer, 14 to 17 strings. */
const stringCount = 14;
/** The quote behind the country, before the only integer between strings. */
const quoteBeforeVisitor = 19;

const quoteByte = 0x22;
const comma = 0x2c;
const digit0 = 0x30;
const backslash = 0x5c;
const openingBracket = 0x5b;
const closingBracket = 0x5d;

/** 1 for each byte of printable ASCII but quote and backslash. */
const isPlain = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte <= 0x7e && byte !== quoteByte && byte !== backslash ? 1 : 0,
);

/** Where the quotes of the value at hand stand: used again for each. */
const quotes = new Int32Array(2 * stringCount);

/** The visit if its bytes are exactly of the usual form, of the newest version and within all bounds; else null. */
export function cutVisit(code: string, value: Buffer, version: number): Visit | null {
  if (!findQuotes(value) || value[0] !== openingBracket) return null;
  const versionEnd = commaIn(value, 1);
  const atEnd = commaIn(value, versionEnd + 1);
  const at = digitsIn(value, versionEnd + 1, atEnd);
  const linkVersion = digitsIn(value, atEnd + 1, quote(0) - 1);
  const visitor = digitsIn(value, quote(19) + 2, quote(20) - 1);
  if (digitsIn(value, 1, versionEnd) !== version || at === null || linkVersion === null || visitor === null)
    return null;
  if (at > visitBounds.atMax || linkVersion < 1 || visitor > visitBounds.visitorMax) return null;
  const described = descriptionIn(value);
  const language = stringIn(value, 7);
  const referrer = stringIn(value, 8);
  const country = stringIn(value, 9);
  const source = sourceIn(value);
  if (described === null || source === null) return null;
  if (!areLetters(language, 'a') || language.length === 1 || language.length > 3) return null;
  if (!areLetters(country, 'A') || (country.length !== 0 && country.length !== 2)) return null;
  const utmSource = stringIn(value, 11);
  const utmMedium = stringIn(value, 12);
  const utmCampaign = stringIn(value, 13);
  const { utmCodePointsMax } = visitBounds;
  if (utmSource.length > utmCodePointsMax || utmMedium.length > utmCodePointsMax) return null;
  if (utmCampaign.length > utmCodePointsMax || referrer.length > visitBounds.referrerLengthMax) return null;
  return {
    code,
    at,
    linkVersion,
    class: described.class,
    rules: described.rules,
    agent: described.agent,
    browser: described.browser,
    os: described.os,
    device: described.device,
    crawler: described.crawler,
    language,
    referrer,
    country,
    visitor,
    source,
    utmSource,
    utmMedium,
    utmCampaign,
  };
}

/**
 * Finds the quotes of all strings of a value in which only printable ASCII stands and no backslash, and sees to it that between two
 * strings there is a comma, or an integer between commas where one belongs, and a bracket behind the last.
 */
function findQuotes(value: Buffer): boolean {
  const { length } = value;
  let count = 0;
  for (let at = 0; at < length; at++) {
    const byte = value[at] as number;
    if (isPlain[byte] === 1) continue;
    if (byte !== quoteByte || count === quotes.length) return false;
    quotes[count++] = at;
  }
  if (count !== quotes.length || quote(count - 1) !== length - 2 || value[length - 1] !== closingBracket) return false;
  for (let i = 1; i < count - 1; i += 2) {
    if (value[quote(i) + 1] !== comma || value[quote(i + 1) - 1] !== comma) return false;
    if (i !== quoteBeforeVisitor && quote(i + 1) !== quote(i) + 2) return false;
  }
  return value[quote(0) - 1] === comma;
}

function quote(index: number): number {
  return quotes[index] as number;
}

/** Where the first comma from `start` on stands, in front of the first string. */
function commaIn(value: Buffer, start: number): number {
  let at = start;
  while (value[at] !== comma && at < quote(0)) at++;
  return at;
}

/** String number `index` of the value whose quotes were found. */
function stringIn(value: Buffer, index: number): string {
  return textIn(value, quote(2 * index) + 1, quote(2 * index + 1));
}

/** One of two strings that are there already, so that comparing it costs nothing. */
function sourceIn(value: Buffer): VisitSource | null {
  const source = stringIn(value, 10);
  if (source === 'link') return 'link';
  return source === 'qr' ? 'qr' : null;
}

const slotsMask = 8_191;
/** Texts that were read before, by a hash of their bytes: the same few come again and again, and the newest takes the place. */
const texts: (string | undefined)[] = Array.from({ length: slotsMask + 1 });

function textIn(value: Buffer, start: number, end: number): string {
  const length = end - start;
  if (length === 0) return '';
  let hash = length;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ (value[at] as number), 0x01000193);
  const slot = (hash ^ (hash >>> 15)) & slotsMask;
  const known = texts[slot];
  if (known !== undefined && isTextAt(value, start, length, known)) return known;
  const text = value.toString('latin1', start, end);
  texts[slot] = text;
  return text;
}

function isTextAt(value: Buffer, start: number, length: number, text: string): boolean {
  if (text.length !== length) return false;
  for (let index = 0; index < length; index++) {
    if (text.charCodeAt(index) !== value[start + index]) return false;
  }
  return true;
}

/** Whether the text is of the 26 letters from `first` on. */
function areLetters(text: string, first: 'a' | 'A'): boolean {
  const from = first.charCodeAt(0);
  for (let i = 0; i < text.length; i++) {
    const letter = text.charCodeAt(i) - from;
    if (letter < 0 || letter > 25) return false;
  }
  return true;
}

/** A safe integer from 0 on as JSON writes it; else null. */
function digitsIn(value: Buffer, start: number, end: number): number | null {
  const length = end - start;
  if (length < 1 || length > 16 || (length > 1 && value[start] === digit0)) return null;
  let number = 0;
  for (let at = start; at < end; at++) {
    const digit = (value[at] as number) - digit0;
    if (digit < 0 || digit > 9) return null;
    number = number * 10 + digit;
  }
  return Number.isSafeInteger(number) ? number : null;
}

/** As `texts`, some hundred descriptions in all. They are long, so they are read four bytes at a time. */
const descriptions: (Known | undefined)[] = Array.from({ length: slotsMask + 1 });

interface Known {
  readonly words: Int32Array;
  /** In bytes. */
  readonly length: number;
  readonly description: Description;
}

const wordBytes = 4;
/** Room for the words of the description at hand. */
const words = new Int32Array(512);

function descriptionIn(value: Buffer): Description | null {
  const length = quote(13) - quote(0);
  if (length > words.length * wordBytes) return null;
  const view = viewOf(value);
  const start = value.byteOffset + quote(0);
  const lastAt = length - wordBytes;
  let hash = length;
  let count = 0;
  for (let at = 0; at < lastAt; at += wordBytes) {
    const word = view.getInt32(start + at, true);
    words[count++] = word;
    hash = Math.imul(hash ^ word, 0x9e3779b1) ^ (hash >>> 13);
  }
  // The last word overlaps the one before it, unless they meet.
  const last = view.getInt32(start + lastAt, true);
  words[count++] = last;
  hash = Math.imul(hash ^ last, 0x9e3779b1);
  const slot = (hash ^ (hash >>> 15)) & slotsMask;
  const known = descriptions[slot];
  if (known !== undefined && known.length === length && startsWithWords(known.words, count)) return known.description;
  const description = newDescriptionIn(value);
  if (description !== null) descriptions[slot] = { words: words.slice(0, count), length, description };
  return description;
}

function startsWithWords(known: Int32Array, count: number): boolean {
  for (let index = 0; index < count; index++) if (known[index] !== words[index]) return false;
  return true;
}

function newDescriptionIn(value: Buffer): Description | null {
  const [visitClass = '', ...rest] = [0, 1, 2, 3, 4, 5, 6].map((index) => stringIn(value, index));
  if (visitClass !== 'human' && visitClass !== 'bot' && visitClass !== 'prefetch') return null;
  const [rules = '', agent = '', ...names] = rest;
  if (rules.length > visitBounds.rulesLengthMax || agent.length > visitBounds.agentLengthMax) return null;
  if (names.some((name) => name.length > visitBounds.nameLengthMax)) return null;
  const [browser = '', os = '', device = '', crawler = ''] = names;
  return { class: visitClass, rules, agent, browser, os, device, crawler };
}

/** Many values lie in the same memory, as they were read. */
let viewed: ArrayBufferLike = new ArrayBuffer(0);
let view: DataView<ArrayBufferLike> = new DataView(viewed);

function viewOf({ buffer }: Buffer): DataView<ArrayBufferLike> {
  if (viewed !== buffer) {
    viewed = buffer;
    view = new DataView(buffer);
  }
  return view;
}
