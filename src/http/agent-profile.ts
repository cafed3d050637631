/**
 * What a `User-Agent` header says about the program behind a visit, reduced to major versions and to names that are known
 * or say that they are a program's. The header itself is not kept beyond the cache in memory. It does not decide on prefetches: other headers do.
 */
import Bowser from 'bowser';
import { isbot } from 'isbot';
import { LRUCache } from 'lru-cache';
import { visitBounds } from '../domain/visit-bounds.ts';

export interface AgentProfile {
  readonly bot: boolean;
  /** Product names with major versions only, such as `Mozilla/5 AppleWebKit/537 Chrome/120 Safari/537 Windows/10`. */
  readonly agent: string;
  /** Empty for bots and when unknown, like `os` and `device`. */
  readonly browser: string;
  readonly os: string;
  readonly device: string;
  readonly crawler: string;
}

/** A header is cut to this length before anything looks at it, so that no pattern is slow on a long one. */
export const userAgentLengthMax = 512;

const profilesMax = 10_000;

/** Profiles by header. A header is analysed once (about 30 µs) and remembered while it is among the most recent 10,000. */
export function createAgentProfiles(): (userAgent: string | undefined) => AgentProfile {
  const profiles = new LRUCache<string, AgentProfile>({ max: profilesMax });
  let lastHeader: string | undefined;
  let last = noAgent;
  return (userAgent) => {
    if (userAgent === undefined || userAgent === '') return noAgent;
    // A visit asks twice, for its class and for its names.
    if (userAgent === lastHeader) return last;
    const header = userAgent.length > userAgentLengthMax ? startOf(userAgent) : userAgent;
    let profile = profiles.get(header);
    if (profile === undefined) {
      profile = profileOf(header);
      profiles.set(header, profile);
    }
    lastHeader = header;
    last = profile;
    return profile;
  };
}

/** A copy: a slice would keep the whole header in memory as long as its profile. Header values are Latin-1. */
function startOf(userAgent: string): string {
  return Buffer.from(userAgent.slice(0, userAgentLengthMax), 'latin1').toString('latin1');
}

/** A program that does not say what it is, is no browser. */
const noAgent: AgentProfile = { bot: true, agent: '', browser: '', os: '', device: '', crawler: '' };

function profileOf(header: string): AgentProfile {
  const { browser, os, platform } = Bowser.parse(header);
  const products = productsOf(header);
  const osName = osNames.has(os.name ?? '') ? (os.name ?? '') : '';
  const osVersion = majorOf(os.version) ?? majorOf(os.versionName);
  const agent = joined(products, osName === '' || osVersion === undefined ? osName : `${osName}/${osVersion}`);
  // Its fallback takes a name out of the header as it stands: only names of the library's own list are kept.
  const browserName = browserNames.has(browser.name ?? '') ? (browser.name ?? '') : '';
  if (isbot(header)) {
    const named = platform.type === 'bot' ? browserName : '';
    return { bot: true, agent, browser: '', os: '', device: '', crawler: named || crawlerAmong(products) };
  }
  const device = humanDevices.has(platform.type ?? '') ? (platform.type ?? '') : '';
  return { bot: false, agent, browser: browserName, os: osName, device, crawler: '' };
}

function majorOf(version: string | undefined): string | undefined {
  return /^\d{1,4}(?!\d)/.exec(version ?? '')?.[0];
}

const browserNames: ReadonlySet<string> = new Set(
  Object.values(Bowser.BROWSER_MAP).filter((name) => name !== 'Generic'),
);
const osNames: ReadonlySet<string> = new Set(Object.values(Bowser.OS_MAP));
const humanDevices: ReadonlySet<string> = new Set(['desktop', 'mobile', 'tablet', 'tv']);

interface Product {
  readonly name: string;
  readonly major: string | undefined;
}

/** Products named at most in an agent; browsers name four to eight. */
const productsMax = 10;

/** The header's products in its order, each once. Words that hold a web or mail address are left out as a whole. */
function productsOf(header: string): readonly Product[] {
  const products = new Map<string, Product>();
  const words = header.split(/[\s;,()<>]+/).filter((word) => !/:\/\/|@|www\./.test(word));
  for (const [, name = '', major] of words
    .join(' ')
    .matchAll(/(?<![\w.@-])([A-Za-z][\w-]{1,23})(?![\w-])(?:[/ ]v?(\d{1,4})(?![\d\w-]))?/g)) {
    if (!isProductName(name) || products.has(name)) continue;
    products.set(name, { name, major });
    if (products.size === productsMax) break;
  }
  return [...products.values()];
}

/** Engines, browsers, apps, libraries that are known by name. */
const knownProducts: ReadonlySet<string> = new Set(
  (
    'Mozilla AppleWebKit WebKit Gecko Presto Trident Blink Goanna Servo Version Mobile Tablet Safari Chrome Chromium CriOS ' +
    'Firefox FxiOS Focus Klar Edge Edg EdgA EdgiOS Opera OPR OPT OPiOS OPX MSIE SamsungBrowser Vivaldi Brave YaBrowser ' +
    'UCBrowser UBrowser QQBrowser MQQBrowser MiuiBrowser HeyTapBrowser HuaweiBrowser VivoBrowser Whale Silk Puffin Ddg ' +
    'DuckDuckGo Electron PaleMoon SeaMonkey Waterfox LibreWolf Ladybird Epiphany Konqueror Falkon Maxthon Sleipnir ' +
    'Instagram FBAN FBAV FBIOS Line MicroMessenger WhatsApp Snapchat Pinterest TikTok Twitter Telegram Signal Slack ' +
    'Discord Teams Outlook Thunderbird GSA HeadlessChrome PhantomJS Playwright Puppeteer Selenium Lighthouse ' +
    'curl Wget wget aria2 okhttp axios got undici node Deno Bun Java Dart Go-http-client python-requests python-urllib ' +
    'Python-urllib aiohttp httpx Scrapy libwww-perl Ruby PHP PostmanRuntime insomnia HTTPie facebookexternalhit ' +
    'facebookcatalog ia_archiver Embedly Mastodon Pleroma Dalvik CFNetwork Darwin Tesla SmartTV NetCast Viera'
  ).split(' '),
);

/** Programs that say in their name what they are, for rules to come. */
const programName = /bot(?:$|[-_A-Z])|crawler|spider|fetcher|preview|monitor|scanner|reader|checker/i;

/**
 * Whether a word may be kept. A name not on the list must read like one: at most two digits and four changes to upper
 * case, so that neither a token nor an identifier of a person passes for a program.
 */
function isProductName(word: string): boolean {
  if (knownProducts.has(word)) return true;
  return (
    programName.test(word) &&
    word.replace(/\D/g, '').length <= 2 &&
    (word.match(/[a-z][A-Z]/g)?.length ?? 0) <= 4 &&
    !/[-_].*[-_]/.test(word)
  );
}

function joined(products: readonly Product[], os: string): string {
  let agent = '';
  for (const { name, major } of products) {
    const product = major === undefined ? name : `${name}/${Number(major)}`;
    const longer = agent === '' ? product : `${agent} ${product}`;
    if (longer.length + 1 + os.length > visitBounds.agentLengthMax) break;
    agent = longer;
  }
  return os === '' ? agent : `${agent} ${os}`.trimStart();
}

/** What every browser says of itself: no name of a crawler. */
const browserProducts: ReadonlySet<string> = new Set(
  'Mozilla AppleWebKit WebKit Gecko Version Mobile Safari Chrome Firefox Edg Trident MSIE'.split(' '),
);

function crawlerAmong(products: readonly Product[]): string {
  const own = products.filter(({ name }) => !browserProducts.has(name));
  return (own.find(({ name }) => programName.test(name)) ?? own[0])?.name ?? '';
}
