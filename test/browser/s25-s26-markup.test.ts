import type { Browser, Page } from 'playwright-core';
import { openBrowser } from '../support/browser.ts';
import { payloads, plantPayloads } from '../support/markup-payloads.ts';
import { type RunningProgram, startProgram } from '../support/running-program.ts';

describe('hostile text in the pages', () => {
  let program: RunningProgram;
  let browser: Browser;
  beforeAll(async () => {
    [program, browser] = await Promise.all([startProgram(), openBrowser()]);
    await plantPayloads(program.port);
  });
  afterAll(async () => {
    await browser.close();
    await program.dispose();
  });

  /** Opens a page that reports what it must not do. */
  async function watchedPage(): Promise<{ readonly page: Page; readonly alarms: string[] }> {
    const context = await browser.newContext({ baseURL: program.baseUrl });
    const page = await context.newPage();
    const alarms: string[] = [];
    page.on('dialog', (dialog) => {
      alarms.push(`dialog ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('console', (message) => {
      if (/Content.Security.Policy|Refused to/i.test(message.text())) alarms.push(message.text());
    });
    page.on('request', (request) => {
      const { protocol, hostname } = new URL(request.url());
      if (protocol !== 'data:' && hostname !== '127.0.0.1' && hostname !== 'localhost') alarms.push(request.url());
    });
    return { page, alarms };
  }

  const planted = (page: Page): Promise<readonly string[]> =>
    page.evaluate(() => {
      const found: string[] = 'hit' in window ? ['hit'] : [];
      for (const element of document.querySelectorAll('*')) {
        const tag = element.localName;
        if (['iframe', 'object', 'embed', 'base', 'math', 'animate', 'frame', 'applet'].includes(tag)) found.push(tag);
        if (tag === 'script' && !element.getAttribute('src')?.startsWith('/assets/')) {
          if (element.getAttribute('type') !== 'application/json') found.push('script');
        }
        if (tag === 'meta' && element.hasAttribute('http-equiv')) found.push('meta');
        for (const { name, value } of element.attributes) {
          if (name.startsWith('on')) found.push(`${tag} ${name}`);
          if (
            ['href', 'src', 'action', 'formaction'].includes(name) &&
            /^\s*(?:javascript|vbscript|data:text)/i.test(value)
          )
            found.push(`${tag} ${name}=${value}`);
        }
        if (element.id === 'planted') found.push('planted');
      }
      return found;
    });

  it('S25 and S26 shows links, numbers and previews without a dialog, a policy report or a new element', async () => {
    const { page, alarms } = await watchedPage();
    const paths = [
      '/links',
      '/links?sort=visits',
      '/stats/hostile-0',
      '/stats/hostile-0?range=24h&bots=1',
      // One link a page: which of both pages shows it alternates.
      ...payloads.map((_, index) => (index % 2 === 0 ? `/hostile-${index}+` : `/links/hostile-${index}`)),
    ];
    for (const path of paths) {
      await page.goto(path, { waitUntil: 'domcontentloaded' });
      expect({ path, planted: await planted(page), alarms }).toEqual({ path, planted: [], alarms: [] });
    }
    await page.goto('/hostile-1+');
    expect(await page.locator('body').innerText()).toContain('example.com');
    await page.context().close();
  });

  it('S26 reflects nothing out of addresses, whatever the page', async () => {
    const { page, alarms } = await watchedPage();
    for (const payload of payloads.slice(0, 16)) {
      const text = encodeURIComponent(payload);
      const path = [
        `/${text}`,
        `/links?q=${text}&tag=${text}`,
        `/stats/hostile-0?zone=${text}&from=${text}`,
        `/?url=${text}`,
      ][payloads.indexOf(payload) % 4] as string;
      await page.goto(path, { waitUntil: 'domcontentloaded' });
      expect({ path, planted: await planted(page), alarms }).toEqual({ path, planted: [], alarms: [] });
    }
    await page.context().close();
  });

  it.each([true, false])(
    'S26 shows a refused form again as it was typed, and nothing more (JavaScript %s)',
    async (script) => {
      const context = await browser.newContext({ baseURL: program.baseUrl, javaScriptEnabled: script });
      const page = await context.newPage();
      const alarms: string[] = [];
      page.on('dialog', (dialog) => {
        alarms.push(dialog.message());
        void dialog.dismiss();
      });
      for (const payload of payloads.slice(0, 5)) {
        await page.goto('/');
        await page.fill('[name=url]', payload);
        await page.press('[name=url]', 'Enter');
        await page.locator('[aria-invalid=true]').first().waitFor();
        expect(await page.inputValue('[name=url]')).toBe(payload);
        expect({
          payload,
          alarms,
          scripts: await page.locator('main script, [onerror], [onload], [onfocus]').count(),
        }).toEqual({
          payload,
          alarms: [],
          scripts: 0,
        });
      }
      await context.close();
    },
  );
});
