/**
 * Short codes: how a URL gets its own, and which ones a person may choose. Keyed hashing keeps strangers from testing
 * whether a URL was shortened and from choosing collisions; the key itself never comes here.
 */
import type { FieldError, FieldErrorCode } from './refusal.ts';

/** HMAC-SHA-256 of `data` (as UTF-8) under the code secret. */
export type CodeHmac = (data: string) => Uint8Array;

/** Characters of a code that a person did not choose. */
export const codeLength = 7;

/** A URL has at most this many own codes; when all are taken it gets random ones. */
export const ownCodeAttemptsMax = 100;

const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const codeSpace = 62 ** codeLength;

/** First path segments of every route of our own, present and planned: never a code, in any case. */
const reservedWords: ReadonlySet<string> = new Set([
  'account',
  'admin',
  'api',
  'assets',
  'docs',
  'health',
  'internal',
  'links',
  'livez',
  'login',
  'logout',
  'metrics',
  'new',
  'qr',
  'readyz',
  'settings',
  'static',
  'stats',
]);

/**
 * The URL's own code at an attempt (from 0): the digest of `url`, a zero byte and the attempt, read as one big number,
 * modulo 62⁷. A digest of 256 bits makes the bias of the modulo 2⁻²¹⁴. Deterministic; 3.5 × 10¹² codes.
 */
export function ownCode(hmac: CodeHmac, url: string, attempt: number): string {
  let rest = 0;
  // Horner's rule stays below 2⁵³: 62⁷ × 256 is 9 × 10¹⁴.
  for (const byte of hmac(`${url}\0${attempt}`)) rest = (rest * 256 + byte) % codeSpace;
  let code = '';
  for (let digit = 0; digit < codeLength; digit++) {
    code = base62.charAt(rest % 62) + code;
    rest = Math.floor(rest / 62);
  }
  return code;
}

/**
 * The URL's own codes in the order in which creation tries them. Creation leaves none out and links never vanish, so a
 * search may stop at the first code that has no link.
 */
export function* ownCodes(hmac: CodeHmac, url: string): Generator<string, void, undefined> {
  for (let attempt = 0; attempt < ownCodeAttemptsMax; attempt++) {
    const code = ownCode(hmac, url, attempt);
    if (!isReserved(code)) yield code;
  }
}

/** Whether a text could be a code at all. What is not need not be looked up. */
export function isCode(text: string): boolean {
  return /^[A-Za-z0-9_-]{1,64}$/.test(text);
}

const reservedLengthMax = Math.max(...Array.from(reservedWords, ({ length }) => length));
/** 1 at `length · 32 + letter` for each length and first letter of such a word; the lowest five bits of a letter are alike in both cases. */
const reservedStarts = new Uint8Array((reservedLengthMax + 1) * 32);
for (const word of reservedWords) reservedStarts[word.length * 32 + (word.charCodeAt(0) & 31)] = 1;

/** Whether a word belongs to a route of our own. Every redirect asks: hardly any code begins like one of equal length. */
export function isReserved(text: string): boolean {
  const { length } = text;
  if (length > reservedLengthMax || reservedStarts[length * 32 + (text.charCodeAt(0) & 31)] !== 1) return false;
  return reservedWords.has(text.toLowerCase());
}

/** An alias that a person may choose (it may be taken all the same), or why not. Nothing is trimmed or replaced. */
export function parseAlias(input: unknown): string | FieldError {
  if (typeof input !== 'string') return refuse('wrong-type', 'The alias must be a text.');
  if (input.length > 64) return refuse('too-long', 'An alias has at most 64 characters.');
  if (!/^[A-Za-z0-9_-]*$/.test(input)) {
    return refuse('alias-format', 'An alias has only the letters a to z and A to Z, digits, hyphens and underscores.');
  }
  if (input.length < 3) return refuse('too-short', 'An alias has at least 3 characters.');
  if (isReserved(input))
    return refuse('alias-reserved', `"${input}" is the name of a page of this site; choose another.`);
  return input;
}

function refuse(code: FieldErrorCode, detail: string): FieldError {
  return { field: 'alias', code, detail };
}
