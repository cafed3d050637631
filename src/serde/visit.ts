/**
 * Bytes of the `visits` topic ↔ visits. The value is a JSON array of members by position with the format's version
 * first; the code is the record's key and not repeated. Used by the redirect door to write and by the worker to read.
 * Nothing is repaired here: a record is a whole visit within its bounds, or it is refused by name.
 */
import type { Visit, VisitClass, VisitSource } from '../domain/visit.ts';
import { charactersNeverInVisit, codePattern, visitBounds } from '../domain/visit-bounds.ts';

/** The version that {@link encodeVisit} writes. Raise it when a position changes its meaning, and add an upcaster. */
export const visitVersion = 1;

const memberCount = 18;
/** Of the members. */
const stringCount = 14;
const usualStart = `[${visitVersion},`;
/** The quote behind the country, before the only integer between strings. */
const quoteBeforeVisitor = 19;

const languagePattern = /^(?:[a-z]{2,3})?$/;
const countryPattern = /^(?:[A-Z]{2})?$/;

const quoteByte = 0x22;
const comma = 0x2c;
const digit0 = 0x30;
const backslash = 0x5c;
const closingBracket = 0x5d;

/** The bytes of a record are not a visit. The reaction is a dead letter: reading them again gives the same. */
export class MalformedVisit extends Error {
  override readonly name = 'MalformedVisit';
  constructor(what: string) {
    super(`not a visit: ${what}`);
  }
}

/** A record was written by a newer release. The reaction is a dead letter, to be replayed after the upgrade. */
export class UnknownVisitVersion extends Error {
  override readonly name = 'UnknownVisitVersion';
  readonly version: number;
  constructor(version: number) {
    super(`visits of version ${version} are not known here, the newest known is ${visitVersion}`);
    this.version = version;
  }
}

/** Rewrites the members of one version into those of the next, the version member included. */
type Upcaster = (members: readonly unknown[]) => readonly unknown[];

/** By the version they start from: `upcasters.get(n)` makes version n + 1. Empty while there has been one version only. */
const upcasters: ReadonlyMap<number, Upcaster> = new Map();

/**
 * One record's value: what `JSON.stringify` makes of the members, in less than half the time. Few agents make most visits, so what an
 * agent was taken for is kept as text.
 */
export function encodeVisit(visit: Visit): string {
  const described = descriptionOf(visit);
  const numbers = `${visitVersion},${visit.at},${visit.linkVersion}`;
  const request = `${quoted(visit.language)},${quoted(visit.referrer)},${quoted(visit.country)},${visit.visitor}`;
  const origin = `${quoted(visit.source)},${quoted(visit.utmSource)},${quoted(visit.utmMedium)},${quoted(visit.utmCampaign)}`;
  return `[${numbers},${described},${request},${origin}]`;
}

interface EncodedDescription extends Description {
  readonly json: string;
}

const encodedDescriptions = new Map<string, EncodedDescription>();

/** Members 3 to 9 as JSON, without the brackets. */
function descriptionOf(visit: Visit): string {
  const known = encodedDescriptions.get(visit.agent);
  if (known !== undefined && isSameDescription(known, visit)) return known.json;
  const { rules, agent, browser, os, device, crawler } = visit;
  const json = JSON.stringify([visit.class, rules, agent, browser, os, device, crawler]).slice(1, -1);
  if (encodedDescriptions.size >= descriptionsMax) encodedDescriptions.clear();
  encodedDescriptions.set(agent, { class: visit.class, rules, agent, browser, os, device, crawler, json });
  return json;
}

function isSameDescription(one: Description, other: Description): boolean {
  return (
    one.class === other.class &&
    one.rules === other.rules &&
    one.browser === other.browser &&
    one.os === other.os &&
    one.device === other.device &&
    one.crawler === other.crawler
  );
}

/** A string as JSON. */
function quoted(text: string): string {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0xff || isPlain[unit] === 0) return JSON.stringify(text);
  }
  return `"${text}"`;
}

/** What an agent's name was taken for: members 3 to 9. */
type Description = Pick<Visit, 'class' | 'rules' | 'agent' | 'browser' | 'os' | 'device' | 'crawler'>;
/** Of those kept as text, and of those found in a text. */
const descriptionsMax = 4_000;

/** 1 for each byte of printable ASCII but quote and backslash. */
const isPlain = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte <= 0x7e && byte !== quoteByte && byte !== backslash ? 1 : 0,
);

/**
 * Narrows a record of the `visits` topic. Throws {@link MalformedVisit} or {@link UnknownVisitVersion}, nothing else.
 * A usual record, as {@link encodeVisit} writes it of ASCII without escapes, is cut apart where its quotes stand, in a third of the
 * time; any other, and any that is out of bounds, goes through JSON.
 */
export function decodeVisit(code: string, value: Buffer): Visit {
  if (!codePattern.test(code)) throw new MalformedVisit('the key is not a code');
  return cutApart(code, value) ?? decodeMembers(code, value);
}

/** Where the quotes of the value at hand stand: used again for each. */
const quotes = new Int32Array(2 * stringCount);

/** The visit if its bytes are exactly of the usual form and within all bounds; else null. */
function cutApart(code: string, value: Buffer): Visit | null {
  if (!findQuotes(value)) return null;
  const json = value.toString('latin1');
  if (!json.startsWith(usualStart)) return null;
  const atEnd = json.indexOf(',', usualStart.length);
  const at = digitsIn(json, usualStart.length, atEnd);
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

function decodeMembers(code: string, value: Buffer): Visit {
  const full = needsFullCheck(value);
  let members = parseMembers(value.toString(full ? 'utf8' : 'latin1'));
  if (members[0] !== visitVersion) members = upcast(members);
  if (members.length !== memberCount) throw new MalformedVisit(`${members.length} members instead of ${memberCount}`);
  return {
    code,
    at: integer(members, 1, 0, visitBounds.atMax),
    linkVersion: integer(members, 2, 1, Number.MAX_SAFE_INTEGER),
    class: visitClass(members[3]),
    rules: text(members, 4, visitBounds.rulesLengthMax, full),
    agent: text(members, 5, visitBounds.agentLengthMax, full),
    browser: text(members, 6, visitBounds.nameLengthMax, full),
    os: text(members, 7, visitBounds.nameLengthMax, full),
    device: text(members, 8, visitBounds.nameLengthMax, full),
    crawler: text(members, 9, visitBounds.nameLengthMax, full),
    language: matching(members, 10, languagePattern),
    referrer: text(members, 11, visitBounds.referrerLengthMax, full),
    country: matching(members, 12, countryPattern),
    visitor: integer(members, 13, 0, visitBounds.visitorMax),
    source: visitSource(members[14]),
    utmSource: utm(members, 15, full),
    utmMedium: utm(members, 16, full),
    utmCampaign: utm(members, 17, full),
  };
}

/** A backslash or a byte outside printable ASCII: only then can a string hold a control or need UTF-8. */
function needsFullCheck(value: Buffer): boolean {
  for (let at = 0; at < value.length; at++) {
    const byte = value[at] as number;
    if (byte === 0x5c || byte < 0x20 || byte > 0x7e) return true;
  }
  return false;
}

function parseMembers(json: string): readonly unknown[] {
  let members: unknown;
  try {
    members = JSON.parse(json);
  } catch {
    throw new MalformedVisit('the value is not JSON');
  }
  if (!Array.isArray(members)) throw new MalformedVisit('the value is not an array');
  return members;
}

function upcast(members: readonly unknown[]): readonly unknown[] {
  let newer = members;
  while (newer[0] !== visitVersion) {
    const version = newer[0];
    if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 1) {
      throw new MalformedVisit('the first member is not a version');
    }
    const upcaster = upcasters.get(version);
    if (upcaster === undefined) throw new UnknownVisitVersion(version);
    newer = upcaster(newer);
  }
  return newer;
}

function integer(members: readonly unknown[], position: number, min: number, max: number): number {
  const value = members[position];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
    throw new MalformedVisit(`member ${position} is not an integer from ${min} to ${max}`);
  }
  // JSON has a negative zero, and as a key or in a comparison it would be another value than zero.
  return value === 0 ? 0 : value;
}

function text(members: readonly unknown[], position: number, lengthMax: number, full: boolean): string {
  const value = members[position];
  if (typeof value !== 'string' || value.length > lengthMax || (full && charactersNeverInVisit.test(value))) {
    throw new MalformedVisit(`member ${position} is not a string of at most ${lengthMax} characters without controls`);
  }
  return value;
}

function utm(members: readonly unknown[], position: number, full: boolean): string {
  const max = visitBounds.utmCodePointsMax;
  const value = text(members, position, 2 * max, full);
  if (value.length > max && [...value].length > max) {
    throw new MalformedVisit(`member ${position} has more than ${max} characters`);
  }
  return value;
}

function matching(members: readonly unknown[], position: number, pattern: RegExp): string {
  const value = members[position];
  if (typeof value !== 'string' || !pattern.test(value)) {
    throw new MalformedVisit(`member ${position} does not match ${pattern.source}`);
  }
  return value;
}

function visitClass(value: unknown): VisitClass {
  if (value === 'human' || value === 'bot' || value === 'prefetch') return value;
  throw new MalformedVisit('member 3 is not a class');
}

function visitSource(value: unknown): VisitSource {
  if (value === 'link' || value === 'qr') return value;
  throw new MalformedVisit('member 14 is not a source');
}
