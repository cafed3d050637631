import fc from 'fast-check';
import { html, jsonScript, linkable } from '../../../src/http/pages/html.ts';

describe('html', () => {
  it('escapes text and keeps markup made by itself', () => {
    expect(html`<p title="${'"><script>'}">${"<b>&'</b>"}${html`<i>${1}</i>`}</p>`.toString()).toBe(
      '<p title="&quot;&gt;&lt;script&gt;">&lt;b&gt;&amp;&#39;&lt;/b&gt;<i>1</i></p>',
    );
  });

  it('joins lists and leaves out what is nothing', () => {
    expect(html`${['<', html`<br>`]}${null}${undefined}${false}${''}${0}`.toString()).toBe('&lt;<br>0');
  });

  it('lets no text open a tag or leave an attribute', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const inside = html`${text}`.toString();
        expect(inside).not.toMatch(/[<>"']/);
        expect(inside.replace(/&(amp|lt|gt|quot|#39);/g, '')).not.toContain('&');
      }),
    );
  });

  it('writes data that nothing in it can end, and that reads back the same', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom('</script>', '<!--', '<script'), (value, hostile) => {
        const block = jsonScript('data', [value, hostile]).toString();
        const content = block.slice(block.indexOf('>') + 1, block.lastIndexOf('</script>'));
        expect(content).not.toContain('<');
        expect(JSON.parse(content)).toEqual(JSON.parse(JSON.stringify([value, hostile])));
      }),
    );
  });

  it('makes links of http and https alone', () => {
    expect(linkable('https://example.com/')).toBe('https://example.com/');
    for (const url of ['javascript:alert(1)', 'data:text/html,x', ' https://example.com', '//example.com', '']) {
      expect(linkable(url)).toBeNull();
    }
  });
});
