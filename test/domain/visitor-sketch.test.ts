import { expect } from '@jest/globals';
import fc from 'fast-check';
import {
  createVisitorSketch,
  decodeVisitorSketch,
  exactVisitorsMax,
  type VisitorSketch,
  VisitorSketchMalformed,
  visitorSketchBytesMax,
} from '../../src/domain/visitor-sketch.ts';

function sketchOf(hashes: Iterable<number>): VisitorSketch {
  const sketch = createVisitorSketch();
  for (const hash of hashes) sketch.add(hash);
  return sketch;
}

function bytesOf(sketch: VisitorSketch): Uint8Array {
  const bytes = new Uint8Array(sketch.encodedLength());
  expect(sketch.encodeInto(bytes, 0)).toBe(bytes.length);
  return bytes;
}

/** Seeded 32-bit hashes: a Weyl sequence through Murmur3's finalizer, which is a bijection, so none repeats. */
function* distinctHashes(seed: number, count: number): Generator<number> {
  let state = seed >>> 0;
  for (let i = 0; i < count; i++) {
    state = (state + 0x9e3779b9) >>> 0;
    let h = state;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    yield (h ^ (h >>> 16)) >>> 0;
  }
}

const word = fc.integer({ min: 0, max: 0xffff_ffff });
/** Small sets, sets about the change from hashes to registers, and sets well into both forms of registers. */
const hashSet = fc.oneof(
  fc.array(word, { maxLength: 40 }),
  fc
    .tuple(fc.nat(), fc.constantFrom(200, 255, 256, 257, 258, 600, 1_800, 2_300, 9_000))
    .map(([seed, count]) => [...distinctHashes(seed, count)]),
);

describe('a visitor sketch', () => {
  it('counts exactly up to 256 visitors and takes repeated ones once', () => {
    const sketch = createVisitorSketch();
    let n = 0;
    for (const hash of distinctHashes(7, exactVisitorsMax)) {
      expect(sketch.add(hash)).toBe(true);
      expect(sketch.add(hash)).toBe(false);
      n++;
      expect(sketch.estimate()).toBe(n);
    }
    expect(sketch.encodedLength()).toBe(1 + 4 * exactVisitorsMax);
  });

  it.each([257, 500, 1_000, 3_000, 10_000, 30_000, 100_000, 1_000_000])(
    'is off by at most 2 %% at the median, and never far off, for %d visitors',
    (count) => {
      const rounds = count > 100_000 ? 5 : 21;
      const errors: number[] = [];
      for (let seed = 1; seed <= rounds; seed++) {
        const estimate = sketchOf(distinctHashes(seed * 0x2545_f491, count)).estimate();
        errors.push(Math.abs(estimate - count) / count);
      }
      errors.sort((a, b) => a - b);
      expect(errors[rounds >> 1]).toBeLessThanOrEqual(0.02);
      // Four standard errors of 1.625 %.
      expect(errors[rounds - 1]).toBeLessThanOrEqual(0.065);
    },
  );

  it('is the same bytes for the same set in any order and with any repetition', () => {
    fc.assert(
      fc.property(hashSet, fc.integer({ min: 1, max: 1_000 }), (hashes, turn) => {
        const other = [...hashes.slice(turn % (hashes.length + 1)), ...hashes].reverse();
        expect(bytesOf(sketchOf(other))).toEqual(bytesOf(sketchOf(hashes)));
      }),
      { numRuns: 60 },
    );
  });

  it('merges into the sketch of the union and stays as it was', () => {
    fc.assert(
      fc.property(hashSet, hashSet, (left, right) => {
        const source = sketchOf(left);
        const before = bytesOf(source);
        const target = sketchOf(right);
        source.mergeInto(target);
        expect(bytesOf(target)).toEqual(bytesOf(sketchOf([...left, ...right])));
        expect(bytesOf(source)).toEqual(before);
      }),
      { numRuns: 60 },
    );
  });

  it('comes back from its bytes wherever they stand, and goes on from there', () => {
    fc.assert(
      fc.property(hashSet, hashSet, fc.nat({ max: 9 }), (hashes, more, at) => {
        const sketch = sketchOf(hashes);
        const length = sketch.encodedLength();
        const buffer = new Uint8Array(at + length + 3).fill(0xaa);
        expect(sketch.encodeInto(buffer, at)).toBe(at + length);
        expect([...buffer.subarray(0, at), ...buffer.subarray(at + length)].every((byte) => byte === 0xaa)).toBe(true);
        const back = decodeVisitorSketch(buffer, at, length);
        buffer.fill(0);
        expect(back.estimate()).toBe(sketch.estimate());
        expect(bytesOf(back)).toEqual(bytesOf(sketch));
        for (const hash of more) expect(back.add(hash)).toBe(sketch.add(hash));
        expect(bytesOf(back)).toEqual(bytesOf(sketch));
      }),
      { numRuns: 60 },
    );
  });

  it('says that it changed exactly when its bytes did', () => {
    for (const count of [100, 400, 20_000]) {
      const sketch = sketchOf(distinctHashes(count, count));
      for (const hash of distinctHashes(99, 300)) {
        const before = bytesOf(sketch);
        const changed = sketch.add(hash);
        expect(Buffer.compare(before, bytesOf(sketch)) !== 0).toBe(changed);
      }
    }
  });

  it('stays within its bound and is short for few visitors', () => {
    expect(createVisitorSketch().encodedLength()).toBe(1);
    expect(sketchOf(distinctHashes(1, 300)).encodedLength()).toBeLessThan(700);
    for (const count of [256, 257, 2_000, 5_000, 1_000_000]) {
      expect(sketchOf(distinctHashes(2, count)).encodedLength()).toBeLessThanOrEqual(visitorSketchBytesMax);
    }
  });

  it('holds the hashes at both ends of the range', () => {
    const edges = sketchOf([0, 0xffff_ffff, 0x8000_0000, 0x7fff_ffff]);
    expect(edges.estimate()).toBe(4);
    const dense = sketchOf([...distinctHashes(3, 300), 0, 0xffff_ffff, 0xfff0_0000]);
    const bytes = bytesOf(dense);
    expect(bytesOf(decodeVisitorSketch(bytes, 0, bytes.length))).toEqual(bytes);
  });

  it('refuses to be written where it does not fit', () => {
    expect(() => sketchOf([1, 2, 3]).encodeInto(new Uint8Array(12), 0)).toThrow(RangeError);
    expect(() => sketchOf([1, 2, 3]).encodeInto(new Uint8Array(13), 1)).toThrow(RangeError);
  });

  it.each([
    ['nothing', []],
    ['an unknown form', [3, 0]],
    ['a cut hash', [0, 1, 2, 3]],
    ['hashes out of order', [0, 2, 0, 0, 0, 1, 0, 0, 0]],
    ['a repeated hash', [0, 2, 0, 0, 0, 2, 0, 0, 0]],
    ['too many hashes', [0, ...Array.from({ length: 257 }, (_, i) => [i & 255, i >> 8, 0, 0]).flat()]],
    ['too few registers', [2, 255, 255]],
    ['too many registers', [2, ...Array.from({ length: 19 }, () => 255)]],
    ['a rank that cannot be, in runs', [2, 22]],
    ['a zero outside of a run', [2, 0]],
    ['short packed registers', [1, 0, 0]],
    ['a rank that cannot be, packed', [1, ...Array.from({ length: 2_560 }, () => 0xff)]],
  ])('refuses bytes with %s', (_, bytes) => {
    expect(() => decodeVisitorSketch(Uint8Array.from(bytes), 0, bytes.length)).toThrow(VisitorSketchMalformed);
  });

  it('refuses a place outside of the buffer', () => {
    expect(() => decodeVisitorSketch(new Uint8Array(4), 2, 5)).toThrow(VisitorSketchMalformed);
    expect(() => decodeVisitorSketch(new Uint8Array(4), -1, 1)).toThrow(VisitorSketchMalformed);
  });
});
