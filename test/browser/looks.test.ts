import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { makeLink, totalOf, until, visit } from '../support/site.ts';
import { useSite } from '../support/use-site.ts';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

describe('all pages', () => {
  const site = useSite();
  const hostile = ['<img src=x onerror=alert(1)>', '"><script>alert(1)</script>'] as const;

  /** Every kind of page, of a link with visits and hostile texts. */
  const everyPage = async (): Promise<readonly string[]> => {
    const link = await makeLink(site.baseUrl, {
      url: `https://example.com/${hostile[1]}?q=${hostile[0]}`,
      note: hostile.join(' '),
      tags: [...hostile],
      unique: true,
    });
    const gone = await makeLink(site.baseUrl, {
      url: `https://example.com/${hostile[1]}`,
      note: hostile.join(' '),
      tags: [...hostile],
      unique: true,
    });
    await fetch(`${site.baseUrl}/api/links/${gone.code}`, { method: 'DELETE' });
    await visit(link, 3, { referer: `https://referrer.example/${hostile[1]}` });
    await until(
      () => totalOf(site.baseUrl, link.code),
      (total) => total === 3,
    );
    return [
      '/',
      `/links/${link.code}?new=created`,
      '/links',
      `/stats/${link.code}?bots=1`,
      `/${link.code}+`,
      '/nothing-here',
      `/${gone.code}`,
    ];
  };

  it('have no violation that axe finds, in light, dark and forced colours (U33)', async () => {
    for (const path of await everyPage()) {
      await site.page.goto(path);
      await site.page.evaluate(axeSource);
      for (const details of await site.page.locator('details').all()) {
        await details.evaluate((element) => element.setAttribute('open', ''));
      }
      for (const media of [
        { colorScheme: 'light' },
        { colorScheme: 'dark' },
        { colorScheme: 'light', forcedColors: 'active' },
      ] as const) {
        await site.page.emulateMedia({ forcedColors: 'none', ...media });
        const violations = await site.page.evaluate(async () => {
          const { axe } = window as unknown as {
            axe: { run(): Promise<{ violations: readonly { id: string; nodes: readonly { html: string }[] }[] }> };
          };
          const result = await axe.run();
          return result.violations.map(({ id, nodes }) => ({ id, nodes: nodes.map(({ html }) => html) }));
        });
        expect({ path, media, violations }).toEqual({ path, media, violations: [] });
      }
    }
  });

  it.each([
    ['320 pixels', 320],
    ['200 % zoom of 640 pixels', 320],
  ])('fit %s without scrolling sideways, with targets of 44 pixels (U37)', async (name, width) => {
    const pages = await everyPage();
    const context = await site.browser.newContext({
      baseURL: site.baseUrl,
      viewport: { width, height: 640 },
      deviceScaleFactor: name.includes('zoom') ? 2 : 1,
    });
    const page = await context.newPage();
    for (const path of pages) {
      await page.goto(path);
      for (const details of await page.locator('details').all()) {
        await details.evaluate((element) => element.setAttribute('open', ''));
      }
      const seen = await page.evaluate(() => ({
        scrollWidth: document.documentElement.scrollWidth,
        small: [
          ...document.querySelectorAll(
            'button, .button, select, input:not([type="hidden"], [type="checkbox"]), summary',
          ),
        ]
          .map((element) => ({ element, box: element.getBoundingClientRect() }))
          .filter(({ box }) => box.width > 0 && box.height < 43.5)
          .map(({ element }) => element.outerHTML.slice(0, 100)),
        cut: [...document.querySelectorAll('main *')]
          .filter((element) => element.closest('.hidden, .scroll, svg') === null)
          .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
          .map((element) => element.outerHTML.slice(0, 100)),
      }));
      expect({ path, ...seen }).toEqual({ path, scrollWidth: width, small: [], cut: [] });
    }
    await context.close();
  });

  it('run no animation for who wants less motion (U38)', async () => {
    const { code } = await makeLink(site.baseUrl, { url: 'https://example.com/calm' });
    await site.page.emulateMedia({ reducedMotion: 'reduce' });
    await site.page.goto(`/stats/${code}`);
    await site.page.locator('#live[data-state="live"]').waitFor();
    expect(await site.page.evaluate(() => document.getAnimations().length)).toBe(0);
  });

  it('are dark by system and by choice, from the first paint on (U39)', async () => {
    const isDark = () =>
      site.page.evaluate(() => {
        const [red = 255] = getComputedStyle(document.body).backgroundColor.match(/\d+/g)?.map(Number) ?? [];
        return red < 64;
      });
    await site.page.emulateMedia({ colorScheme: 'dark' });
    await site.page.goto('/');
    expect(await isDark()).toBe(true);

    await site.page.click('[data-action="theme"]');
    expect(await isDark()).toBe(false);

    // What the server sends already is light: no script has to run before the first paint.
    const sent = await site.page.reload();
    expect(await sent?.text()).toMatch(/<html[^>]* data-theme="light"/);
    expect(await isDark()).toBe(false);
    await site.page.emulateMedia({ colorScheme: 'light' });
    await site.page.click('[data-action="theme"]');
    expect(await isDark()).toBe(true);

    // The choice holds even where no script ever runs, so none can be late.
    const plain = await site.browser.newContext({
      baseURL: site.baseUrl,
      javaScriptEnabled: false,
      colorScheme: 'light',
    });
    await plain.addCookies([{ name: 'theme', value: 'dark', url: site.baseUrl }]);
    const page = await plain.newPage();
    await page.goto('/');
    const ground = page.locator('body');
    expect(await ground.evaluate((body) => getComputedStyle(body).backgroundColor)).toBe('rgb(17, 22, 20)');
    await plain.close();
  });

  it('render hostile targets, notes, tags and referrers as text (U41)', async () => {
    const pages = await everyPage();
    const alarms: string[] = [];
    site.page.on('dialog', (dialog) => {
      alarms.push(dialog.message());
      void dialog.dismiss();
    });
    site.page.on('console', (message) => {
      if (/Content Security Policy/i.test(message.text())) alarms.push(message.text());
    });
    for (const path of pages) {
      await site.page.goto(path, { waitUntil: 'networkidle' }).catch(() => site.page.waitForLoadState('load'));
      const foreign = await site.page.evaluate(
        () => document.querySelectorAll('[onerror], main script, main img:not([data-part])').length,
      );
      expect({ path, foreign, alarms }).toEqual({ path, foreign: 0, alarms: [] });
    }
    await site.page.goto('/links');
    expect(await site.page.locator('.row-note').first().textContent()).toBe(hostile.join(' '));
  });

  it('speak the language of the browser, or the one that was chosen', async () => {
    const german = await site.browser.newContext({ baseURL: site.baseUrl, locale: 'de-AT' });
    const page = await german.newPage();
    await page.goto('/');
    expect(await page.locator('html').getAttribute('lang')).toBe('de');
    expect(await page.locator('h1').textContent()).toBe('Link kürzen');
    await page.click('.languages [lang="en"]');
    expect(await page.locator('h1').textContent()).toBe('Shorten a link');
    await page.goto('/links');
    expect(await page.locator('html').getAttribute('lang')).toBe('en');
    await german.close();
  });
});
