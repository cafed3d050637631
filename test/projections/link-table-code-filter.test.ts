import fc from 'fast-check';
import { createCodeFilter } from '../../src/projections/link-table-code-filter.ts';

describe('the filter of codes', () => {
  it('never denies a code that was added', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/)), (codes) => {
        const filter = createCodeFilter();
        for (const code of codes) filter.add(code);
        expect(codes.every((code) => filter.mayHave(code))).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  it('denies nearly all others at 200,000 codes', () => {
    const filter = createCodeFilter();
    for (let index = 0; index < 200_000; index += 1) filter.add(`c${index.toString(36)}`);
    let wrong = 0;
    for (let index = 0; index < 50_000; index += 1) if (filter.mayHave(`x${index.toString(36)}`)) wrong += 1;
    expect(wrong).toBeLessThan(10);
  });
});
