import fc from 'fast-check';
import { packId, unpackId } from '../../src/serde/packed-id.ts';

describe('a packed id', () => {
  it('is a UUID in 23 characters', () => {
    const id = '0199a3b2-7c4d-7e5f-8a9b-0c1d2e3f4a5b';
    expect(packId(id)).toMatch(/^~[A-Za-z0-9_-]{22}$/);
    expect(unpackId(packId(id))).toBe(id);
  });

  it('is read back as it was, whatever it was, and is that of no other id', () => {
    const ids = fc.oneof(
      fc.uuid(),
      fc.uuid().map((id) => id.toUpperCase()),
      fc.uuid().map((id) => packId(id)),
      fc.string().map((text) => `~${text}`),
      fc.string(),
    );
    fc.assert(fc.property(ids, (id) => expect(unpackId(packId(id))).toBe(id)));
    fc.assert(fc.property(ids, ids, (left, right) => expect(packId(left) === packId(right)).toBe(left === right)));
  });
});
