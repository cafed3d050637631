/**
 * The bytes of a visit in its usual form, written one after the other: JSON without spaces, of printable ASCII without escapes. Every
 * redirect writes one, so this is done without JSON's serializer, in a third of the time; what has another form is not for this file.
 */
import type { Visit } from '../domain/visit.ts';

/** What an agent's name was taken for: members 3 to 9. */
export type Description = Pick<Visit, 'class' | 'rules' | 'agent' | 'browser' | 'os' | 'device' | 'crawler'>;
type Described = Description & { readonly bytes: Uint8Array };
const descriptionsMax = 4_000;

const quote = 0x22;
const comma = 0x2c;
const digit0 = 0x30;
const backslash = 0x5c;
const openingBracket = 0x5b;
const closingBracket = 0x5d;

const roomBytes = 8 * 1024;
const room = new Uint8Array(roomBytes);
/** Strings are written while so much room is left; a visit within its bounds needs less. */
const longestStringBytes = 1_024;
/** The first bytes of `room`, by how many: most visits have one of few lengths. */
const heads: Uint8Array[] = [];

/** By the agent's name, what it was taken for last: that hardly ever differs. */
const descriptions = new Map<string, Described>();

/** The visit's value, valid until the next call; null when it has another form than the usual one. */
export function writeVisit(visit: Visit, version: number): Uint8Array | null {
  const described = describedBytes(visit);
  if (described === null) return null;
  room[0] = openingBracket;
  let end = putInteger(1, version);
  end = putInteger(putComma(end), visit.at);
  end = putInteger(putComma(end), visit.linkVersion);
  end = putComma(end);
  room.set(described, end);
  end = putString(putComma(end + described.length), visit.language);
  end = putString(putComma(end), visit.referrer);
  end = putString(putComma(end), visit.country);
  end = putInteger(putComma(end), visit.visitor);
  end = putString(putComma(end), visit.source);
  end = putString(putComma(end), visit.utmSource);
  end = putString(putComma(end), visit.utmMedium);
  end = putString(putComma(end), visit.utmCampaign);
  if (end < 0) return null;
  room[end] = closingBracket;
  heads[end + 1] ??= room.subarray(0, end + 1);
  return heads[end + 1] as Uint8Array;
}

/** Behind a comma; what could not be written stays that. */
function putComma(at: number): number {
  if (at < 0) return at;
  room[at] = comma;
  return at + 1;
}

/** Where the string ends; -1 when it, or something before it, has another form. */
function putString(at: number, text: string): number {
  const { length } = text;
  if (at < 0 || length > longestStringBytes || at + length + longestStringBytes > roomBytes) return -1;
  room[at] = quote;
  let end = at + 1;
  for (let index = 0; index < length; index += 1) {
    const character = text.charCodeAt(index);
    if (character < 0x20 || character > 0x7e || character === quote || character === backslash) return -1;
    room[end++] = character;
  }
  room[end] = quote;
  return end + 1;
}

/** Digits that fit into 32 bits are cheap to take apart. */
const wordDigits = 1_000_000_000;

function putInteger(at: number, value: number): number {
  if (at < 0 || !Number.isSafeInteger(value) || value < 0 || Object.is(value, -0)) return -1;
  if (value < wordDigits) return putWord(at, value, 1);
  const high = Math.floor(value / wordDigits);
  return putWord(putWord(at, high, 1), value - high * wordDigits, 9);
}

/** At least `width` digits of a number below 10^9. */
function putWord(at: number, value: number, width: number): number {
  let digits = width;
  for (let bound = 10 ** width; value >= bound && digits < 9; bound *= 10) digits += 1;
  let rest = value | 0;
  for (let index = at + digits - 1; index >= at; index -= 1) {
    const tens = (rest / 10) | 0;
    room[index] = digit0 + rest - 10 * tens;
    rest = tens;
  }
  return at + digits;
}

function describedBytes(visit: Visit): Uint8Array | null {
  const known = descriptions.get(visit.agent);
  if (known !== undefined && isSame(known, visit)) return known.bytes;
  let end = putString(0, visit.class);
  for (const name of [visit.rules, visit.agent, visit.browser, visit.os, visit.device, visit.crawler]) {
    end = putString(putComma(end), name);
  }
  if (end < 0) return null;
  const { class: visitClass, rules, agent, browser, os, device, crawler } = visit;
  const bytes = Uint8Array.from(room.subarray(0, end));
  if (descriptions.size >= descriptionsMax) descriptions.clear();
  descriptions.set(agent, { class: visitClass, rules, agent, browser, os, device, crawler, bytes });
  return bytes;
}

function isSame(known: Description, visit: Description): boolean {
  return (
    known.class === visit.class &&
    known.rules === visit.rules &&
    known.browser === visit.browser &&
    known.os === visit.os &&
    known.device === visit.device &&
    known.crawler === visit.crawler
  );
}
