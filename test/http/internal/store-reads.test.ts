/** Reads as they travel between instances: what goes in comes out, and nothing else gets in. */
import fc from 'fast-check';
import {
  parsePositions,
  parseStoreAnswer,
  parseStoreRead,
  storeAnswerJson,
  storeReadJson,
} from '../../../src/http/internal/store-reads.ts';

const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));
const key = fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 20 });
const range = fc.record(
  { gte: key, gt: key, lt: key, reverse: fc.boolean(), limit: fc.integer({ min: 1, max: 10_000 }) },
  { requiredKeys: ['limit'] },
);
const request = fc.record(
  { partition: fc.nat(1_000), keys: fc.array(key, { maxLength: 20 }), range },
  { requiredKeys: ['partition', 'keys'] },
);
const overTheWire = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('a read of a store on the wire', () => {
  it('arrives as it was asked', () => {
    fc.assert(
      fc.property(request, fc.boolean(), (asked, standbyWillDo) => {
        const question = { topology: 'visits@1', request: asked, standbyWillDo };
        expect(parseStoreRead(overTheWire(storeReadJson(question)))).toEqual(question);
      }),
    );
  });

  it('is answered with the very bytes', () => {
    const answer = fc.record({
      nextOffset: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
      streamTimeMs: fc.nat({ max: 2 ** 45 }),
      values: fc.array(fc.option(bytes, { nil: undefined }), { maxLength: 20 }),
      entries: fc.array(fc.tuple(key, bytes), { maxLength: 20 }),
    });
    fc.assert(
      fc.property(answer, (given) => {
        const asked = { partition: 0, keys: given.values.map(() => 'k'), range: { limit: 20 } };
        expect(parseStoreAnswer(overTheWire(storeAnswerJson(given)), asked)).toEqual(given);
      }),
    );
  });

  it('refuses whatever else comes, without throwing', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(parseStoreRead(value)).toBeNull();
        expect(parseStoreAnswer(value, { partition: 0, keys: ['a'] })).toBeNull();
        expect(parsePositions(value)).toBeNull();
      }),
    );
  });

  it('refuses an answer to another question', () => {
    const answer = { nextOffset: '1', streamTimeMs: 1, values: [null], entries: [['a', '']] };
    expect(parseStoreAnswer(answer, { partition: 0, keys: ['a'], range: { limit: 1 } })).not.toBeNull();
    expect(parseStoreAnswer(answer, { partition: 0, keys: ['a'] })).toBeNull();
    expect(parseStoreAnswer(answer, { partition: 0, keys: ['a', 'b'], range: { limit: 1 } })).toBeNull();
    expect(
      parseStoreAnswer(
        { ...answer, nextOffset: '9007199254740993' },
        { partition: 0, keys: ['a'], range: { limit: 1 } },
      ),
    ).toBeNull();
  });
});
