import fc from 'fast-check';
import { evolve, type Link } from '../../src/domain/link.ts';
import {
  decodeCreation,
  decodeLinkRow,
  decodeLinkRowCode,
  encodeCreatedLinkRow,
  encodeLinkRow,
} from '../../src/serde/link-row.ts';
import { linkEvents } from '../support/link-arbitraries.ts';

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
    fc.assert(
      fc.property(link, (each) => {
        const row = encodeLinkRow(each);
        expect(decodeLinkRow(each.ordinal, row)).toEqual(each);
        expect(decodeLinkRowCode(row)).toBe(each.code);
        expect(decodeCreation(row)).toBeUndefined();
      }),
    );
  });

  it('gives back the creation of a link that was never changed, whole', () => {
    fc.assert(
      fc.property(linkEvents, fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (event, ordinal) => {
        const creation = { ...event, expectedVersion: 0 };
        const link = evolve(undefined, creation, ordinal);
        fc.pre(link !== undefined);
        const row = encodeCreatedLinkRow(link, creation);
        expect(decodeCreation(row)).toEqual(creation);
        expect(decodeLinkRow(ordinal, row)).toEqual(link);
        expect(decodeLinkRowCode(row)).toBe(link.code);
        expect(row).toBe(JSON.stringify(JSON.parse(row)));
      }),
    );
  });
});
