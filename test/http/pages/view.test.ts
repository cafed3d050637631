import { acceptedLanguage, languages } from '../../../src/http/pages/messages/messages.ts';
import { prefersHtml, prefersJson } from '../../../src/http/pages/send-page.ts';
import { createView } from '../../../src/http/pages/view.ts';

const places = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();

describe('how a request wants its pages', () => {
  it.each([
    [undefined, 'en'],
    ['de-AT,de;q=0.9,en;q=0.8', 'de'],
    ['fr, en;q=0.5, de;q=0.7', 'de'],
    ['de;q=0, en', 'en'],
    ['__proto__, constructor, de', 'de'],
    ['*', 'en'],
  ] as const)('takes from Accept-Language %s the language %s', (header, language) => {
    expect(acceptedLanguage(header)).toBe(language);
  });

  it('takes the language from the address before the cookie before the header', () => {
    const headers = { cookie: 'lang=de', 'accept-language': 'en' };
    expect(createView({ headers, url: '/?lang=en' }, 0).language).toBe('en');
    expect(createView({ headers, url: '/' }, 0).language).toBe('de');
    expect(createView({ headers, url: '/?lang=constructor' }, 0).language).toBe('de');
  });

  it('ignores themes and zones that are none', () => {
    const headers = { cookie: 'theme="><script>; tz=../etc; lang=xx' };
    expect(createView({ headers, url: '/' }, 0)).toMatchObject({ theme: null, timezone: 'UTC', language: 'en' });
    const wanted = { cookie: 'theme=dark; tz=Asia/Kolkata' };
    expect(createView({ headers: wanted, url: '/' }, 0)).toMatchObject({ theme: 'dark', timezone: 'Asia/Kolkata' });
  });

  it.each([
    ['text/html,application/xhtml+xml,*/*;q=0.8', true, false],
    ['application/json', false, true],
    ['application/problem+json, text/html', false, true],
    ['*/*', false, false],
    [undefined, false, false],
  ] as const)('hears from Accept %s whether it is HTML or JSON', (accept, wantsHtml, wantsJson) => {
    expect(prefersHtml(accept)).toBe(wantsHtml);
    expect(prefersJson(accept)).toBe(wantsJson);
  });

  it('has the same places for values in every language', () => {
    const walk = (one: unknown, other: unknown): void => {
      if (typeof one === 'string') {
        expect(places(String(other))).toEqual(places(one));
        return;
      }
      for (const [name, value] of Object.entries(one as object)) {
        walk(value, (other as Readonly<Record<string, unknown>>)[name]);
      }
    };
    walk(languages.en, languages.de);
  });
});
