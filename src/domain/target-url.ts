/**
 * What a link may lead to. An address is parsed once, as WHATWG does it, and refused where that parser would be lenient;
 * what is stored is the `href` it gave. Purely textual: no name is ever looked up, no target ever contacted.
 */
import type { FieldError, FieldErrorCode } from './refusal.ts';

export interface TargetUrlRules {
  /** This shortener itself, as {@link ownHostsOf} gives it. */
  readonly ownHosts: ReadonlySet<string>;
  /** True lets loopback, private and metadata addresses pass; our own host is refused all the same. */
  readonly allowPrivateTargets: boolean;
}

/** Longest target, in characters of its `href`. */
export const targetUrlMaxLength = 2048;

/** Longer texts are refused unparsed. Above the limit of the `href`, since parsing may shorten what was typed. */
const typedUrlMaxLength = 8192;

/** The target as it is stored and sent (`new URL(input).href`, pure ASCII), or why it is refused. Never throws. */
export function parseTargetUrl(input: unknown, rules: TargetUrlRules): string | FieldError {
  if (input === undefined || input === null)
    return refuse('required', 'Enter the address that the link shall lead to.');
  if (typeof input !== 'string') return refuse('wrong-type', 'The address must be a text.');
  if (input.length > typedUrlMaxLength) return tooLong;
  const text = trimSpaces(input);
  if (text === '') return refuse('required', 'Enter the address that the link shall lead to.');
  return textRefusal(text) ?? parseText(text, rules);
}

/** Hosts of this shortener, each with its port, in the one spelling that all spellings of a target are compared in. */
export function ownHostsOf(baseUrl: string, baseUrlIsDefault: boolean): ReadonlySet<string> {
  const url = new URL(baseUrl);
  const names = [url.hostname];
  // Without a BASE_URL the server answers on loopback: whatever reaches it there would lead back to it.
  if (baseUrlIsDefault) names.push('localhost', '127.0.0.1', '[::1]', '0.0.0.0', '[::]');
  // On the default port http and https are one site: one of them usually only leads to the other.
  const ports = url.port === '' ? ['80', '443'] : [url.port];
  return new Set(names.flatMap((name) => ports.map((port) => `${canonicalHost(name)}:${port}`)));
}

/**
 * What a person typed into the form, completed: a bare `host.tld/path` becomes `https://host.tld/path`, all else stays as
 * it is. For the form only; the API never completes.
 */
export function completeTypedUrl(text: string): string {
  if (text.length > typedUrlMaxLength) return text;
  const trimmed = trimSpaces(text);
  return bareTypedUrl.test(trimmed) ? `https://${trimmed}` : text;
}

/**
 * What {@link completeTypedUrl} completes: labels of letters, digits and hyphens, a last one that begins with a letter, then
 * nothing, a port, or a path. The page's script gets its source, so that both complete the same.
 */
export const bareTypedUrl =
  /^(?:[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}_-]{0,62})\.)+\p{L}[\p{L}\p{M}\p{N}-]{1,62}(?::\d{1,5})?(?:[/?#][^\s\\]*)?$/u;

/** Refusals that the text alone decides, in the order in which they help most. */
function textRefusal(text: string): FieldError | undefined {
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(text)) {
    return refuse('characters-not-allowed', 'Remove tabs, line breaks and other control characters from the address.');
  }
  if (/\p{Surrogate}/u.test(text)) {
    return refuse('characters-not-allowed', 'The address holds half a character (a lone surrogate).');
  }
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1];
  // "example.com:8080/x" has a port where a scheme's rest would be.
  const isHostWithPort = scheme !== undefined && /\.|^localhost$/i.test(scheme) && /^[^:]*:\d+(?:[/?#]|$)/.test(text);
  if (scheme === undefined || isHostWithPort) {
    return refuse('not-absolute', 'Begin the address with https:// or http://.');
  }
  if (!/^https?$/i.test(scheme)) {
    const shown = scheme.length > 20 ? `${scheme.slice(0, 20)}…` : scheme;
    return refuse('scheme-not-allowed', `Only http and https addresses can be shortened, not "${shown}:".`);
  }
  if (text.includes('\\')) {
    return refuse('characters-not-allowed', 'Write slashes (/) instead of backslashes, or %5C where one is meant.');
  }
  const authority = /^https?:\/\/([^/?#]+)/i.exec(text)?.[1];
  if (authority === undefined) {
    return refuse('not-a-url', `Write exactly two slashes and a host after "${scheme}:", as in https://example.com/.`);
  }
  if (authority.includes('@')) return credentials;
  return undefined;
}

function parseText(text: string, rules: TargetUrlRules): string | FieldError {
  const url = parse(text);
  if (url === undefined)
    return refuse('not-a-url', 'This is not a valid address; compare it with where you copied it.');
  if (url.username !== '' || url.password !== '') return credentials;
  if (url.href.length > targetUrlMaxLength) return tooLong;
  const host = canonicalHost(url.hostname);
  // Stored addresses must mean the same to whoever parses them next.
  if (host === '' || hasEmptyPunycode(host) || !/^https?:$/.test(url.protocol) || parse(url.href)?.href !== url.href) {
    return refuse('not-a-url', 'This is not a valid address; compare it with where you copied it.');
  }
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  if (rules.ownHosts.has(`${host}:${port}`)) {
    return refuse(
      'own-host',
      'This address leads back to this shortener: enter the address it shall lead to in the end.',
    );
  }
  if (!rules.allowPrivateTargets && isPrivateHost(host)) {
    return refuse('private-target', 'Addresses of this machine or of private networks cannot be shortened here.');
  }
  return url.href;
}

/** `xn--` with nothing behind it encodes no name; Node 24's parser takes it, older ones do not. */
function hasEmptyPunycode(host: string): boolean {
  return host.split('.').includes('xn--');
}

/** The parser would trim controls as well; those are refused. A loop, because a pattern takes quadratic time here. */
function trimSpaces(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && text[start] === ' ') start++;
  while (end > start && text[end - 1] === ' ') end--;
  return text.slice(start, end);
}

function parse(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

function refuse(code: FieldErrorCode, detail: string): FieldError {
  return { field: 'url', code, detail };
}

const tooLong = refuse('too-long', `The address is longer than ${targetUrlMaxLength} characters.`);
const credentials = refuse('credentials-not-allowed', 'Remove the user name and password (all before the @ sign).');

/**
 * A parsed host name in one spelling: no dots at the end, IPv6 without brackets, an IPv4 address inside IPv6 as dotted
 * IPv4. (The parser has already lowered case, decoded, applied IDNA and read octal, hexadecimal and short IPv4.)
 */
function canonicalHost(hostname: string): string {
  if (!hostname.startsWith('[')) {
    let end = hostname.length;
    while (hostname[end - 1] === '.') end--;
    return hostname.slice(0, end);
  }
  const groups = ipv6Groups(hostname.slice(1, -1));
  const inner = isUnspecifiedOrLoopback(groups) ? undefined : embeddedIpv4(groups);
  if (inner === undefined) return hostname.slice(1, -1);
  return [inner >>> 24, (inner >>> 16) & 255, (inner >>> 8) & 255, inner & 255].join('.');
}

/** `host` as {@link canonicalHost} gives it. */
function isPrivateHost(host: string): boolean {
  if (host.includes(':')) {
    const groups = ipv6Groups(host);
    return (
      isUnspecifiedOrLoopback(groups) ||
      privateIpv6.some(([network, bits]) => sameNetwork(groups, ipv6Groups(network), bits))
    );
  }
  const address = ipv4Number(host);
  if (address === undefined) return privateName.test(host);
  return privateIpv4.some(([network, bits]) => (address ^ (ipv4Number(network) ?? 0)) >>> (32 - bits) === 0);
}

const privateName = /(?:^|\.)(?:localhost|local|internal|home\.arpa)$/;

const privateIpv4: readonly (readonly [network: string, bits: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
];

const privateIpv6: readonly (readonly [network: string, bits: number])[] = [
  ['fc00::', 7],
  ['fe80::', 10],
];

/** Prefixes of IPv6 addresses that carry an IPv4 address, and the group at which it begins. */
const ipv4Carriers: readonly (readonly [network: string, bits: number, group: number])[] = [
  ['::', 96, 6], // IPv4-compatible
  ['::ffff:0:0', 96, 6], // IPv4-mapped
  ['64:ff9b::', 96, 6], // NAT64 (RFC 6052)
  ['2002::', 16, 1], // 6to4 (RFC 3056)
];

/** `::` or `::1`, which are addresses of their own and carry no IPv4 address. */
function isUnspecifiedOrLoopback(groups: readonly number[]): boolean {
  return sameNetwork(groups, [], 127);
}

function embeddedIpv4(groups: readonly number[]): number | undefined {
  const carrier = ipv4Carriers.find(([network, bits]) => sameNetwork(groups, ipv6Groups(network), bits));
  if (carrier === undefined) return undefined;
  const [, , at] = carrier;
  return (((groups[at] ?? 0) << 16) | (groups[at + 1] ?? 0)) >>> 0;
}

function ipv4Number(host: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(host);
  if (match === null) return undefined;
  return match.slice(1).reduce((number, part) => number * 256 + Number(part), 0);
}

/** The eight groups of a compressed IPv6 address without brackets. */
function ipv6Groups(host: string): readonly number[] {
  const [head = '', tail] = host.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
}

function sameNetwork(left: readonly number[], right: readonly number[], bits: number): boolean {
  for (let group = 0; group * 16 < bits; group++) {
    const shift = Math.max(0, 16 - (bits - group * 16));
    if (((left[group] ?? 0) ^ (right[group] ?? 0)) >>> shift !== 0) return false;
  }
  return true;
}
