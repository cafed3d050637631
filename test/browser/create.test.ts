import type { BrowserContext } from 'playwright-core';
import { follow, makeLink, totalOf, until, visit } from '../support/site.ts';
import { useSite } from '../support/use-site.ts';

describe('the form', () => {
  const site = useSite();

  const linksTo = async (url: string) => {
    const answer = await fetch(`${site.baseUrl}/api/links?url=${encodeURIComponent(url)}`);
    return ((await answer.json()) as { links: readonly { code: string }[] }).links;
  };

  it('loads without a console message, a policy report or a request to another origin (U1)', async () => {
    const messages: string[] = [];
    const foreign: string[] = [];
    site.page.on('console', (message) => messages.push(message.text()));
    site.page.on('pageerror', (error) => messages.push(error.message));
    site.page.on('request', (request) => {
      if (!request.url().startsWith(site.baseUrl) && !request.url().startsWith('data:')) foreign.push(request.url());
    });

    const response = await site.page.goto('/', { waitUntil: 'networkidle' });

    expect(messages).toEqual([]);
    expect(foreign).toEqual([]);
    expect(await response?.headerValue('content-security-policy')).toContain("default-src 'none'");
  });

  it('stays within its weight on the wire, and so do the statistics (U2)', async () => {
    const link = await makeLink(site.baseUrl, { url: 'https://example.com/weight', unique: true });
    for (let i = 0; i < 20; i++) await visit(link, 1, { referer: `https://referrer-${i}.example/` });
    await until(
      () => totalOf(site.baseUrl, link.code),
      (total) => total === 20,
    );

    // Not UTC: then a first visit to the statistics fetches them once more, in the browser's zone.
    const context = await site.browser.newContext({ baseURL: site.baseUrl, timezoneId: 'Asia/Tokyo' });
    const home = await weigh(context, '/');
    await context.clearCookies();
    const stats = await weigh(context, `/stats/${link.code}?range=30d&bots=1`);

    await context.close();

    expect(home.requests).toBeLessThanOrEqual(5);
    expect(home.bytes).toBeLessThanOrEqual(25_000);
    expect(stats.requests).toBeLessThanOrEqual(7);
    expect(stats.bytes).toBeLessThanOrEqual(40_000);
    expect(Math.max(home.scriptBytes, stats.scriptBytes)).toBeLessThanOrEqual(15_000);
  });

  it('shows a short link within 300 ms of Enter, and it leads to what was typed (U3)', async () => {
    await site.page.goto('/');
    await site.page.fill('#url', 'https://example.com/some/long/path?with=query#and-fragment');

    // The page itself takes the time, from the key to the link: how long the test takes to hear of it does not count.
    const measured = site.page.evaluate(
      () =>
        new Promise<number>((resolve) => {
          let began = 0;
          addEventListener('keydown', () => (began = performance.now()), true);
          new MutationObserver(() => {
            if (document.querySelector('#results .short-url')) resolve(performance.now() - began);
          }).observe(document.body, { childList: true, subtree: true });
        }),
    );
    await site.page.press('#url', 'Enter');
    const took = await measured;
    const link = site.page.locator('#results .short-url');

    const { status, location } = await follow((await link.getAttribute('href')) ?? '');
    expect({ status, location }).toEqual({
      status: 302,
      location: 'https://example.com/some/long/path?with=query#and-fragment',
    });
    expect(took).toBeLessThanOrEqual(300);
  });

  it('works the same without JavaScript, by 303 to the result page (U4)', async () => {
    const plain = await site.browser.newContext({ baseURL: site.baseUrl, javaScriptEnabled: false });
    const form = await plain.newPage();
    await form.goto('/');
    await form.fill('#url', 'https://example.com/no-script');
    const [answer] = await Promise.all([
      form.waitForResponse((response) => response.request().method() === 'POST'),
      form.press('#url', 'Enter'),
    ]);

    expect(answer.status()).toBe(303);
    await form.waitForURL(/\/links\/[\w-]+/);
    const shortUrl = (await form.locator('.short-url').getAttribute('href')) ?? '';
    expect(await follow(shortUrl)).toEqual({ status: 302, location: 'https://example.com/no-script' });
    await plain.close();
  });

  it.each([true, false])('completes a bare host and path, with JavaScript %s (U5)', async (javaScriptEnabled) => {
    const other = await site.browser.newContext({ baseURL: site.baseUrl, javaScriptEnabled });
    const form = await other.newPage();
    await form.goto('/');
    await form.fill('#url', 'example.com/x');
    await form.press('#url', 'Enter');

    const shortUrl = await form.locator('.short-url').getAttribute('href');
    expect(await follow(shortUrl ?? '')).toEqual({ status: 302, location: 'https://example.com/x' });
    await other.close();
  });

  it.each([true, false])(
    'tells each wrong address at its field and keeps what was typed, with JavaScript %s (U6)',
    async (javaScriptEnabled) => {
      const other = await site.browser.newContext({ baseURL: site.baseUrl, javaScriptEnabled });
      const form = await other.newPage();
      const messages: string[] = [];
      const wrong = ['', 'javascript:alert(1)', `${site.baseUrl}/abc`, `https://example.com/${'x'.repeat(2048)}`];
      for (const typed of wrong) {
        await form.goto('/');
        await form.fill('#url', typed);
        await form.press('#url', 'Enter');
        const error = form.locator('#url-error:not([hidden])');
        await error.waitFor();
        messages.push((await error.textContent()) ?? '');

        const input = form.locator('#url');
        expect(await input.inputValue()).toBe(typed);
        expect(await input.getAttribute('aria-invalid')).toBe('true');
        expect(await input.getAttribute('aria-describedby')).toContain('url-error');
        expect(await input.evaluate((element) => element.ownerDocument.activeElement === element)).toBe(true);
      }
      expect(new Set(messages).size).toBe(wrong.length);

      await form.goto('/');
      await form.fill('#url', 'ftp://example.com/file');
      await form.press('#url', 'Enter');
      await form.locator('#url-error:not([hidden])').waitFor();
      expect(await form.locator('#url-error').textContent()).toBe(messages[1]);
      await other.close();
    },
  );

  it('tells a taken ending while it is typed and after it was sent, and keeps the other fields (U7)', async () => {
    await makeLink(site.baseUrl, { url: 'https://example.com/first', alias: 'taken-one' });
    await site.page.goto('/');
    await site.page.fill('#url', 'https://example.com/second');
    await site.page.click('.options > summary');
    await site.page.fill('#tags', 'a, b');
    await site.page.fill('#alias', 'not-taken');
    await until(
      () => site.page.locator('#alias-state').textContent(),
      (text) => (text ?? '').includes(`${new URL(site.baseUrl).port}/not-taken`),
    );
    await site.page.fill('#alias', 'taken-one');
    await until(
      () => site.page.locator('#alias-state').textContent(),
      (text) => /taken/i.test(text ?? ''),
    );
    const [answer] = await Promise.all([
      site.page.waitForResponse((response) => response.request().method() === 'POST'),
      site.page.click('#create button[type="submit"]'),
    ]);
    await site.page.locator('#alias-error:not([hidden])').waitFor();

    expect(answer.status()).toBe(409);
    expect(await site.page.locator('#alias-error').textContent()).toMatch(/taken/i);
    expect(await site.page.inputValue('#url')).toBe('https://example.com/second');
    expect(await site.page.inputValue('#tags')).toBe('a, b');
  });

  it('tells the rule at once when an ending breaks it', async () => {
    await site.page.goto('/');
    await site.page.click('.options > summary');
    await site.page.fill('#alias', 'ab');
    await until(
      () => site.page.locator('#alias-state').textContent(),
      (text) => /3 to 64/.test(text ?? ''),
    );
  });

  it('shows the rule for endings before there is an error (U8)', async () => {
    await site.page.goto('/');
    await site.page.click('.options > summary');
    expect(await site.page.locator('#alias-hint').textContent()).toMatch(/3 to 64/);
    expect(await site.page.locator('#alias').getAttribute('aria-describedby')).toBe('alias-hint');
  });

  it('makes one link of a double click (U9)', async () => {
    const url = 'https://example.com/double-click';
    await site.page.goto('/');
    await site.page.fill('#url', url);
    await site.page.click('.options > summary');
    await site.page.uncheck('[name="reuse"]');
    await site.page.dblclick('#create button[type="submit"]');
    await site.page.locator('#results .short-url').waitFor();

    const links = await linksTo(url);
    expect(links).toHaveLength(1);
    const history = await fetch(`${site.baseUrl}/api/links/${links[0]?.code}/history`);
    const { events } = (await history.json()) as { events: readonly { type: string }[] };
    expect(events.map(({ type }) => type)).toEqual(['LinkCreated']);
  });

  it('refuses a past expiry, and a link that expired answers 410 with a page that says so (U13)', async () => {
    await site.page.goto('/');
    await site.page.fill('#url', 'https://example.com/expiring');
    await site.page.click('.options > summary');
    await site.page.selectOption('#expires', 'at');
    await site.page.fill('#expiresAt', '2020-01-01T00:00:00');
    await site.page.press('#url', 'Enter');
    await site.page.locator('#expiresAt-error:not([hidden])').waitFor();
    expect(await site.page.locator('#expiresAt-error').textContent()).toMatch(/past/);
    expect(await linksTo('https://example.com/expiring')).toEqual([]);

    const expiresAt = new Date(Date.now() + 2000).toISOString();
    const { shortUrl } = await makeLink(site.baseUrl, { url: 'https://example.com/expiring', expiresAt });
    expect((await follow(shortUrl)).status).toBe(302);
    await until(
      () => follow(shortUrl),
      ({ status }) => status === 410,
    );
    const response = await site.page.goto(shortUrl);
    expect(response?.status()).toBe(410);
    expect(await site.page.locator('h1').textContent()).toMatch(/expired/i);
  });
});

/** Requests and bytes on the wire of a first load, without a cache, as the browser's own protocol counts them. */
async function weigh(
  context: BrowserContext,
  path: string,
): Promise<{ readonly requests: number; readonly bytes: number; readonly scriptBytes: number }> {
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send('Network.enable');
  await session.send('Network.setCacheDisabled', { cacheDisabled: true });
  const scripts = new Set<string>();
  let requests = 0;
  let bytes = 0;
  let scriptBytes = 0;
  session.on('Network.requestWillBeSent', ({ requestId, request, type }) => {
    if (request.url.startsWith('data:')) return;
    requests++;
    if (type === 'Script') scripts.add(requestId);
  });
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    bytes += encodedDataLength;
    if (scripts.has(requestId)) scriptBytes += encodedDataLength;
  });
  await page.goto(path, { waitUntil: 'load' });
  if (path.startsWith('/stats')) {
    await page.locator('#live[data-state="live"]').waitFor();
    await page.locator('#zone', { hasText: 'Tokyo' }).waitFor();
  }
  await page.evaluate(() => new Promise(requestAnimationFrame));
  await page.close();
  return { requests, bytes, scriptBytes };
}
