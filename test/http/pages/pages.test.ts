import request from 'supertest';
import { countryDataAttribution } from '../../../src/http/visit-description.ts';
import { StatisticsRebuilding, StatisticsUnavailable } from '../../../src/ports/statistics-read-model.ts';
import { createFakeApplication, type FakeApplication } from '../../support/pages-application.ts';
import { createPagesApp } from '../../support/pages-server.ts';

const now = Date.parse('2026-11-22T12:00:00Z');
const hostile = `<img src=x onerror=alert(1)>"'><script>alert(1)</script>`;

describe('pages', () => {
  let application: FakeApplication;
  let pages: ReturnType<typeof request>;

  beforeEach(() => {
    application = createFakeApplication(now);
    pages = request(createPagesApp(application));
  });

  const get = (path: string, headers: Readonly<Record<string, string>> = {}) =>
    pages.get(path).set({ accept: 'text/html', ...headers });
  const post = (fields: Readonly<Record<string, string>>) =>
    pages.post('/').type('form').set('accept', 'text/html').send(fields);

  it('carry a policy that allows nothing but own files, and are asked for anew each time', async () => {
    const { headers } = await get('/');
    expect(headers['content-security-policy']).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    );
    expect(headers['cache-control']).toBe('no-cache');
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['referrer-policy']).toBe('strict-origin-when-cross-origin');
  });

  it('hold no inline script, style or handler', async () => {
    application.addLink({ code: 'abc', url: 'https://example.com/' });
    application.addVisits('abc', [now - 1000]);
    for (const path of ['/', '/links', '/links/abc', '/stats/abc', '/abc+', '/links/nope']) {
      const { text } = await get(path);
      expect(text).not.toMatch(/<[^>]+ (style|on\w+)=/);
      expect(text).not.toMatch(/<script(?![^>]*(src=|type="application\/json"))/);
      expect(text).not.toContain('<style');
    }
  });

  it('name scripts and styles by their content and keep them for a year', async () => {
    const { text } = await get('/');
    const address = /\/assets\/home\.\w+\.js/.exec(text)?.[0] ?? '';
    const script = await get(address, { 'accept-encoding': 'br' });
    expect(script.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    expect(script.headers['content-encoding']).toBe('br');
    expect((await get('/favicon.ico')).headers['content-type']).toContain('image/svg+xml');
    expect((await get('/robots.txt')).text).toContain('User-agent');
    expect((await get('/assets/..%2fstyle.css')).status).toBe(404);
  });

  it('escape hostile texts wherever they are shown', async () => {
    application.addLink({ code: 'evil', url: `https://example.com/${hostile}`, note: hostile, tags: [hostile] });
    application.addLink({ code: 'script', url: 'javascript:alert(1)' });
    application.addVisits('evil', [now - 1000]);
    application.addNames('evil', 'referrers', [{ name: hostile, visits: 1 }]);
    for (const path of ['/links', '/links/evil', '/stats/evil', '/evil+', `/links?q=${encodeURIComponent(hostile)}`]) {
      const { text } = await get(path);
      expect(text).not.toContain('<img src=x');
      expect(text).not.toContain('<script>');
    }
    for (const path of ['/links', '/links/script', '/script+']) {
      expect((await get(path)).text).not.toContain('href="javascript:');
    }
  });

  it('make a link from the form and lead to it with 303', async () => {
    const { status, headers } = await post({
      key: 'k1',
      url: 'example.com/x',
      tags: 'a, b ,',
      expires: '1h',
      maxVisits: '5',
    });
    expect(status).toBe(303);
    const code = /^\/links\/(\w+)\?new=created$/.exec(headers['location'] ?? '')?.[1] ?? '';
    expect(application.linkTable.find(code)).toMatchObject({
      url: 'https://example.com/x',
      tags: ['a', 'b'],
      expiresAt: now + 3_600_000,
      maxVisits: 5,
    });
    expect((await get(headers['location'] ?? '')).text).toContain('Your short link is ready');
  });

  it('make one link of a form that is sent twice, and another of one that was changed', async () => {
    const first = await post({ key: 'k2', url: 'https://example.com/1' });
    const again = await post({ key: 'k2', url: 'https://example.com/1' });
    const other = await post({ key: 'k2', url: 'https://example.com/2' });
    expect(again.headers['location']).toBe(first.headers['location']);
    expect(other.headers['location']).not.toBe(first.headers['location']);
  });

  it('show a refused form again with what was typed, the reason at its field, and a summary', async () => {
    const { status, text } = await post({
      key: 'k3',
      url: 'ftp://example.com/<',
      note: 'kept',
      options: '1',
      alias: 'mine',
    });
    expect(status).toBe(422);
    expect(text).toContain('value="ftp://example.com/&lt;"');
    expect(text).toMatch(/>\s*kept<\/textarea>/);
    expect(text).toMatch(/<input id="url"[^>]* aria-describedby="url-hint url-error" aria-invalid="true" autofocus/);
    expect(text).toContain('<a href="#url">Only addresses that begin with http://');
  });

  it('tell with 409 that an ending is taken', async () => {
    application.addLink({ code: 'taken', url: 'https://example.com/' });
    const { status, text } = await post({ key: 'k4', url: 'https://example.com/2', options: '1', alias: 'taken' });
    expect(status).toBe(409);
    expect(text).toContain('This ending is taken.');
  });

  it('list links with filters, sorting and paging in the address', async () => {
    for (let i = 0; i < 30; i++) {
      application.addLink({ code: `code${i}`, url: `https://example.com/${i}`, tags: i === 3 ? ['one'] : [] });
    }
    const first = await get('/links');
    const next = /rel="next" href="([^"]+)"/.exec(first.text)?.[1] ?? '';
    const second = await get(next.replaceAll('&amp;', '&'));
    const codes = (text: string) => [...text.matchAll(/data-total="(\w+)"/g)].map(([, code]) => code);
    expect(codes(first.text)).toHaveLength(25);
    expect(new Set([...codes(first.text), ...codes(second.text)]).size).toBe(30);
    expect(second.text).not.toContain('rel="next"');
    expect(codes((await get('/links?tag=one')).text)).toEqual(['code3']);
    expect((await get('/links?q=nothing')).text).toContain('Nothing matches');
    expect((await get('/links?sort=visits&order=asc')).text).toMatch(
      /aria-sort="ascending"><a class="sort" href="\/links\?sort=visits"/,
    );
    expect((await get('/links?after=-1.x&sort=__proto__')).status).toBe(200);
  });

  it('show the same sum in chart, number and table', async () => {
    application.addLink({ code: 'abc', url: 'https://example.com/' });
    application.addVisits(
      'abc',
      Array.from({ length: 41 }, (_, i) => now - i * 3_600_000),
    );
    const { status, text } = await get('/stats/abc?range=7d');
    const values = [...text.matchAll(/<tr data-value="(\d+)"/g)].map(([, value]) => Number(value));
    expect(status).toBe(200);
    expect(values.reduce((sum, value) => sum + value)).toBe(41);
    expect(text).toContain('id="in-range">41<');
    expect(text.match(/<rect class="bar/g)).toHaveLength(values.length);
  });

  it('name where the country data comes from, as its licence asks', async () => {
    application.addLink({ code: 'abc', url: 'https://example.com/' });
    application.addVisits('abc', [now - 1000]);
    expect((await get('/stats/abc')).text).toContain(countryDataAttribution);
  });

  it('count bots only when asked', async () => {
    application.addLink({ code: 'abc', url: 'https://example.com/' });
    application.addVisits('abc', [now - 1000]);
    application.addBots('abc', 14);
    expect((await get('/stats/abc')).text).toContain('Hidden: 14 bot visits');
    expect((await get('/stats/abc?bots=1')).text).toMatch(/id="total"[^>]*>15</);
  });

  it('show progress and no number while the numbers are rebuilt', async () => {
    application.addLink({ code: 'abc', url: 'https://example.com/' });
    application.addVisits('abc', [now - 1000]);
    application.failNumbersWith(new StatisticsRebuilding({ fraction: 0.625, recordsDone: 5, recordsTotal: 8 }));
    const { status, headers, text } = await get('/stats/abc');
    expect(status).toBe(503);
    expect(headers['retry-after']).toBe('2');
    expect(text).toContain('Rebuilding counts: 62%');
    expect(text).toContain('"totals":null');
    expect(text).not.toContain('id="total"');
    for (const path of ['/links/abc', '/abc+']) {
      const page = await get(path);
      expect(page.status).toBe(200);
      expect(page.text).not.toContain('>Visits<');
    }

    application.failNumbersWith(new StatisticsUnavailable('away'));
    expect((await get('/stats/abc')).status).toBe(503);
    application.failNumbersWith(null);
    expect((await get('/stats/abc')).status).toBe(200);
  });

  it('list the links without their numbers while those are rebuilt', async () => {
    for (let i = 0; i < 30; i++) application.addLink({ code: `code${i}`, url: `https://example.com/${i}` });
    application.failNumbersWith(new StatisticsRebuilding({ fraction: 0.5, recordsDone: 1, recordsTotal: 2 }));
    const { status, text } = await get('/links?sort=visits');
    const rows = (page: string) =>
      [...page.matchAll(/class="row-short" href="\/links\/(\w+)"/g)].map(([, code]) => code);
    expect(status).toBe(200);
    expect(text).toContain('Visits are being counted anew.');
    expect(text).not.toContain('data-total');
    expect(text).not.toContain('No links yet');
    expect(rows(text)[0]).toBe('code29');
    const next = /rel="next" href="([^"]+)"/.exec((await get('/links')).text)?.[1] ?? '';
    expect(rows((await get(next.replaceAll('&amp;', '&'))).text)).toEqual([
      'code4',
      'code3',
      'code2',
      'code1',
      'code0',
    ]);
  });

  it('refuse a compressed form', async () => {
    const { status } = await pages
      .post('/')
      .set({ 'content-type': 'application/x-www-form-urlencoded', 'content-encoding': 'gzip', accept: 'text/html' })
      .send('url=x');
    expect(status).toBe(415);
  });

  it('name whose data tells the countries', async () => {
    application.addLink({ code: 'abc', url: 'https://example.com/' });
    application.addVisits('abc', [now - 1000]);
    expect((await get('/stats/abc')).text).toContain(countryDataAttribution);
  });

  it('say which range cannot be shown', async () => {
    application.addLink({ code: 'abc', url: 'https://example.com/' });
    const { status, text } = await get('/stats/abc?range=custom&from=2026-11-05&to=2026-11-01');
    expect(status).toBe(422);
    expect(text).toContain('The range must end after it begins.');
  });

  it('preview where a link leads, in the letters it is really spelled with', async () => {
    application.addLink({ code: 'idn', url: 'https://xn--80ak6aa92e.com/' });
    application.addLink({ code: 'mix', url: new URL('https://p\u0430ypal.example/').href });
    const { text, headers } = await get('/idn+');
    expect(headers['x-robots-tag']).toBe('noindex');
    expect(text).toContain('<bdi>xn--80ak6aa92e.com</bdi></h1>');
    expect(text).toContain('letters outside a to z');
    expect((await get('/mix+')).text).toContain('letters of different alphabets');
    const json = await pages.get('/idn%2B').set('accept', 'application/json');
    expect(json.body).toMatchObject({ code: 'idn', shortUrl: 'https://tally.example/idn', visits: { total: 0 } });
  });

  it('tell that a link is unknown or deleted', async () => {
    application.addLink({ code: 'gone', url: 'https://example.com/', deletedAt: now });
    for (const path of ['/links/nope', '/stats/nope', '/nope+']) {
      const { status, text } = await get(path);
      expect(status).toBe(404);
      expect(text).toContain('action="/"');
    }
    expect((await get('/gone+')).status).toBe(410);
    expect((await get('/links/gone')).text).toContain('data-action="restore"');
    const json = await pages.get('/stats/nope').set('accept', 'application/json');
    expect(json.body).toMatchObject({ status: 404, title: 'There is no such link' });
  });

  it('speak German to who asks, and remember a choice', async () => {
    expect((await get('/', { 'accept-language': 'de' })).text).toContain('Link kürzen');
    const { headers, text } = await get('/?lang=de');
    expect(text).toContain('<html lang="de"');
    expect(String(headers['set-cookie'])).toContain('lang=de');
  });
});
