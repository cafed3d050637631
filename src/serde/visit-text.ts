/**
 * The text of a visit in its usual form: JSON without spaces, of printable ASCII without escapes. It is read here without JSON's parser,
 * in about three quarters of the time, because the fold reads every visit; what is in another form is not for this file.
 */
import type { Visit } from '../domain/visit.ts';
import { visitBounds } from '../domain/visit-bounds.ts';

/** Of the 18 members: 0 is the version, 1 and 2 integers, 3 to 12 strings, 13 an integer, 14 to 17 strings. */
const stringCount = 14;
/** The quote behind the country, before the only integer between strings. */
const quoteBeforeVisitor = 19;

const quoteByte = 0x22;
const comma = 0x2c;
const digit0 = 0x30;
const backslash = 0x5c;
const closingBracket = 0x5d;

/** 1 for each byte of printable ASCII but quote and backslash. */
const isPlain = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte <= 0x7e && byte !== quoteByte && byte !== backslash ? 1 : 0,
);

/** What an agent's name was taken for: members 3 to 9. */
type Description = Pick<Visit, 'class' | 'rules' | 'agent' | 'browser' | 'os' | 'device' | 'crawler'>;
const descriptionsMax = 4_000;

/** Where the quotes of the value at hand stand: used again for each. */
const quotes = new Int32Array(2 * stringCount);

/** The visit if its bytes are exactly of the usual form, of the newest version and within all bounds; else null. */
export function cutVisit(code: string, value: Buffer, version: number): Visit | null {
  if (!findQuotes(value)) return null;
  const json = value.toString('latin1');
  const start = `[${version},`;
  if (!json.startsWith(start)) return null;
  const atEnd = json.indexOf(',', start.length);
  const at = digitsIn(json, start.length, atEnd);
  const linkVersion = digitsIn(json, atEnd + 1, quote(0) - 1);
  const visitor = digitsIn(json, quote(19) + 2, quote(20) - 1);
  if (at === null || linkVersion === null || visitor === null) return null;
  if (at > visitBounds.atMax || linkVersion < 1 || visitor > visitBounds.visitorMax) return null;
  const described = descriptionIn(json);
  const language = stringIn(json, 7);
  const referrer = stringIn(json, 8);
  const country = stringIn(json, 9);
  const source = stringIn(json, 10);
  if (described === null || (source !== 'link' && source !== 'qr')) return null;
  if (!areLetters(language, 'a') || language.length === 1 || language.length > 3) return null;
  if (!areLetters(country, 'A') || (country.length !== 0 && country.length !== 2)) return null;
  const utmSource = stringIn(json, 11);
  const utmMedium = stringIn(json, 12);
  const utmCampaign = stringIn(json, 13);
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

/** String number `index` of the value whose quotes were found. */
function stringIn(json: string, index: number): string {
  return json.slice(quote(2 * index) + 1, quote(2 * index + 1));
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
function digitsIn(json: string, start: number, end: number): number | null {
  const length = end - start;
  if (length < 1 || length > 16 || (length > 1 && json.charCodeAt(start) === digit0)) return null;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = json.charCodeAt(at) - digit0;
    if (digit < 0 || digit > 9) return null;
    value = value * 10 + digit;
  }
  return Number.isSafeInteger(value) ? value : null;
}

/** By their text. */
const descriptions = new Map<string, Description>();

function descriptionIn(json: string): Description | null {
  const text = json.slice(quote(0), quote(13));
  const known = descriptions.get(text);
  if (known !== undefined) return known;
  const [visitClass = '', ...rest] = [0, 1, 2, 3, 4, 5, 6].map((index) => stringIn(json, index));
  if (visitClass !== 'human' && visitClass !== 'bot' && visitClass !== 'prefetch') return null;
  const [rules = '', agent = '', ...names] = rest;
  if (rules.length > visitBounds.rulesLengthMax || agent.length > visitBounds.agentLengthMax) return null;
  if (names.some((name) => name.length > visitBounds.nameLengthMax)) return null;
  const [browser = '', os = '', device = '', crawler = ''] = names;
  const description = { class: visitClass, rules, agent, browser, os, device, crawler } as const;
  if (descriptions.size >= descriptionsMax) descriptions.clear();
  descriptions.set(text, description);
  return description;
}
