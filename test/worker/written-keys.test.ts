import fc from 'fast-check';
import { WrittenKeys } from '../../src/worker/written-keys.ts';

describe('the keys written to a store that was empty', () => {
  it('never denies a key that was added', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1, maxLength: 30 }), { maxLength: 500 }), (keys) => {
        const written = new WrittenKeys();
        // More than it remembers one by one.
        for (let i = 0; i < 800; i++) written.add(`filler-${i}`);
        for (const key of keys) written.add(key);
        expect(keys.every((key) => written.mayHold(key))).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  it('denies nearly every key that was not', () => {
    const written = new WrittenKeys();
    for (let i = 0; i < 200_000; i++) written.add(`dc${i.toString(36)}!020000`);
    let wrong = 0;
    for (let i = 0; i < 100_000; i++) if (written.mayHold(`dc${i.toString(36)}!020001`)) wrong++;
    expect(wrong).toBeLessThan(1_000);
  });
});
