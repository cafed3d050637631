import fc from 'fast-check';
import type { Link } from '../../src/domain/link.ts';
import { decodeLinkRow, encodeLinkRow } from '../../src/serde/link-row.ts';

describe('the row of a link', () => {
  it('gives back every link as it was', () => {
    const time = fc.nat({ max: 8.64e15 });
    const link: fc.Arbitrary<Link> = fc.record({
      code: fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/),
      url: fc.webUrl({ withQueryParameters: true, withFragments: true }),
      version: fc.integer({ min: 1 }),
      kind: fc.constantFrom('own', 'alias', 'random'),
      createdAt: time,
      updatedAt: time,
      expiresAt: fc.option(time),
      maxVisits: fc.option(fc.integer({ min: 1, max: 1e9 })),
      tags: fc.array(fc.string({ unit: 'grapheme', maxLength: 50 }), { maxLength: 20 }),
      note: fc.option(fc.string({ unit: 'grapheme', maxLength: 1000 })),
      disabled: fc.boolean(),
      deletedAt: fc.option(time),
      ordinal: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    });
    fc.assert(fc.property(link, (each) => expect(decodeLinkRow(each.code, encodeLinkRow(each))).toEqual(each)));
  });
});
