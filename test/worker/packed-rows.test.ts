import fc from 'fast-check';
import { PackedRows } from '../../src/worker/packed-rows.ts';

const row = fc.tuple(fc.string({ maxLength: 20 }), fc.uint8Array({ maxLength: 200 }));

describe('packed rows', () => {
  it('are those that were added, in their order, whatever becomes of the bytes they were added from', () => {
    fc.assert(
      fc.property(fc.array(row, { maxLength: 300 }), (entries) => {
        const rows = new PackedRows();
        for (const [key, value] of entries) {
          const lent = Uint8Array.from(value);
          rows.add(key, lent);
          lent.fill(0xff);
        }
        expect(rows.size).toBe(entries.length);
        expect(rows.byteLength).toBe(entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0));
        expect([...rows].map(([key, value]) => [key, Uint8Array.from(value)])).toEqual(entries);
      }),
    );
  });

  it('take rows larger than a block, between small ones', () => {
    const entries = [10, 100_000, 3, 20_000, 0].map((length, i) => [`k${i}`, Buffer.alloc(length, i + 1)] as const);
    expect([...PackedRows.of(entries)]).toEqual(entries);
  });

  it('hold little more memory than they have bytes, be they one or many', () => {
    const held = (count: number): number => {
      const rows = PackedRows.of(Array.from({ length: count }, (_, i) => [`k${i}`, Buffer.alloc(100)] as const));
      const blocks = new Set([...rows].map(([, value]) => value.buffer));
      return [...blocks].reduce((sum, { byteLength }) => sum + byteLength, 0);
    };
    expect(held(1)).toBe(100);
    expect(held(10)).toBeLessThan(3_000);
    expect(held(10_000)).toBeLessThan(1_050_000);
  });
});
