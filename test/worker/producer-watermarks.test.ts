import { ProducerWatermarks } from '../../src/worker/producer-watermarks.ts';

describe('the watermarks of producers', () => {
  it('take a producer that was silent too long for a new one, whether or not a commit came in between', () => {
    for (const commits of [true, false]) {
      const watermarks = new ProducerWatermarks(100);
      watermarks.raise('p', 5, 1_000);
      expect(watermarks.judge('p', 3, 1_100)).toBe('duplicate');
      watermarks.raise('q', 0, 1_101);
      if (commits) watermarks.drain(1_101);
      expect(watermarks.judge('p', 3, 1_101)).toBe('effective-after-gap');
      expect(watermarks.judge('p', 0, 1_101)).toBe('effective');
    }
  });

  it('tell what changed once, and what was forgotten', () => {
    const watermarks = new ProducerWatermarks(100);
    watermarks.raise('p', 5, 1_000);
    watermarks.raise('p', 6, 1_001);
    expect([...watermarks.drain(1_001)]).toEqual([['p', [6, 1_001]]]);
    expect([...watermarks.drain(1_101)]).toEqual([]);
    expect([...watermarks.drain(1_102)]).toEqual([['p', null]]);
    expect(watermarks.size()).toBe(0);
  });

  it('forget the longest silent producer when there are too many, in whatever order they were restored', () => {
    const ids = Array.from({ length: 8_000 }, (_, index) => `p${index}`);
    for (const order of [ids, ids.toReversed()]) {
      const watermarks = new ProducerWatermarks(1_000_000);
      for (const id of order) watermarks.restore(id, [9, id === 'p17' || id === 'p18' ? 5 : 10]);
      watermarks.raise('new', 0, 20);
      expect(watermarks.size()).toBe(8_000);
      expect(watermarks.judge('p17', 9, 20)).toBe('effective-after-gap');
      expect(watermarks.judge('p18', 9, 20)).toBe('duplicate');
      expect([...watermarks.drain(20)]).toEqual([
        ['p17', null],
        ['new', [0, 20]],
      ]);
    }
  });

  it.each(['', ' ', 'ä', 'x'.repeat(49)])('do not take up the id %j', (id) => {
    expect(new ProducerWatermarks(100).judge(id, 0, 0)).toBe('malformed-producer');
  });
});
