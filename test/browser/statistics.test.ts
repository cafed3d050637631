import type { Page } from 'playwright-core';
import { openCuttableLine } from '../support/cuttable-line.ts';
import { allVisitsOf, follow, type MadeLink, makeLink, totalOf, until, visit } from '../support/site.ts';
import { useSite } from '../support/use-site.ts';

describe('the statistics page', () => {
  const site = useSite();

  const newLink = (path: string) => makeLink(site.baseUrl, { url: `https://example.com/${path}`, unique: true });
  const numberIn = async (page: Page, selector: string) =>
    Number(((await page.locator(selector).first().textContent()) ?? '').replaceAll(/\D/g, ''));
  const shownTotal = () => numberIn(site.page, '#total');
  const counted = (link: MadeLink, times: number) =>
    until(
      () => totalOf(site.baseUrl, link.code),
      (total) => total === times,
      10_000,
    );

  it.each([1, 100, 10_000])('shows exactly %d visits after as many (U18)', async (times) => {
    const link = await newLink(`exact-${times}`);
    await visit(link, times);
    const began = Date.now();
    await counted(link, times);
    expect(Date.now() - began).toBeLessThanOrEqual(2000);

    await site.page.goto(`/stats/${link.code}`);
    expect(await shownTotal()).toBe(times);
  });

  /** How long after each visit the page showed it, in ms. */
  const measured = async (page: Page, path: string, visits: number): Promise<number[]> => {
    const link = await newLink(path);
    await page.goto(`/stats/${link.code}`);
    await page.locator('#live[data-state="live"]').waitFor();
    const tookMs: number[] = [];
    for (let n = 1; n <= visits; n++) {
      // The page itself takes the time of its change, on the same clock: how long the test takes to hear of it does not count.
      const shownAt = page.evaluate(
        (expected) =>
          new Promise<number>((resolve) => {
            const look = () => document.querySelector('#total')?.textContent === expected && resolve(Date.now());
            new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true });
          }),
        String(n),
      );
      // Answered in order: once this comes back, the page is watching.
      await page.evaluate(() => undefined);
      const began = Date.now();
      await follow(link.shortUrl);
      const at = await shownAt;
      tookMs.push(at - began);
      // A visit at rest: the pause that follows each push (at most four a second) is over.
      await page.waitForFunction((pauseEnds) => Date.now() >= pauseEnds, at + 250);
    }
    return tookMs;
  };

  it('raises the shown total within a second of a visit, without a reload (U19)', async () => {
    const tookMs = await measured(site.page, 'live', 50);
    tookMs.sort((a, b) => a - b);

    expect(tookMs.at(-1)).toBeLessThanOrEqual(1000);
    expect(tookMs[47]).toBeLessThanOrEqual(300);
  });

  it('shows all visits after its stream was cut five times in a burst (U20)', async () => {
    const link = await newLink('cut');
    const line = await openCuttableLine(site.program.port);
    const context = await site.browser.newContext({
      baseURL: site.baseUrl,
      proxy: { server: line.address, bypass: '<-loopback>' },
    });
    const page = await context.newPage();
    const streaming = () =>
      until(
        () => line.streams,
        (n) => n === 1,
      );
    await page.goto(`/stats/${link.code}`);

    for (let cut = 0; cut < 5; cut++) {
      await streaming();
      await visit(link, 100);
      line.cut();
      await visit(link, 100);
    }

    expect(
      await until(
        () => numberIn(page, '#total'),
        (total) => total === 1000,
        20_000,
      ),
    ).toBe(1000);
    await context.close();
    await line.close();
  });

  it('opens no stream once it was hidden for a minute, and one when it is shown again (U24)', async () => {
    const link = await newLink('hidden');
    await site.page.clock.install();
    const opened: string[] = [];
    site.page.on('request', (request) => {
      if (request.url().includes('/api/stream')) opened.push(request.url());
    });
    await site.page.goto(`/stats/${link.code}`);
    await site.page.clock.runFor(1000);
    await until(
      () => opened.length,
      (n) => n === 1,
    );

    await setHidden(site.page, true);
    await site.page.clock.runFor(61_000);
    await visit(link, 3);
    await counted(link, 3);
    await site.page.clock.runFor(30_000);
    expect(await shownTotal()).toBe(0);
    expect(opened).toHaveLength(1);

    await setHidden(site.page, false);
    await site.page.clock.runFor(1000);
    await until(
      () => opened.length,
      (n) => n === 2,
    );
    await until(shownTotal, (total) => total === 3);
  });

  it('shares one stream between eight tabs (U23)', async () => {
    const link = await newLink('tabs');
    const tabs = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const tab = await site.context.newPage();
        await tab.goto(`/stats/${link.code}`);
        await tab.locator('#live[data-state="live"]').waitFor();
        return tab;
      }),
    );
    await visit(link, 5);
    for (const tab of tabs) {
      await until(
        () => numberIn(tab, '#total'),
        (total) => total === 5,
      );
    }
  });

  it('shows the same sum in the chart, the number in range and the table (U25)', async () => {
    const link = await newLink('sums');
    await visit(link, 37);
    await counted(link, 37);
    for (const range of ['24h', '7d', '30d', '12mo', 'all']) {
      await site.page.goto(`/stats/${link.code}?range=${range}`);
      const rows = await site.page
        .locator('#twin tbody tr')
        .evaluateAll((trs) =>
          trs.map(
            (tr) => [Number(tr.getAttribute('data-value')), Number(tr.querySelector('td')?.textContent)] as const,
          ),
        );
      const heights = await site.page
        .locator('#plot .bars rect')
        .evaluateAll((bars) => bars.map((bar) => Number(bar.getAttribute('height'))));

      // All visits are in one bucket, so its bar is the only one, and it stands for all of them.
      expect(heights.map((height) => height > 0)).toEqual(rows.map(([value]) => value > 0));
      expect(rows.reduce((sum, [value]) => sum + value, 0)).toBe(37);
      expect(rows.reduce((sum, [, people]) => sum + people, 0)).toBe(37);
      expect(await numberIn(site.page, '#in-range')).toBe(37);
    }
  });

  it('keeps range, interval, zone and bots in the address, through reload and Back (U27)', async () => {
    const link = await newLink('address');
    await visit(link, 2);
    await counted(link, 2);
    await site.page.goto(`/stats/${link.code}`);
    await site.page.click('[data-key="3"]');
    await site.page.locator('[data-key="3"][aria-current]').waitFor();
    await site.page.selectOption('[name="interval"]', 'week');
    await site.page.waitForURL(/interval=week/);
    await site.page.selectOption('#timezone', 'Asia/Kathmandu');
    await site.page.waitForURL(/timezone=Asia%2FKathmandu/);
    const state = async () => ({
      range: await site.page.locator('.controls [data-key][aria-current]').getAttribute('data-key'),
      interval: await site.page.inputValue('.selects [name="interval"]'),
      zone: await site.page.inputValue('#timezone'),
      text: await site.page.locator('#zone').textContent(),
      bots: await site.page.locator('.below a[data-swap]').textContent(),
    });
    const chosen = {
      range: '3',
      interval: 'week',
      zone: 'Asia/Kathmandu',
      text: 'Times in Asia/Kathmandu',
      bots: 'Hide',
    };
    await site.page.locator('#zone', { hasText: 'Kathmandu' }).waitFor();
    await site.page.click('.below a[data-swap]');
    await site.page.waitForURL(/bots=1/);
    await until(state, (now) => JSON.stringify(now) === JSON.stringify(chosen));

    await site.page.reload();
    expect(await state()).toEqual(chosen);

    await site.page.goBack();
    await until(state, ({ bots }) => bots === 'Show');
    await site.page.goBack();
    await until(state, ({ zone }) => zone !== 'Asia/Kathmandu');
    expect(await site.page.inputValue('.selects [name="interval"]')).toBe('week');
    await site.page.goBack();
    await until(state, ({ interval }) => interval === '');
    expect(new URL(site.page.url()).searchParams.get('range')).toBe('30d');
  });

  it('offers every time zone that the browser knows', async () => {
    const link = await newLink('zones');
    await site.page.goto(`/stats/${link.code}`);
    await site.page.focus('#timezone');
    const missing = await site.page.evaluate(() => {
      const offered = [...document.querySelectorAll<HTMLOptionElement>('#timezone option')].map(({ value }) => value);
      return Intl.supportedValuesOf('timeZone').filter((zone) => !offered.includes(zone));
    });
    expect(missing).toEqual([]);
    await site.page.selectOption('#timezone', 'Antarctica/Troll');
    await site.page.waitForURL(/timezone=Antarctica%2FTroll/);
    await site.page.locator('#timezone option[selected][value="Antarctica/Troll"]').waitFor({ state: 'attached' });
  });

  it('exports the rows of its table (U29)', async () => {
    const link = await newLink('export');
    await visit(link, 3);
    await visit(link, 2, { 'user-agent': 'Googlebot/2.1 (+http://www.google.com/bot.html)' });
    await until(
      () => allVisitsOf(site.baseUrl, link.code),
      (total) => total === 5,
    );
    await site.page.goto(`/stats/${link.code}?range=24h&timezone=UTC`);
    const table = await site.page.locator('#twin tbody tr').evaluateAll((trs) =>
      trs.map((tr) => {
        const [people, bots, all] = [...tr.querySelectorAll('td')].map((cell) => cell.textContent);
        return `${all},${people},${bots}`;
      }),
    );
    const address = await site.page.locator('.below a[download]').getAttribute('href');
    const csv = await (await fetch(`${site.baseUrl}${address}`)).text();
    const [header, ...rows] = csv.trim().split('\r\n');
    expect(header).toBe('start,total,nonBots,bots');
    expect(rows.map((row) => row.slice(row.indexOf(',') + 1))).toEqual(table);
    expect(table).toContain('5,3,2');
  });

  it('counts bots apart and shows them when asked (U30)', async () => {
    const link = await newLink('bots');
    await visit(link, 2);
    await visit(link, 3, { 'user-agent': 'Googlebot/2.1 (+http://www.google.com/bot.html)' });
    await counted(link, 2);
    await site.page.goto(`/stats/${link.code}`);
    await until(
      async () => {
        await site.page.reload();
        return site.page.locator('.below').textContent();
      },
      (text) => /Hidden: 3 bot visits/.test(text ?? ''),
    );
    expect(await shownTotal()).toBe(2);

    await site.page.click('.below a[data-swap]');
    await site.page.waitForURL(/bots=1/);
    await until(shownTotal, (total) => total === 5);
  });

  it('has an empty state with a next step for a link without visits (U31)', async () => {
    const link = await newLink('empty');
    for (const range of ['24h', '7d', '12mo', 'all']) {
      await site.page.goto(`/stats/${link.code}?range=${range}`);
      expect(await site.page.locator('.empty h2').textContent()).toBe('No visits yet');
      expect(await site.page.locator('main').textContent()).not.toMatch(/NaN|undefined|Infinity|null/);
    }
  });

  it('is read bar by bar with the arrow keys, in the words of the table (U35)', async () => {
    const link = await newLink('keys');
    await visit(link, 4);
    await counted(link, 4);
    await site.page.goto(`/stats/${link.code}`);
    await site.page.locator('.custom > summary').focus();
    for (let i = 0; i < 10 && !(await site.page.evaluate(() => document.activeElement?.id === 'plot')); i++) {
      await site.page.keyboard.press('Tab');
    }
    const readout = site.page.locator('#readout');
    const rows = await site.page
      .locator('#twin tbody tr')
      .evaluateAll((trs) => trs.map((tr) => `${tr.children[0]?.textContent}: ${tr.getAttribute('data-value')}`));

    expect(await readout.getAttribute('aria-live')).toBe('polite');
    expect(await readout.textContent()).toBe(rows.at(-1));
    await site.page.keyboard.press('ArrowLeft');
    expect(await readout.textContent()).toBe(rows.at(-2));
    await site.page.keyboard.press('Home');
    expect(await readout.textContent()).toBe(rows[0]);
    await site.page.keyboard.press('ArrowRight');
    expect(await readout.textContent()).toBe(rows[1]);
    await site.page.keyboard.press('End');
    expect(await readout.textContent()).toMatch(/: 4$/);

    await site.page.keyboard.press('t');
    expect(await site.page.locator('#twin').getAttribute('open')).not.toBeNull();
  });

  it('says Reconnecting while the server restarts, then Live, and the total never falls (U21)', async () => {
    const link = await newLink('restart');
    await visit(link, 10);
    await counted(link, 10);
    await site.page.goto(`/stats/${link.code}`);
    await site.page.locator('#live[data-state="live"]').waitFor();
    await site.page.evaluate(() => {
      const seen: number[] = [];
      Object.assign(window, { seen });
      const read = () => seen.push(Number(document.querySelector('#total')?.textContent ?? Number.NaN));
      new MutationObserver(read).observe(document.body, { subtree: true, childList: true, characterData: true });
    });

    await site.program.stop();
    await site.page.locator('#live[data-state="reconnecting"]').waitFor();
    await site.program.restart();
    await visit(link, 5);
    await site.page.locator('#live[data-state="live"]').waitFor();

    await until(shownTotal, (total) => total === 15, 10_000);
    const seen = await site.page.evaluate(() => (window as unknown as { seen: number[] }).seen);
    const numbers = seen.filter((n) => !Number.isNaN(n));
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  });
});

async function setHidden(page: Page, hidden: boolean): Promise<void> {
  await page.evaluate((value) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => value });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
}
