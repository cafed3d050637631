import { readFileSync } from 'node:fs';
import jsqr from 'jsqr';
import { follow, makeLink, until, visit } from '../support/site.ts';
import { useSite } from '../support/use-site.ts';

describe('a short link that was made', () => {
  const site = useSite();

  it('is copied exactly, and says so (U10)', async () => {
    const { code, shortUrl } = await makeLink(site.baseUrl, { url: 'https://example.com/copy' });
    await site.page.clock.install();
    await site.context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: site.baseUrl });
    await site.page.goto(`/links/${code}`);
    await site.page.click('[data-action="copy"]');

    await until(
      () => site.page.locator('#status').textContent(),
      (text) => text === 'Copied',
    );
    expect(await site.page.evaluate(() => navigator.clipboard.readText())).toBe(shortUrl);
    expect(await site.page.locator('#status').getAttribute('role')).toBe('status');
    await site.page.clock.runFor(5000);
    expect(await site.page.locator('#status').textContent()).toBe('');
  });

  it('is selected with a word of help when copying is forbidden (U10)', async () => {
    const { code } = await makeLink(site.baseUrl, { url: 'https://example.com/copy' });
    await site.page.goto(`/links/${code}`);
    await site.page.evaluate(() => {
      Object.defineProperty(navigator, 'clipboard', {
        value: { writeText: () => Promise.reject(new DOMException('denied', 'NotAllowedError')) },
      });
    });
    await site.page.click('[data-action="copy"]');

    await until(
      () => site.page.locator('#status').textContent(),
      (text) => /Ctrl\+C/.test(text ?? ''),
    );
    const selected = await site.page.evaluate(() => String(getSelection()));
    expect(selected).toBe(`${new URL(site.baseUrl).host.replace('127.0.0.1', 'localhost')}/${code}`);
  });

  it('has a QR code that leads to it, to be seen and to be kept (U11)', async () => {
    const { code, shortUrl } = await makeLink(site.baseUrl, { url: 'https://example.com/qr' });
    await site.page.goto(`/links/${code}`);
    await site.page.click('details.qr > summary');
    await site.page.waitForFunction(() => document.querySelector<HTMLImageElement>('.qr img')?.naturalWidth);

    const readCode = async (source: string) => {
      const pixels = await site.page.evaluate(async (src) => {
        const image = new Image();
        image.src = src;
        await image.decode();
        const canvas = document.createElement('canvas');
        canvas.width = canvas.height = 400;
        const drawing = canvas.getContext('2d');
        if (drawing === null) throw new Error('nothing to draw on');
        drawing.drawImage(image, 0, 0, 400, 400);
        // One letter a pixel is quick to hand over.
        const { data } = drawing.getImageData(0, 0, 400, 400);
        return Array.from({ length: 400 * 400 }, (_, i) => ((data[i * 4] ?? 0) < 128 ? '#' : ' ')).join('');
      }, source);
      const colours = [...pixels].flatMap((pixel) => (pixel === '#' ? [0, 0, 0, 255] : [255, 255, 255, 255]));
      return jsqr.default(new Uint8ClampedArray(colours), 400, 400)?.data;
    };
    // The mark behind the link tells visits by its code from others.
    expect(await readCode((await site.page.locator('.qr img').getAttribute('src')) ?? '')).toBe(`${shortUrl}?qr`);

    const [download] = await Promise.all([site.page.waitForEvent('download'), site.page.click('[data-part="qr-png"]')]);
    const png = readFileSync(await download.path());
    expect(await readCode(`data:image/png;base64,${png.toString('base64')}`)).toBe(`${shortUrl}?qr`);
  });

  it('stays in the list of this device, at most twenty, with live counts, until it is cleared (U12)', async () => {
    await site.page.goto('/');
    for (let i = 0; i < 21; i++) {
      await site.page.fill('#url', `https://example.com/recent/${i}`);
      await site.page.press('#url', 'Enter');
      await site.page.locator('#results .target', { hasText: `/recent/${i}` }).waitFor();
    }
    await site.page.reload();
    const rows = site.page.locator('#recent-list .row');
    await rows.first().waitFor();
    expect(await rows.count()).toBe(20);
    expect(await rows.first().textContent()).toContain('/recent/20');

    const href = (await rows.first().locator('.row-short').getAttribute('href')) ?? '';
    const code = href.split('/').at(-1) ?? '';
    await visit({ code, shortUrl: `${site.baseUrl}/${code}`, url: '' }, 3);
    await until(
      () => rows.first().locator('.number').textContent(),
      (text) => text === '3',
    );

    await site.page.click('[data-action="clear-recent"]');
    expect(await site.page.locator('#recent').isHidden()).toBe(true);
    await site.page.reload();
    expect(await site.page.locator('#recent').isHidden()).toBe(true);
  });

  it('is changed on its page, which then tells what was changed', async () => {
    const link = await makeLink(site.baseUrl, { url: 'https://example.com/before', unique: true, tags: ['old'] });
    await site.page.goto(`/links/${link.code}`);
    await site.page.click('#edit > summary');
    await site.page.fill('#url', 'example.com/after');
    await site.page.fill('#expiresAt', '2100-02-03T04:05:06');
    await site.page.fill('#maxVisits', '5');
    await site.page.fill('#tags', 'one, two');
    await site.page.fill('#note', 'first line\nsecond line');
    await site.page.click('#edit-form button');
    await site.page.locator('.history li', { hasText: 'Changed' }).waitFor();

    expect((await follow(link.shortUrl)).location).toBe('https://example.com/after');
    const kept = (await (await fetch(`${site.baseUrl}/api/links/${link.code}`)).json()) as Record<string, unknown>;
    expect(kept).toMatchObject({ version: 2, maxVisits: 5, tags: ['one', 'two'], note: 'first line\nsecond line' });
    const typedAt = await site.page.evaluate(() => new Date('2100-02-03T04:05:06').toISOString());
    expect(Date.parse(String(kept['expiresAt']))).toBe(Date.parse(typedAt));
    expect(await site.page.locator('.history li').first().textContent()).toMatch(
      /before → https:\/\/example\.com\/after.*old → one, two/s,
    );

    // Nothing else is sent: the expiry that is shown again stays to the second.
    await site.page.click('#edit > summary');
    expect(await site.page.inputValue('#expiresAt')).toMatch(/^2100-02-03T04:05(:06)?$/);
    await site.page.fill('#expiresAt', '');
    const [sent] = await Promise.all([
      site.page.waitForRequest((request) => request.method() === 'PATCH'),
      site.page.click('#edit-form button'),
    ]);
    expect(sent.postDataJSON()).toEqual({ expiresAt: null });
    expect(sent.headers()['if-match']).toBe('"2"');
  });

  it('tells at each field what cannot be changed so, and overwrites nothing that was changed meanwhile', async () => {
    const link = await makeLink(site.baseUrl, { url: 'https://example.com/mine', unique: true });
    await site.page.goto(`/links/${link.code}`);
    await site.page.click('#edit > summary');
    await site.page.fill('#url', 'javascript:alert(1)');
    await site.page.fill('#expiresAt', '2020-01-01T00:00:00');
    await site.page.click('#edit-form button');
    await site.page.locator('#url-error:not([hidden])').waitFor();
    expect(await site.page.locator('#expiresAt-error').textContent()).toMatch(/past/);
    expect(await site.page.inputValue('#url')).toBe('javascript:alert(1)');
    expect(await site.page.evaluate(() => document.activeElement?.id)).toBe('url');

    await fetch(`${site.baseUrl}/api/links/${link.code}`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/merge-patch+json' },
      body: JSON.stringify({ note: 'of somebody else' }),
    });
    await site.page.fill('#expiresAt', '');
    await site.page.fill('#url', 'https://example.com/too-late');
    await site.page.click('#edit-form button');
    await site.page.locator('#status button').waitFor();
    expect((await follow(link.shortUrl)).location).toBe('https://example.com/mine');
    expect(await site.page.inputValue('#url')).toBe('https://example.com/too-late');
    await site.page.click('#status button');
    await site.page.locator('.facts .note', { hasText: 'of somebody else' }).waitFor();
  });

  it('is deleted and brought back with everything it was (U44)', async () => {
    const link = await makeLink(site.baseUrl, { url: 'https://example.com/undo', unique: true, note: 'kept' });
    await visit(link, 2);
    await site.page.goto(`/links/${link.code}`);
    await site.page.click('[data-action="delete"]');
    await site.page.locator('.badge.deleted').first().waitFor();
    await site.page.click('#status button');
    await site.page.locator('.badge.active').first().waitFor();

    expect(await site.page.locator('.facts .note').textContent()).toBe('kept');
    await until(
      () => site.page.locator('[data-total]').first().textContent(),
      (text) => text === '2',
    );
  });
});
