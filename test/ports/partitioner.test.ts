import fc from 'fast-check';
import { murmur2, partitionOf } from '../../src/ports/partitioner.ts';

describe('the partitioner', () => {
  // The vectors of Kafka's own UtilsTest.testMurmur2.
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('hashes %s as Kafka does', (key, hash) => {
    expect(murmur2(Buffer.from(key))).toBe(hash);
  });

  it('clears the sign bit before it divides, as Kafka does', () => {
    expect(partitionOf('21', 16)).toBe((-973932308 & 0x7fffffff) % 16);
  });

  it('hashes the UTF-8 bytes of a key', () => {
    expect(partitionOf('é', 1000)).toBe((murmur2(Uint8Array.of(0xc3, 0xa9)) & 0x7fffffff) % 1000);
  });

  it('gives every key one of the partitions, and always the same', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 64 }), (key, partitions) => {
        const partition = partitionOf(key, partitions);
        expect(partition).toBeGreaterThanOrEqual(0);
        expect(partition).toBeLessThan(partitions);
        expect(partitionOf(key, partitions)).toBe(partition);
      }),
    );
  });
});
