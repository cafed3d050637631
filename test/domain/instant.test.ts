import fc from 'fast-check';
import { parseInstant, parseUtcInstant } from '../../src/domain/instant.ts';

describe('an RFC 3339 instant', () => {
  it.each([
    ['2030-01-31T12:00:00Z', Date.UTC(2030, 0, 31, 12)],
    ['2030-01-31t12:00:00z', Date.UTC(2030, 0, 31, 12)],
    ['2030-01-31T12:00:00.5Z', Date.UTC(2030, 0, 31, 12, 0, 0, 500)],
    ['2030-01-31T12:00:00.123987Z', Date.UTC(2030, 0, 31, 12, 0, 0, 123)],
    ['2030-01-31T12:00:00+02:00', Date.UTC(2030, 0, 31, 10)],
    ['2030-01-31T12:00:00-05:30', Date.UTC(2030, 0, 31, 17, 30)],
    ['2030-01-31T12:00:00-00:00', Date.UTC(2030, 0, 31, 12)],
    ['2028-02-29T00:00:00Z', Date.UTC(2028, 1, 29)],
    ['9999-12-31T23:59:59.999Z', 253_402_300_799_999],
    ['1969-12-31T23:59:59Z', -1000],
  ])('%s is read to the millisecond', (text, ms) => {
    expect(parseInstant(text)).toBe(ms);
  });

  it.each([
    '',
    'tomorrow',
    '2030-01-31',
    '2030-01-31T12:00Z',
    '2030-01-31T12:00:00',
    '2030-01-31 12:00:00Z',
    '2030-1-31T12:00:00Z',
    '2030-02-30T12:00:00Z',
    '2029-02-29T12:00:00Z',
    '2030-13-01T12:00:00Z',
    '2030-00-01T12:00:00Z',
    '2030-01-00T12:00:00Z',
    '2030-01-31T24:00:00Z',
    '2030-01-31T12:60:00Z',
    '2030-01-31T12:00:60Z',
    '2030-01-31T12:00:00.Z',
    '2030-01-31T12:00:00+24:00',
    '2030-01-31T12:00:00+02:60',
    '2030-01-31T12:00:00+0200',
    '2030-01-31T12:00:00+2:00',
    '2030-01-31T12:00:00Z\n',
    ' 2030-01-31T12:00:00Z',
    '+002030-01-31T12:00:00Z',
    '12030-01-31T12:00:00Z',
    '9999-12-31T23:59:59-00:01',
    '２０３０-01-31T12:00:00Z',
    '1893456000',
  ])('%j is none', (text) => {
    expect(parseInstant(text)).toBeUndefined();
  });

  it('every instant of the era reads back as it was written', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799_999 }), (ms) => {
        expect(parseInstant(new Date(ms).toISOString())).toBe(ms);
      }),
    );
  });
});

describe('an instant as Date writes it', () => {
  it('is read as Date reads it, from year 0 to 9999', () => {
    const times = fc.integer({
      min: Date.parse('0000-01-01T00:00:00.000Z'),
      max: Date.parse('9999-12-31T23:59:59.999Z'),
    });
    fc.assert(
      fc.property(times, (ms) => expect(parseUtcInstant(new Date(ms).toISOString())).toBe(ms)),
      { numRuns: 2_000 },
    );
  });

  it('is that of a day that exists: every day of 800 years, and none beside them', () => {
    const two = (value: number) => String(value).padStart(2, '0');
    for (let year = 1600; year < 2400; year++) {
      for (let month = 1; month <= 12; month++) {
        const days = new Date(Date.UTC(year, month, 0)).getUTCDate();
        for (let day = 0; day <= 32; day++) {
          const read = parseUtcInstant(`${year}-${two(month)}-${two(day)}T12:34:56.789Z`);
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
    'x026-01-01T00:00:00.000Z',
    '-026-01-01T00:00:00.000Z',
    '202x-02-01T00:00:00.000Z',
    '2026-0x-01T00:00:00.000Z',
    '2026-01-0xT00:00:00.000Z',
    '2026-01-01T0x:00:00.000Z',
    '2026-01-01T00:0x:00.000Z',
    '2026-01-01T00:00:0x.000Z',
    '2026-01-01T00:00:00.0x0Z',
  ])('is not "%s"', (text) => {
    expect(parseUtcInstant(text)).toBeUndefined();
  });
});
