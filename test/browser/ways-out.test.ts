import { allVisitsOf, makeLink, until, visit } from '../support/site.ts';
import { useSite } from '../support/use-site.ts';

describe('pages about a link that one does not follow', () => {
  const site = useSite();

  it('answer an unknown code with 404 and a box to make a link (U14)', async () => {
    const response = await site.page.goto('/never-made');

    expect(response?.status()).toBe(404);
    await site.page.fill('#url', 'https://example.com/from-404');
    await site.page.press('#url', 'Enter');
    await site.page.waitForURL(/\/links\/[\w-]+/);
    expect(await site.page.locator('.result .target').textContent()).toContain('https://example.com/from-404');
  });

  it('answer a disabled link with 410 (U15)', async () => {
    const { code, shortUrl } = await makeLink(site.baseUrl, { url: 'https://example.com/off', unique: true });
    await site.page.goto(`/links/${code}`);
    await site.page.click('[data-action="disable"]');
    await site.page.locator('.badge.disabled').first().waitFor();

    const response = await site.page.goto(shortUrl);
    expect(response?.status()).toBe(410);
    expect(await site.page.locator('h1').textContent()).toMatch(/switched off/);
  });

  it('preview where a link leads, unindexed and uncounted (U16)', async () => {
    const link = await makeLink(site.baseUrl, { url: 'https://shown.example/path', unique: true });
    await visit(link, 1);
    await until(
      () => allVisitsOf(site.baseUrl, link.code),
      (total) => total === 1,
    );
    for (let i = 0; i < 5; i++) {
      const response = await site.page.goto(`${link.shortUrl}+`);
      expect(response?.status()).toBe(200);
      expect(await site.page.locator('h1').textContent()).toBe('shown.example');
      expect(await site.page.locator('meta[name="robots"]').getAttribute('content')).toContain('noindex');
    }
    // A visit after them proves that everything before it has been counted.
    await visit(link, 1);
    await until(
      () => allVisitsOf(site.baseUrl, link.code),
      (total) => total >= 2,
    );
    expect(await allVisitsOf(site.baseUrl, link.code)).toBe(2);
  });

  it('preview as JSON for who asks for it (U17)', async () => {
    const { code, shortUrl } = await makeLink(site.baseUrl, { url: 'https://shown.example/json' });
    const response = await fetch(`${shortUrl}+`, { headers: { accept: 'application/json' } });

    expect(response.headers.get('content-type')).toContain('application/json');
    expect(await response.json()).toMatchObject({ code, shortUrl, url: 'https://shown.example/json' });
  });
});
