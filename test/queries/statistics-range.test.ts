import { expect } from '@jest/globals';
import type { FieldErrorCode } from '../../src/domain/refusal.ts';
import { divideRange, parseStatisticsRange, type StatisticsRange } from '../../src/queries/statistics-range.ts';
import { findTimeZone } from '../../src/queries/time-zone.ts';

function parsed(range: StatisticsRange) {
  const result = parseStatisticsRange(range);
  if ('length' in result) throw new Error(JSON.stringify(result));
  const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
  return { from: iso(result.fromMs), to: iso(result.toMs), interval: result.interval, timezone: result.zone.name };
}

function errorsOf(range: StatisticsRange): (readonly [string, FieldErrorCode])[] {
  const result = parseStatisticsRange(range);
  return 'length' in result ? result.map(({ field, code }) => [field, code]) : [];
}

function divided(interval: Parameters<typeof divideRange>[1], from: string, to: string) {
  const zone = findTimeZone('Europe/Berlin');
  if (zone === undefined) throw new Error('this engine does not know Europe/Berlin');
  return divideRange(zone, interval, Date.parse(from), Date.parse(to));
}

describe('the range of a statistics question', () => {
  it('is open at both ends, in UTC, when nothing is asked', () => {
    expect(parsed({})).toEqual({ from: null, to: null, interval: null, timezone: 'UTC' });
  });

  it.each<[StatisticsRange, string, string]>([
    [
      { from: '2026-03-01T00:00:00Z', to: '2026-03-02T00:00:00Z' },
      '2026-03-01T00:00:00.000Z',
      '2026-03-02T00:00:00.000Z',
    ],
    [
      { from: '2026-03-01T05:45:00+05:45', to: '2026-03-02T00:00:00-03:30' },
      '2026-03-01T00:00:00.000Z',
      '2026-03-02T03:30:00.000Z',
    ],
    // Widened to quarter hours.
    [
      { from: '2026-03-01T10:07:00Z', to: '2026-03-01T10:08:00.5Z' },
      '2026-03-01T10:00:00.000Z',
      '2026-03-01T10:15:00.000Z',
    ],
    [
      { from: '2026-03-01T10:14:59.999Z', to: '2026-03-01T10:15:00.001Z' },
      '2026-03-01T10:00:00.000Z',
      '2026-03-01T10:30:00.000Z',
    ],
    // Dates are days of the zone.
    [{ from: '2026-03-01', to: '2026-03-02' }, '2026-03-01T00:00:00.000Z', '2026-03-02T00:00:00.000Z'],
    [
      { from: '2026-03-29', to: '2026-03-30', timezone: 'Europe/Berlin' },
      '2026-03-28T23:00:00.000Z',
      '2026-03-29T22:00:00.000Z',
    ],
    [
      { from: '2026-03-01', to: '2026-03-02', timezone: 'Asia/Kathmandu' },
      '2026-02-28T18:15:00.000Z',
      '2026-03-01T18:15:00.000Z',
    ],
    [
      { from: '2018-11-04', to: '2018-11-05', timezone: 'America/Sao_Paulo' },
      '2018-11-04T03:00:00.000Z',
      '2018-11-05T02:00:00.000Z',
    ],
    [
      { from: '1970-01-01', to: '1970-01-02', timezone: 'Asia/Tokyo' },
      '1969-12-31T15:00:00.000Z',
      '1970-01-01T15:00:00.000Z',
    ],
    [{ from: '9999-12-30', to: '9999-12-31' }, '9999-12-30T00:00:00.000Z', '9999-12-31T00:00:00.000Z'],
    [{ from: '2024-02-29', to: '2124-02-29' }, '2024-02-29T00:00:00.000Z', '2124-02-29T00:00:00.000Z'],
  ])('%j is from %s to %s', (range, from, to) => {
    expect(parsed(range)).toMatchObject({ from, to });
  });

  it.each<[StatisticsRange, [string, FieldErrorCode][]]>([
    [{ timezone: '' }, [['timezone', 'not-a-time-zone']]],
    [{ timezone: 'Mars/Olympus' }, [['timezone', 'not-a-time-zone']]],
    [{ timezone: '+01:00' }, [['timezone', 'not-a-time-zone']]],
    [{ interval: 'year' }, [['interval', 'not-allowed-value']]],
    [{ interval: 'Hour' }, [['interval', 'not-allowed-value']]],
    [{ interval: '' }, [['interval', 'not-allowed-value']]],
    [{ interval: 'constructor' }, [['interval', 'not-allowed-value']]],
    [{ from: '' }, [['from', 'not-an-instant']]],
    [{ from: 'yesterday' }, [['from', 'not-an-instant']]],
    [{ from: '1767225600000' }, [['from', 'not-an-instant']]],
    [{ from: '2026-02-30' }, [['from', 'not-an-instant']]],
    [{ from: '2025-02-29' }, [['from', 'not-an-instant']]],
    [{ from: '2026-13-01' }, [['from', 'not-an-instant']]],
    [{ from: '2026-3-1' }, [['from', 'not-an-instant']]],
    [{ from: '+002026-03-01' }, [['from', 'not-an-instant']]],
    [{ to: '2026-03-01T00:00:00' }, [['to', 'not-an-instant']]],
    [{ to: '2026-03-01T00:00:00 01:00' }, [['to', 'not-an-instant']]],
    [{ to: '2026-03-01T24:00:00Z' }, [['to', 'not-an-instant']]],
    [{ to: '2026-03-01 ' }, [['to', 'not-an-instant']]],
    [{ from: '1969-12-31' }, [['from', 'out-of-range']]],
    [{ from: '1969-12-31T23:59:59Z' }, [['from', 'out-of-range']]],
    [{ from: '0000-01-01' }, [['from', 'out-of-range']]],
    [{ to: '9999-12-31T00:00:00.001Z' }, [['to', 'out-of-range']]],
    [{ from: '2026-03-02', to: '2026-03-01' }, [['from', 'out-of-range']]],
    [{ from: '2026-03-01', to: '2026-03-01' }, [['from', 'out-of-range']]],
    [{ from: '2026-03-01T10:07:00Z', to: '2026-03-01T10:07:00Z' }, [['from', 'out-of-range']]],
    [{ from: '2024-02-29', to: '2124-03-02' }, [['from', 'out-of-range']]],
    // All of them at once.
    [
      { from: 'x', to: 'y', interval: 'z', timezone: '?' },
      [
        ['timezone', 'not-a-time-zone'],
        ['interval', 'not-allowed-value'],
        ['from', 'not-an-instant'],
        ['to', 'not-an-instant'],
      ],
    ],
    [
      { from: '2026-03-01', to: '9999-99-99', timezone: '?' },
      [
        ['timezone', 'not-a-time-zone'],
        ['to', 'not-an-instant'],
      ],
    ],
  ])('%j is refused', (range, errors) => {
    expect(errorsOf(range)).toEqual(errors);
  });

  it.each([
    ['2026-03-01T00:00:00Z', '2026-03-02T01:00:00Z', '15m', 100],
    ['2026-03-01T00:00:00Z', '2026-03-02T01:15:00Z', 'hour', 26],
    ['2026-03-01T00:00:00Z', '2026-03-05T04:00:00Z', 'hour', 100],
    ['2026-03-01T00:00:00Z', '2026-03-05T04:15:00Z', 'day', 5],
    ['2026-03-01T00:00:00Z', '2026-06-20T00:00:00Z', 'week', 17],
    ['2026-03-01T00:00:00Z', '2029-03-01T00:00:00Z', 'month', 37],
    ['1980-03-01T00:00:00Z', '2080-03-01T00:00:00Z', 'month', 1_201],
  ])('from %s to %s is divided by %s', (from, to, interval, buckets) => {
    const range = divided(null, from, to);
    expect(range).toMatchObject({ interval });
    expect('starts' in range && range.starts).toHaveLength(buckets);
  });

  it('that gives more than 2,000 buckets is refused with the intervals that fit', () => {
    const most = divided('15m', '2026-03-01T00:00:00Z', '2026-03-21T20:00:00Z');
    expect('starts' in most && most.starts).toHaveLength(2_000);
    expect(divided('15m', '2026-03-01T00:00:00Z', '2026-03-21T20:15:00Z')).toEqual([
      {
        field: 'interval',
        code: 'too-many-buckets',
        detail: 'The range holds more than 2000 buckets of this interval; these fit: hour, day, week, month.',
      },
    ]);
    expect(divided('day', '1990-01-01T00:00:00Z', '2040-01-01T00:00:00Z')).toMatchObject([
      { detail: expect.stringMatching(/these fit: month\.$/) },
    ]);
  });
});
