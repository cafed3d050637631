import fc from 'fast-check';
import { createPagingCursors } from '../../src/http/paging-cursor.ts';
import { decodePositionToken, encodePositionToken } from '../../src/http/position-token.ts';

describe('paging cursors', () => {
  const cursors = createPagingCursors(Buffer.alloc(32, 1));

  it('come back as they went', () => {
    fc.assert(
      fc.property(fc.string(), fc.array(fc.maxSafeInteger(), { minLength: 1, maxLength: 3 }), (scope, position) => {
        expect(cursors.decode(scope, cursors.encode(scope, position), position.length)).toEqual(position);
      }),
    );
  });

  it('are refused when one bit differs, and under another scope, key or length', () => {
    const cursor = cursors.encode('links', [1_700_000_000_000, 42]);
    const bytes = Buffer.from(cursor, 'base64url');
    fc.assert(
      fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
        const forged = Buffer.from(bytes);
        forged.writeUInt8(forged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        expect(() => cursors.decode('links', forged.toString('base64url'), 2)).toThrow('Refused: cursor.');
      }),
    );
    expect(() => cursors.decode('history', cursor, 2)).toThrow();
    expect(() => cursors.decode('links', cursor, 1)).toThrow();
    expect(() => createPagingCursors(Buffer.alloc(32, 2)).decode('links', cursor, 2)).toThrow();
  });

  it('refuse any text that was not made here', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(() => cursors.decode('links', text, 2)).toThrow('Refused: cursor.');
      }),
    );
  });
});

describe('position tokens', () => {
  const vectors = fc
    .uniqueArray(fc.record({ partition: fc.nat(9999), nextOffset: fc.nat(Number.MAX_SAFE_INTEGER) }), {
      selector: ({ partition }) => partition,
      minLength: 1,
      maxLength: 64,
    })
    .map((vector) => vector.sort((a, b) => a.partition - b.partition));

  it('come back as they went, in characters that need no escape', () => {
    fc.assert(
      fc.property(vectors, (vector) => {
        const token = encodePositionToken('log-1', vector);
        expect(encodeURIComponent(token)).toBe(token);
        expect(decodePositionToken('log-1', token)).toEqual(vector);
        expect(decodePositionToken('log-2', token)).toBeUndefined();
      }),
    );
  });

  it('are undefined for any text that was not made here', () => {
    fc.assert(fc.property(fc.string(), (text) => expect(decodePositionToken('log-1', text)).toBeUndefined()));
    const [fingerprint] = encodePositionToken('log-1', []).split('.');
    for (const rest of [
      '',
      '.',
      '.0',
      '.0-',
      '.0-zzzzzzzzzzzz',
      '.1-1.0-1',
      '.0-1.0-1',
      '.00-1',
      '.-1-1',
      '.0--1',
      '.0-1.',
    ]) {
      expect(decodePositionToken('log-1', `${fingerprint}${rest}`)).toBeUndefined();
    }
  });
});
