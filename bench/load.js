/**
 * The load of every measurement: who visits which link, when, and with what headers. Seeded, so that two runs and two
 * builds get the same one.
 */

/** Seeded random numbers 0 <= x < 1 (sfc32 by Chris Doty-Humphrey). */
export function createRandom(seed) {
  let [a, b, c, d] = [0x9e3779b9, 0x243f6a88, 0xb7e15162, seed | 0];
  const next = () => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return (t >>> 0) / 4_294_967_296;
  };
  for (let i = 0; i < 16; i++) next();
  return next;
}

/** Draws 0 to `count - 1`, number k with a probability proportional to 1 / (k + 1)^s. */
export function createZipf(count, random, s = 1) {
  const cumulative = new Float64Array(count);
  let sum = 0;
  for (let k = 0; k < count; k++) {
    sum += 1 / (k + 1) ** s;
    cumulative[k] = sum;
  }
  return () => {
    const x = random() * sum;
    let [low, high] = [0, count - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (cumulative[middle] < x) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

export const popularities = ['zipf', 'uniform', 'one-link'];

/**
 * An endless stream of visits. `link` is the number of a link (0 to `links - 1`), `at` its time in ms: `visits` visits
 * spread evenly over `days` days that end at `endMs`. `address` is an IPv4 address as a proxy would pass it on.
 */
export function createLoad({
  seed = 1,
  links = 100_000,
  popularity = 'zipf',
  visits = 1_000_000,
  days = 30,
  endMs = Date.UTC(2026, 9, 31),
} = {}) {
  const random = createRandom(seed);
  const pickLink = linkPicker(popularity, links, random);
  const pickAgent = createZipf(agents.length, random, 0.7);
  const pickReferrer = createZipf(referrers.length, random);
  const pickCountry = createZipf(countries.length, random);
  const pickLanguage = createZipf(languages.length, random);
  const spanMs = days * 86_400_000;
  let n = 0;
  return {
    next() {
      const at = endMs - spanMs + Math.floor((n++ * spanMs) / visits);
      return {
        link: pickLink(),
        at,
        agent: agents[pickAgent()],
        referrer: random() < 0.4 ? '' : referrers[pickReferrer()],
        country: countries[pickCountry()],
        language: languages[pickLanguage()],
        address: `${1 + Math.floor(random() * 222)}.${octet(random)}.${octet(random)}.${1 + Math.floor(random() * 254)}`,
      };
    },
  };
}

/** The target of link number `i`: each its own, of the lengths that are met. */
export function targetOf(i) {
  const path = ['', '/articles', '/shop/item', '/docs/v2/guide', '/watch'][i % 5];
  const query = i % 3 === 0 ? `?utm_source=newsletter&utm_campaign=week-${i % 53}` : '';
  return `https://site-${i % 5_003}.example${path}/${i.toString(36)}-${(i * 2_654_435_761).toString(36)}${query}`;
}

function linkPicker(popularity, links, random) {
  if (popularity === 'one-link') return () => 0;
  if (popularity === 'uniform') return () => Math.floor(random() * links);
  const rank = createZipf(links, random);
  const linkOfRank = Uint32Array.from({ length: links }, (_, i) => i);
  // The famous links are not those that were created first.
  for (let i = links - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [linkOfRank[i], linkOfRank[j]] = [linkOfRank[j], linkOfRank[i]];
  }
  return () => linkOfRank[rank()];
}

function octet(random) {
  return Math.floor(random() * 256);
}

/** Agents as browsers send them (their reduced form), in-app browsers, and crawlers. */
export const agents = interleave(
  range(116, 142).flatMap((major) => {
    const webkit = 'AppleWebKit/537.36 (KHTML, like Gecko)';
    const chrome = `Chrome/${major}.0.0.0`;
    return [
      `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${webkit} ${chrome} Safari/537.36`,
      `Mozilla/5.0 (Linux; Android 10; K) ${webkit} ${chrome} Mobile Safari/537.36`,
      `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${webkit} ${chrome} Safari/537.36`,
      `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${webkit} ${chrome} Safari/537.36 Edg/${major}.0.0.0`,
      `Mozilla/5.0 (X11; Linux x86_64) ${webkit} ${chrome} Safari/537.36`,
      `Mozilla/5.0 (Linux; Android 10; K) ${webkit} SamsungBrowser/${major - 92}.0 ${chrome} Mobile Safari/537.36`,
      `Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) ${webkit} ${chrome} Safari/537.36`,
    ];
  }),
  ['15_6', '16_3', '16_6', '17_1', '17_4', '17_6', '18_0', '18_1', '18_3', '18_5', '18_6'].flatMap((version) => {
    const webkit = 'AppleWebKit/605.1.15 (KHTML, like Gecko)';
    const dotted = version.replace('_', '.');
    return [
      `Mozilla/5.0 (iPhone; CPU iPhone OS ${version} like Mac OS X) ${webkit} Version/${dotted} Mobile/15E148 Safari/604.1`,
      `Mozilla/5.0 (iPad; CPU OS ${version} like Mac OS X) ${webkit} Version/${dotted} Mobile/15E148 Safari/604.1`,
      `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${webkit} Version/${dotted} Safari/605.1.15`,
      `Mozilla/5.0 (iPhone; CPU iPhone OS ${version} like Mac OS X) ${webkit} CriOS/138.0.7204.156 Mobile/15E148 Safari/604.1`,
      `Mozilla/5.0 (iPhone; CPU iPhone OS ${version} like Mac OS X) ${webkit} Mobile/15E148 [FBAN/FBIOS;FBAV/500.0.0.51.105]`,
    ];
  }),
  range(115, 143).flatMap((major) => [
    `Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:${major}.0) Gecko/20100101 Firefox/${major}.0`,
    `Mozilla/5.0 (X11; Linux x86_64; rv:${major}.0) Gecko/20100101 Firefox/${major}.0`,
    `Mozilla/5.0 (Android 14; Mobile; rv:${major}.0) Gecko/${major}.0 Firefox/${major}.0`,
  ]),
  [
    'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
    'Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)',
    'Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)',
    'Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)',
    'Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)',
    'facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)',
    'Twitterbot/1.0',
    'Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)',
    'TelegramBot (like TwitterBot)',
    'WhatsApp/2.23.20.0',
    'LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)',
    'Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)',
    'curl/8.5.0',
    'python-requests/2.32.3',
    'Go-http-client/2.0',
  ],
);

/** Referring pages; the most frequent first. */
export const referrers = [
  ...['www.google.com', 't.co', 'www.facebook.com', 'www.linkedin.com', 'news.ycombinator.com', 'www.reddit.com'],
  ...['duckduckgo.com', 'www.bing.com', 'lobste.rs', 'github.com', 'mastodon.social', 'bsky.app', 'www.youtube.com'],
  ...['l.instagram.com', 'out.reddit.com', 'old.reddit.com', 'm.facebook.com', 'search.yahoo.com', 'www.baidu.com'],
  ...['yandex.ru', 'www.ecosia.org', 'www.pinterest.com', 'medium.com', 'dev.to', 'stackoverflow.com', 'www.quora.com'],
  ...['web.telegram.org', 'mail.google.com', 'outlook.live.com', 'teams.microsoft.com', 'app.slack.com', 'discord.com'],
  ...Array.from({ length: 270 }, (_, i) => `blog-${i}.example`),
].map((host, i) => `https://${host}/${i % 4 === 0 ? '' : `path/${i}`}`);

export const countries =
  'US IN BR DE GB FR JP ID MX RU CA IT ES KR NL TR PL AU VN AR TH PH CO SE CH BE AT CZ PT RO GR HU DK NO FI IE NZ ZA EG NG KE MA SA AE IL UA CL PE MY SG HK TW BD PK LK NP MM KZ UZ GE AM BY RS HR SI SK BG LT LV EE IS LU CY MT AL BA MK'.split(
    ' ',
  );

const languages = [
  ...['en-US,en;q=0.9', 'de-DE,de;q=0.9,en;q=0.8', 'fr-FR,fr;q=0.9', 'es-ES,es;q=0.9,en;q=0.5', 'pt-BR,pt;q=0.9'],
  ...['ja-JP,ja;q=0.9', 'zh-CN,zh;q=0.9', 'ru-RU,ru;q=0.9', 'it-IT,it;q=0.9', 'pl-PL,pl;q=0.9', 'nl-NL,nl;q=0.9'],
  ...['tr-TR,tr;q=0.9', 'ko-KR,ko;q=0.9', 'ar,en;q=0.6', 'hi-IN,hi;q=0.9,en;q=0.7', 'sv-SE,sv;q=0.9', 'uk-UA,uk;q=0.9'],
];

function range(from, to) {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

/** Mixes lists so that each keeps its share near the front, where the popular ones stand. */
function interleave(...lists) {
  return lists
    .flatMap((list) => list.map((item, i) => ({ item, place: (i + 0.5) / list.length })))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}
