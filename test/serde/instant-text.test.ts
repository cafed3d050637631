import fc from 'fast-check';
import { usualInstant } from '../../src/serde/instant-text.ts';

describe('the usual text of an instant', () => {
  it('is read as Date reads it, from year 0 to 9999', () => {
    const times = fc.integer({
      min: Date.parse('0000-01-01T00:00:00.000Z'),
      max: Date.parse('9999-12-31T23:59:59.999Z'),
    });
    fc.assert(
      fc.property(times, (ms) => expect(usualInstant(new Date(ms).toISOString())).toBe(ms)),
      { numRuns: 2_000 },
    );
  });

  it('is that of a day that exists: every day of 800 years, and none beside them', () => {
    const two = (value: number) => String(value).padStart(2, '0');
    for (let year = 1600; year < 2400; year++) {
      for (let month = 1; month <= 12; month++) {
        const days = new Date(Date.UTC(year, month, 0)).getUTCDate();
        for (let day = 0; day <= 32; day++) {
          const read = usualInstant(`${year}-${two(month)}-${two(day)}T12:34:56.789Z`);
          const exists = day >= 1 && day <= days;
          if (read !== (exists ? Date.UTC(year, month - 1, day, 12, 34, 56, 789) : undefined)) {
            throw new Error(`${year}-${month}-${day} was read as ${read}`);
          }
        }
      }
    }
  });

  it.each([
    '',
    '2026-01-01T00:00:00Z',
    '2026-01-01T00:00:00.0000Z',
    '2026-00-01T00:00:00.000Z',
    '2026-13-01T00:00:00.000Z',
    '2026-01-01T24:00:00.000Z',
    '2026-01-01T00:60:00.000Z',
    '2026-01-01T00:00:60.000Z',
    '2026-01-01t00:00:00.000Z',
    '2026-01-01T00:00:00.000z',
    '2026-01-01T00:00:00,000Z',
    '2026-1 -01T00:00:00.000Z',
    '+02026-01-01T00:00:00.00Z',
    '2026-01-01T00:00:00.00ßZ',
  ])('is not "%s"', (text) => {
    expect(usualInstant(text)).toBeUndefined();
  });
});
