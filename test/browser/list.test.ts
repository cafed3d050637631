import { makeLink, until, visit } from '../support/site.ts';
import { useSite } from '../support/use-site.ts';

describe('the list of links', () => {
  const site = useSite();
  const rows = () => site.page.locator('.list .row-short').allTextContents();
  const shown = (expected: (texts: readonly string[]) => boolean) => until(rows, expected);

  it('is sorted, paged and gone back to as a browser does it (U43)', async () => {
    const links = await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        makeLink(site.baseUrl, { url: `https://example.com/list/${i}`, unique: true }),
      ),
    );
    const [visited] = links;
    if (visited === undefined) throw new Error('no link was made');
    await visit(visited, 2);

    await site.page.goto('/links');
    expect(await site.page.locator('th[aria-sort]').textContent()).toBe('Created');
    await site.page.click('.sort >> text=Visits');
    await site.page.locator('th[aria-sort="descending"]', { hasText: 'Visits' }).waitFor();
    await until(
      async () => {
        await site.page.reload();
        return (await rows())[0] ?? '';
      },
      (first) => first.endsWith(visited.code),
    );
    await site.page.click('.sort >> text=Visits');
    await site.page.locator('th[aria-sort="ascending"]', { hasText: 'Visits' }).waitFor();

    await site.page.goto('/links');
    const first = await rows();
    const next = site.page.locator('a[rel="next"]');
    const plain = await fetch(`${site.baseUrl}${await next.getAttribute('href')}`);
    expect(plain.status).toBe(200);
    await next.click();
    const second = await shown((texts) => texts[0] !== first[0]);
    expect(new Set([...first, ...second]).size).toBe(30);

    await site.page.goBack();
    await shown((texts) => texts[0] === first[0]);
    const row = site.page.locator('.list .row-short').nth(20);
    await row.scrollIntoViewIfNeeded();
    const scrolled = await site.page.evaluate(() => scrollY);
    expect(scrolled).toBeGreaterThan(0);
    await row.click();
    await site.page.waitForURL(/\/links\/[\w-]+$/);
    await site.page.goBack();
    await until(
      () => site.page.evaluate(() => scrollY),
      (y) => y === scrolled,
    );
  });

  it('finds while one types, and says when nothing matches', async () => {
    await makeLink(site.baseUrl, { url: 'https://example.com/needle', unique: true, note: 'in the haystack' });
    await makeLink(site.baseUrl, { url: 'https://example.com/straw', unique: true });
    await site.page.goto('/links');
    await site.page.fill('#q', 'HAYSTACK');
    await shown((texts) => texts.length === 1);
    expect(new URL(site.page.url()).searchParams.get('q')).toBe('HAYSTACK');
    expect(await site.page.locator('.row-target').textContent()).toContain('/needle');

    await site.page.fill('#q', 'no such thing');
    await site.page.locator('.empty').waitFor();
    await site.page.click('.empty a');
    await shown((texts) => texts.length > 1);
    expect(await site.page.inputValue('#q')).toBe('');
  });
});
