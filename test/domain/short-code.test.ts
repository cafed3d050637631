import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import {
  type CodeHmac,
  codeLength,
  isCode,
  isReserved,
  ownCode,
  ownCodeAttemptsMax,
  ownCodes,
  parseAlias,
} from '../../src/domain/short-code.ts';

function hmacWith(secret: string): CodeHmac {
  return (data) => createHmac('sha256', secret).update(data).digest();
}

const hmac = hmacWith('a secret of this test');

describe('the own code of a URL', () => {
  it('is seven characters of base62, the same each time', () => {
    fc.assert(
      fc.property(fc.webUrl(), fc.nat(99), (url, attempt) => {
        const code = ownCode(hmac, url, attempt);
        expect(code).toMatch(/^[0-9A-Za-z]{7}$/);
        expect(ownCode(hmac, url, attempt)).toBe(code);
        expect(isCode(code)).toBe(true);
      }),
    );
  });

  it('depends on the secret, on the attempt and on every character of the URL', () => {
    fc.assert(
      fc.property(fc.webUrl(), fc.nat(98), (url, attempt) => {
        const code = ownCode(hmac, url, attempt);
        expect(ownCode(hmacWith('another secret'), url, attempt)).not.toBe(code);
        expect(ownCode(hmac, url, attempt + 1)).not.toBe(code);
        expect(ownCode(hmac, `${url}x`, attempt)).not.toBe(code);
      }),
    );
  });

  it('never changes between builds', () => {
    const digest = (data: string) => createHmac('sha256', 'fixed').update(data).digest();
    const number = BigInt(`0x${Buffer.from(digest('https://example.com/\u00000')).toString('hex')}`) % 62n ** 7n;
    const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
    let expected = '';
    for (let digit = 6n; digit >= 0n; digit--) expected += base62[Number((number / 62n ** digit) % 62n)];
    expect(ownCode(digest, 'https://example.com/', 0)).toBe(expected);
    expect(expected).toBe('7i9sidV');
  });

  it('uses all characters at all places about equally often', () => {
    const links = 62 * 100;
    const seen = Array.from({ length: codeLength }, () => new Map<string, number>());
    for (let link = 0; link < links; link++) {
      const code = ownCode(hmac, `https://example.com/${link}`, 0);
      seen.forEach((counts, place) => {
        counts.set(code.charAt(place), (counts.get(code.charAt(place)) ?? 0) + 1);
      });
    }
    for (const counts of seen) {
      const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - 100) ** 2 / 100, 0);
      expect(counts.size).toBe(62);
      // 61 degrees of freedom: above 120 with a chance of 10⁻⁵; the input is fixed, so the outcome is as well.
      expect(chiSquare).toBeLessThan(120);
    }
  });

  it('is tried at a hundred attempts, in order, each another code', () => {
    const codes = [...ownCodes(hmac, 'https://example.com/')];
    expect(codes).toHaveLength(ownCodeAttemptsMax);
    expect(new Set(codes).size).toBe(ownCodeAttemptsMax);
    expect(codes[3]).toBe(ownCode(hmac, 'https://example.com/', 3));
  });

  it('is never the name of a route: such an attempt is left out', () => {
    const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
    const metrics = [...'Metrics'].reduce((number, digit) => number * 62n + BigInt(base62.indexOf(digit)), 0n);
    const bytes = Buffer.from(metrics.toString(16).padStart(16, '0'), 'hex');
    const rigged: CodeHmac = (data) => (data.endsWith('\u00000') ? bytes : hmac(data));
    expect(ownCode(rigged, 'https://example.com/', 0)).toBe('Metrics');
    expect([...ownCodes(rigged, 'https://example.com/')][0]).toBe(ownCode(hmac, 'https://example.com/', 1));
  });
});

describe('a code', () => {
  it.each(['a', 'aB3dE6g', '__proto__', 'constructor', '-', '_', 'x'.repeat(64)])('can be %s', (text) => {
    expect(isCode(text)).toBe(true);
  });

  it.each(['', 'x'.repeat(65), 'a.b', 'a/b', 'a b', 'a+', 'ä', 'a\n', '\u0000', '%41', 'а'])('cannot be %j', (text) => {
    expect(isCode(text)).toBe(false);
  });
});

describe('an alias', () => {
  it.each(['abc', 'Summer-Sale_2026', '---', '123', 'x'.repeat(64), '__proto__', 'constructor', 'toString', 'apis'])(
    'can be %s',
    (text) => {
      expect(parseAlias(text)).toBe(text);
    },
  );

  it.each([
    [undefined, 'wrong-type'],
    [123, 'wrong-type'],
    [['abc'], 'wrong-type'],
    ['', 'too-short'],
    ['ab', 'too-short'],
    ['x'.repeat(65), 'too-long'],
    ['a b c', 'alias-format'],
    [' abc', 'alias-format'],
    ['abc\n', 'alias-format'],
    ['a/b', 'alias-format'],
    ['../x', 'alias-format'],
    ['abc+', 'alias-format'],
    ['ümlaut', 'alias-format'],
    ['favicon.ico', 'alias-format'],
    ['api', 'alias-reserved'],
    ['API', 'alias-reserved'],
    ['Links', 'alias-reserved'],
    ['stats', 'alias-reserved'],
    ['assets', 'alias-reserved'],
    ['livez', 'alias-reserved'],
    ['readyz', 'alias-reserved'],
    ['metrics', 'alias-reserved'],
    ['docs', 'alias-reserved'],
    ['admin', 'alias-reserved'],
    ['login', 'alias-reserved'],
    ['static', 'alias-reserved'],
    ['health', 'alias-reserved'],
    ['New', 'alias-reserved'],
  ])('cannot be %j: %s', (input, code) => {
    expect(parseAlias(input)).toMatchObject({ field: 'alias', code, detail: expect.stringMatching(/\.$/) });
  });

  it('that is too short anyway is reserved as well, for codes made by chance', () => {
    expect(isReserved('qr')).toBe(true);
    expect(isReserved('QR')).toBe(true);
  });

  it.each(['metricz', 'link', 'linkss', 'lives', 'a', '', '-ivez', 'settings-of-mine'])(
    'may be like a word of ours: %j',
    (text) => {
      expect(isReserved(text)).toBe(false);
    },
  );
});
