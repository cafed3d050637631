/** Links and their events at random, for property tests: single events are always well-formed, sequences are any. */
import fc from 'fast-check';
import type { LinkChanges, LinkEvent, LinkFact, LinkSettings } from '../../src/domain/link.ts';

export const codes = fc.constantFrom('aB3dE6g', 'summer-sale', '__proto__', 'constructor');

const settings: fc.Arbitrary<LinkSettings> = fc.record({
  url: fc.webUrl({ withQueryParameters: true, withFragments: true }).map((url) => new URL(url).href),
  expiresAt: fc.option(fc.integer({ min: 0, max: 253_402_300_799_999 })),
  maxVisits: fc.option(fc.integer({ min: 1, max: 1_000_000_000 })),
  tags: fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 50 }), { maxLength: 20 }),
  note: fc.option(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 100 })),
});

const changes: fc.Arbitrary<LinkChanges> = fc
  .tuple(settings, fc.boolean(), fc.subarray(['url', 'expiresAt', 'maxVisits', 'tags', 'note', 'disabled']))
  .map(([all, disabled, names]) =>
    Object.fromEntries(Object.entries({ ...all, disabled }).filter(([name]) => names.includes(name))),
  );

const facts: fc.Arbitrary<LinkFact> = fc.oneof(
  fc
    .tuple(fc.constantFrom('own' as const, 'alias' as const, 'random' as const), settings)
    .map(([kind, given]): LinkFact => ({ type: 'LinkCreated', kind, ...given })),
  changes.map((given): LinkFact => ({ type: 'LinkChanged', changes: given })),
  fc.constantFrom<LinkFact>(
    { type: 'LinkDisabled' },
    { type: 'LinkEnabled' },
    { type: 'LinkDeleted' },
    { type: 'LinkRestored' },
  ),
  fc
    .tuple(fc.integer({ min: 1, max: 6 }), fc.boolean(), settings)
    .map(([toVersion, disabled, given]): LinkFact => ({ type: 'LinkRolledBack', toVersion, disabled, ...given })),
);

export const linkEvents: fc.Arbitrary<LinkEvent> = fc
  .tuple(
    fc.record({
      id: fc.uuid(),
      code: codes,
      at: fc.integer({ min: 0, max: 4_102_444_800_000 }),
      by: fc.constant('anonymous'),
      commandId: fc.uuid(),
      expectedVersion: fc.nat(6),
    }),
    facts,
  )
  .map(([envelope, fact]) => ({ ...envelope, ...fact }));
