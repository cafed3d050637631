import { expect } from '@jest/globals';
import { bucketStarts, type Interval } from '../../src/queries/series.ts';
import { findTimeZone, formatLocal } from '../../src/queries/time-zone.ts';

function startsOf(zoneName: string, interval: Interval, from: string, to: string, max = 2_000): string[] | undefined {
  const zone = findTimeZone(zoneName);
  if (zone === undefined) throw new Error(`this engine does not know ${zoneName}`);
  return bucketStarts(zone, interval, Date.parse(from), Date.parse(to), max)?.map((ms) => formatLocal(zone, ms));
}

describe('the buckets of a series', () => {
  it.each<[string, Interval, string, string, string[]]>([
    [
      'UTC',
      '15m',
      '2026-01-01T23:30:00Z',
      '2026-01-02T00:15:00Z',
      ['2026-01-01T23:30:00Z', '2026-01-01T23:45:00Z', '2026-01-02T00:00:00Z'],
    ],
    ['UTC', 'hour', '2026-01-01T10:45:00Z', '2026-01-01T12:00:00Z', ['2026-01-01T10:00:00Z', '2026-01-01T11:00:00Z']],
    // Hours on the wall, not on the UTC clock.
    [
      'Asia/Kathmandu',
      'hour',
      '2026-01-01T10:30:00Z',
      '2026-01-01T12:15:00Z',
      ['2026-01-01T16:00:00+05:45', '2026-01-01T17:00:00+05:45'],
    ],
    ['America/St_Johns', 'hour', '2026-01-01T10:30:00Z', '2026-01-01T11:30:00Z', ['2026-01-01T07:00:00-03:30']],
    // The hour from 02:00 is left out in spring and repeated in autumn.
    [
      'Europe/Berlin',
      'hour',
      '2026-03-29T00:00:00Z',
      '2026-03-29T02:00:00Z',
      ['2026-03-29T01:00:00+01:00', '2026-03-29T03:00:00+02:00'],
    ],
    [
      'Europe/Berlin',
      'hour',
      '2026-10-25T00:00:00Z',
      '2026-10-25T03:00:00Z',
      ['2026-10-25T02:00:00+02:00', '2026-10-25T02:00:00+01:00', '2026-10-25T03:00:00+01:00'],
    ],
    // Shifts by half an hour cut an hour short.
    [
      'Australia/Lord_Howe',
      'hour',
      '2026-10-03T14:30:00Z',
      '2026-10-03T17:00:00Z',
      ['2026-10-04T01:00:00+10:30', '2026-10-04T02:30:00+11:00', '2026-10-04T03:00:00+11:00'],
    ],
    [
      'Australia/Lord_Howe',
      'hour',
      '2026-04-04T14:00:00Z',
      '2026-04-04T16:30:00Z',
      ['2026-04-05T01:00:00+11:00', '2026-04-05T01:30:00+10:30', '2026-04-05T02:00:00+10:30'],
    ],
    [
      'Australia/Lord_Howe',
      'hour',
      '2026-10-03T15:45:00Z',
      '2026-10-03T16:30:00Z',
      ['2026-10-04T02:30:00+11:00', '2026-10-04T03:00:00+11:00'],
    ],
    [
      'Asia/Kathmandu',
      'hour',
      '1985-12-31T17:30:00Z',
      '1985-12-31T19:30:00Z',
      ['1985-12-31T23:00:00+05:30', '1986-01-01T00:15:00+05:45', '1986-01-01T01:00:00+05:45'],
    ],
    // Clocks went from 02:30 to 03:00.
    [
      'America/Caracas',
      'hour',
      '2016-05-01T05:30:00Z',
      '2016-05-01T09:00:00Z',
      [
        '2016-05-01T01:00:00-04:30',
        '2016-05-01T02:00:00-04:30',
        '2016-05-01T03:00:00-04:00',
        '2016-05-01T04:00:00-04:00',
      ],
    ],
    [
      'Europe/Berlin',
      'day',
      '2026-03-28T23:00:00Z',
      '2026-03-30T22:00:00Z',
      ['2026-03-29T00:00:00+01:00', '2026-03-30T00:00:00+02:00'],
    ],
    [
      'America/Sao_Paulo',
      'day',
      '2018-11-03T12:00:00Z',
      '2018-11-05T12:00:00Z',
      ['2018-11-03T00:00:00-03:00', '2018-11-04T01:00:00-02:00', '2018-11-05T00:00:00-02:00'],
    ],
    [
      'Pacific/Apia',
      'day',
      '2011-12-29T12:00:00Z',
      '2011-12-31T12:00:00Z',
      ['2011-12-29T00:00:00-10:00', '2011-12-31T00:00:00+14:00', '2012-01-01T00:00:00+14:00'],
    ],
    // Back over midnight at 00:01: the minutes that read 23:01 again belong to the day that had begun.
    [
      'America/St_Johns',
      'day',
      '2010-11-07T02:45:00Z',
      '2010-11-08T04:00:00Z',
      ['2010-11-07T00:00:00-02:30', '2010-11-08T00:00:00-03:30'],
    ],
    [
      'UTC',
      'week',
      '2026-11-22T23:00:00Z',
      '2026-11-30T00:15:00Z',
      ['2026-11-16T00:00:00Z', '2026-11-23T00:00:00Z', '2026-11-30T00:00:00Z'],
    ],
    ['Asia/Tokyo', 'week', '2026-11-22T15:00:00Z', '2026-11-23T00:00:00Z', ['2026-11-23T00:00:00+09:00']],
    ['UTC', 'week', '1970-01-01T00:00:00Z', '1970-01-06T00:00:00Z', ['1969-12-29T00:00:00Z', '1970-01-05T00:00:00Z']],
    [
      'Europe/Berlin',
      'month',
      '2025-12-31T22:30:00Z',
      '2026-03-31T22:00:00Z',
      [
        '2025-12-01T00:00:00+01:00',
        '2026-01-01T00:00:00+01:00',
        '2026-02-01T00:00:00+01:00',
        '2026-03-01T00:00:00+01:00',
      ],
    ],
    [
      'Asia/Tehran',
      'month',
      '2022-03-20T00:00:00Z',
      '2022-04-01T00:00:00Z',
      ['2022-03-01T00:00:00+03:30', '2022-04-01T00:00:00+04:30'],
    ],
  ])('in %s by %s from %s to %s begin where the calendar says', (zone, interval, from, to, expected) => {
    expect(startsOf(zone, interval, from, to)).toEqual(expected);
  });

  it('are 23 or 25 hours on the days on which clocks change', () => {
    expect(startsOf('America/New_York', 'hour', '2026-03-08T05:00:00Z', '2026-03-09T04:00:00Z')).toHaveLength(23);
    expect(startsOf('America/New_York', 'hour', '2026-11-01T04:00:00Z', '2026-11-02T05:00:00Z')).toHaveLength(25);
  });

  it('are refused beyond the bound and given at it', () => {
    expect(startsOf('UTC', 'day', '2026-01-01T00:00:00Z', '2026-01-11T00:00:00Z', 10)).toHaveLength(10);
    expect(startsOf('UTC', 'day', '2026-01-01T00:00:00Z', '2026-01-11T00:15:00Z', 10)).toBeUndefined();
  });
});
