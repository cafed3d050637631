import { readFileSync } from 'node:fs';
import jsqr from 'jsqr';
import { makeLink, until, visit } from '../support/site.ts';
import { useSite } from '../support/use-site.ts';

describe('a short link that was made', () => {
  const site = useSite();

  it('is copied exactly, and says so (U10)', async () => {
    const { code, shortUrl } = await makeLink(site.baseUrl, { url: 'https://example.com/copy' });
    await site.context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: site.baseUrl });
    await site.page.goto(`/links/${code}`);
    await site.page.click('[data-action="copy"]');

    await until(
      () => site.page.locator('#status').textContent(),
      (text) => text === 'Copied',
    );
    expect(await site.page.evaluate(() => navigator.clipboard.readText())).toBe(shortUrl);
    expect(await site.page.locator('#status').getAttribute('role')).toBe('status');
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

    const pixels = await site.page.evaluate(() => {
      const image = document.querySelector<HTMLImageElement>('.qr img');
      const canvas = document.createElement('canvas');
      canvas.width = canvas.height = 400;
      const drawing = canvas.getContext('2d');
      if (image === null || drawing === null) throw new Error('nothing to draw');
      drawing.drawImage(image, 0, 0, 400, 400);
      return [...drawing.getImageData(0, 0, 400, 400).data];
    });
    expect(jsqr.default(new Uint8ClampedArray(pixels), 400, 400)?.data).toBe(`${shortUrl}?qr`);

    const [download] = await Promise.all([site.page.waitForEvent('download'), site.page.click('[data-part="qr-png"]')]);
    const png = readFileSync(await download.path());
    expect(png.subarray(1, 4).toString()).toBe('PNG');
    expect(png.length).toBeGreaterThan(200);
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

  it('is deleted and brought back with everything it was (U44)', async () => {
    const link = await makeLink(site.baseUrl, { url: 'https://example.com/undo', unique: true, note: 'kept' });
    await visit(link, 2);
    await site.page.goto(`/links/${link.code}`);
    await site.page.click('[data-action="delete"]');
    await site.page.locator('.badge.deleted').first().waitFor();
    await site.page.click('#status button');
    await site.page.locator('.badge.active').first().waitFor();

    expect(await site.page.locator('.note').textContent()).toBe('kept');
    await until(
      () => site.page.locator('[data-total]').first().textContent(),
      (text) => text === '2',
    );
  });
});
