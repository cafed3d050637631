import fc from 'fast-check';
import { changesOf, type LinkInputRules, parseLinkPatch, parseNewLink } from '../../src/domain/link-input.ts';
import { isRefusal } from '../../src/domain/refusal.ts';
import { ownHostsOf } from '../../src/domain/target-url.ts';

const rules: LinkInputRules = {
  ownHosts: ownHostsOf('https://hop.example', false),
  allowPrivateTargets: false,
  nowMs: Date.UTC(2026, 0, 1),
};
const url = 'https://example.com/';

function errorsOf(parsed: unknown): string[] {
  if (!isRefusal(parsed) || parsed.refusal !== 'invalid') return [];
  return parsed.errors.map((error) => `${error.field}: ${error.code}`);
}

describe('a new link', () => {
  it('needs a URL only', () => {
    expect(parseNewLink({ url: 'HTTPS://Example.com' }, rules)).toEqual({
      url,
      alias: null,
      expiresAt: null,
      maxVisits: null,
      tags: [],
      note: null,
      unique: false,
    });
  });

  it('takes null for what is absent', () => {
    const nulls = { url, alias: null, expiresAt: null, maxVisits: null, tags: null, note: null, unique: null };
    expect(parseNewLink(nulls, rules)).toEqual(parseNewLink({ url }, rules));
  });

  it('has all its options narrowed', () => {
    const input = {
      url,
      alias: 'summer',
      expiresAt: '2026-06-01T00:00:00+02:00',
      maxVisits: 1_000_000_000,
      tags: [' Red ', 'blue', 'RED', 'Blue'],
      note: 'a\r\nb\tc',
      unique: true,
    };
    expect(parseNewLink(input, rules)).toEqual({
      url,
      alias: 'summer',
      expiresAt: Date.UTC(2026, 4, 31, 22),
      maxVisits: 1_000_000_000,
      tags: ['Red', 'blue'],
      note: 'a\nb\tc',
      unique: true,
    });
  });

  it('is told all its errors at once', () => {
    const input = { alias: 'a', expiresAt: 'x', maxVisits: 0, tags: 'x', note: 1, unique: 'yes', color: 'red' };
    expect(errorsOf(parseNewLink(input, rules))).toEqual([
      'color: unknown-member',
      'url: required',
      'alias: too-short',
      'expiresAt: not-an-instant',
      'maxVisits: out-of-range',
      'tags: wrong-type',
      'note: wrong-type',
      'unique: wrong-type',
    ]);
  });

  it.each([undefined, null, 1, 'https://example.com/', true, [], [{ url }]])('is not %j', (input) => {
    expect(errorsOf(parseNewLink(input, rules))).toEqual([': wrong-type']);
  });

  it.each([
    [{ expiresAt: 1_900_000_000_000 }, 'expiresAt: wrong-type'],
    [{ expiresAt: '2030-02-30T00:00:00Z' }, 'expiresAt: not-an-instant'],
    [{ expiresAt: '2026-01-01T00:00:00Z' }, 'expiresAt: in-the-past'],
    [{ expiresAt: '2025-12-31T23:59:59.999Z' }, 'expiresAt: in-the-past'],
    [{ maxVisits: '5' }, 'maxVisits: wrong-type'],
    [{ maxVisits: 1.5 }, 'maxVisits: out-of-range'],
    [{ maxVisits: -1 }, 'maxVisits: out-of-range'],
    [{ maxVisits: 1_000_000_001 }, 'maxVisits: out-of-range'],
    [{ maxVisits: Number.NaN }, 'maxVisits: out-of-range'],
    [{ maxVisits: true }, 'maxVisits: wrong-type'],
    [{ tags: { 0: 'a', length: 1 } }, 'tags: wrong-type'],
    [{ tags: ['a', 1] }, 'tags: wrong-type'],
    [{ tags: ['  '] }, 'tags: too-short'],
    [{ tags: ['x'.repeat(51)] }, 'tags: too-long'],
    [{ tags: ['a\u0000b'] }, 'tags: characters-not-allowed'],
    [{ tags: ['a\nb'] }, 'tags: characters-not-allowed'],
    [{ tags: ['a\ud800'] }, 'tags: characters-not-allowed'],
    [{ tags: Array.from({ length: 21 }, (_, index) => `t${index}`) }, 'tags: too-many'],
    [{ note: ['x'] }, 'note: wrong-type'],
    [{ note: 'x'.repeat(1001) }, 'note: too-long'],
    [{ note: '\u{1f600}'.repeat(1001) }, 'note: too-long'],
    [{ note: 'a\u0007' }, 'note: characters-not-allowed'],
    [{ note: 'a\rb' }, 'note: characters-not-allowed'],
    [{ note: 'a\udc00' }, 'note: characters-not-allowed'],
    [{ unique: 1 }, 'unique: wrong-type'],
    [{ alias: ['abc'] }, 'alias: wrong-type'],
    [{ alias: '' }, 'alias: too-short'],
    [{ status: 'active' }, 'status: unknown-member'],
    [{ URL: url }, 'URL: unknown-member'],
    [{ constructor: 1 }, 'constructor: unknown-member'],
  ])('with %.60j is refused: %s', (members, error) => {
    expect(errorsOf(parseNewLink({ url, ...members }, rules))).toEqual([error]);
  });

  it.each([
    [{ tags: ['\u{1f600}'.repeat(50)] }],
    [{ tags: Array.from({ length: 40 }, (_, index) => `t${index % 20}`) }],
    [{ note: '\u{1f600}'.repeat(1000) }],
    [{ note: 'line\nline\ttab' }],
    [{ expiresAt: '2026-01-01T00:00:00.001Z' }],
    [{ maxVisits: 1 }],
  ])('lengths are counted in code points and bounds are inclusive: %.60j', (members) => {
    expect(errorsOf(parseNewLink({ url, ...members }, rules))).toEqual([]);
  });

  it('an empty note is no note', () => {
    expect(parseNewLink({ url, note: '' }, rules)).toMatchObject({ note: null });
  });

  it('cannot reach a prototype: such names are unknown members (S15)', () => {
    const input: unknown = JSON.parse('{"url":"https://example.com/","__proto__":{"alias":"polluted","unique":true}}');
    expect(errorsOf(parseNewLink(input, rules))).toEqual(['__proto__: unknown-member']);
    const inherited: unknown = Object.create({ url, alias: 'inherited' });
    expect(errorsOf(parseNewLink(inherited, rules))).toEqual(['url: required']);
    expect(({} as Record<string, unknown>)['alias']).toBeUndefined();
  });

  it('names at most twenty unknown members, shortened', () => {
    const input = {
      url,
      ...Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`${'m'.repeat(100)}${index}`, 1])),
    };
    const errors = errorsOf(parseNewLink(input, rules));
    expect(errors).toHaveLength(20);
    expect(errors[0]).toBe(`${'m'.repeat(64)}…: unknown-member`);
  });
});

describe('a patch', () => {
  it('keeps what is absent, clears what is null', () => {
    expect(parseLinkPatch({}, rules)).toEqual({});
    expect(parseLinkPatch({ expiresAt: null, maxVisits: null, tags: null, note: null }, rules)).toEqual({
      expiresAt: null,
      maxVisits: null,
      tags: [],
      note: null,
    });
  });

  it('narrows all members as a creation does', () => {
    expect(parseLinkPatch({ url: 'http://EXAMPLE.com', tags: ['a', 'A'], status: 'disabled' }, rules)).toEqual({
      url: 'http://example.com/',
      tags: ['a'],
      status: 'disabled',
    });
  });

  it.each([
    [{ url: null }, 'url: required'],
    [{ url: 'https://hop.example/x' }, 'url: own-host'],
    [{ status: null }, 'status: wrong-type'],
    [{ status: 'deleted' }, 'status: not-allowed-value'],
    [{ alias: 'abc' }, 'alias: unknown-member'],
    [{ code: 'abc' }, 'code: unknown-member'],
    [{ unique: true }, 'unique: unknown-member'],
    [{ version: 1 }, 'version: unknown-member'],
    [{ maxVisits: '1' }, 'maxVisits: wrong-type'],
    [[], ': wrong-type'],
    [null, ': wrong-type'],
  ])('%j is refused: %s', (input, error) => {
    expect(errorsOf(parseLinkPatch(input, rules))).toEqual([error]);
  });

  it('asks for changes in the words of a link', () => {
    expect(changesOf({ note: 'n', status: 'disabled' })).toEqual({ note: 'n', disabled: true });
    expect(changesOf({ status: 'active' })).toEqual({ disabled: false });
    expect(changesOf({ url })).toEqual({ url });
  });
});

describe('whatever the input', () => {
  it('is narrowed or refused with a field, a code and a sentence for each error, never thrown at', () => {
    const member = fc.constantFrom(
      'url',
      'alias',
      'expiresAt',
      'maxVisits',
      'tags',
      'note',
      'unique',
      'status',
      '__proto__',
    );
    const inputs = fc.oneof(
      fc.anything(),
      fc.dictionary(member, fc.oneof(fc.anything(), fc.string({ unit: 'binary' }))),
    );
    fc.assert(
      fc.property(inputs, (input) => {
        for (const parsed of [parseNewLink(input, rules), parseLinkPatch(input, rules)]) {
          if (!('refusal' in parsed)) continue;
          expect(parsed.errors.length).toBeGreaterThan(0);
          for (const error of parsed.errors) {
            expect(error.code).not.toBe('');
            expect(error.detail).toMatch(/\.$/);
          }
        }
      }),
      { numRuns: 1000 },
    );
  });
});
