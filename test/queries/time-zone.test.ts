import { expect } from '@jest/globals';
import fc from 'fast-check';
import {
  findTimeZone,
  formatLocal,
  instantOfLocal,
  startOfLocalDay,
  type TimeZone,
} from '../../src/queries/time-zone.ts';

const minuteMs = 60_000;
const dayMs = 86_400_000;

function zoneOf(name: string): TimeZone {
  const zone = findTimeZone(name);
  if (zone === undefined) throw new Error(`this engine does not know ${name}`);
  return zone;
}

/** Local fields as milliseconds. */
const local = (text: string) => Date.parse(`${text}Z`);
const utc = (ms: number) => new Date(ms).toISOString().replace('.000Z', 'Z');
const startOf = (zone: string, date: string) => startOfLocalDay(zoneOf(zone), Date.parse(date) / dayMs);

describe('a time zone', () => {
  it.each([
    ['UTC', '2026-07-01T00:00:00Z', 0],
    ['Europe/London', '2026-07-01T00:00:00Z', 60],
    ['Asia/Kolkata', '2026-01-01T00:00:00Z', 330],
    ['Asia/Kathmandu', '2026-01-01T00:00:00Z', 345],
    ['Asia/Kathmandu', '1985-01-01T00:00:00Z', 330],
    ['America/St_Johns', '2026-01-01T00:00:00Z', -210],
    ['America/St_Johns', '2026-07-01T00:00:00Z', -150],
    ['Australia/Lord_Howe', '2026-01-01T00:00:00Z', 660],
    ['Australia/Lord_Howe', '2026-07-01T00:00:00Z', 630],
    ['Australia/Eucla', '2026-07-01T00:00:00Z', 525],
    ['Pacific/Chatham', '2026-01-01T00:00:00Z', 825],
    ['Pacific/Apia', '2011-12-30T09:59:59Z', -600],
    ['Pacific/Apia', '2011-12-30T10:00:00Z', 840],
    ['Pacific/Kiritimati', '2026-01-01T00:00:00Z', 840],
    ['Etc/GMT+12', '2026-01-01T00:00:00Z', -720],
    ['America/New_York', '2026-03-08T06:59:59Z', -300],
    ['America/New_York', '2026-03-08T07:00:00Z', -240],
    ['America/New_York', '2026-11-01T05:59:59Z', -240],
    ['America/New_York', '2026-11-01T06:00:00Z', -300],
    // Not at a whole quarter hour: at 00:01 local time, until 2011.
    ['America/St_Johns', '2010-03-14T03:30:59Z', -210],
    ['America/St_Johns', '2010-03-14T03:31:00Z', -150],
  ])('%s is at %s so many minutes from UTC: %d', (name, instant, minutes) => {
    expect(zoneOf(name).offsetMsAt(Date.parse(instant)) / minuteMs).toBe(minutes);
  });

  it('has its odd offsets of the past rounded to quarter hours', () => {
    expect(zoneOf('Africa/Monrovia').offsetMsAt(Date.parse('1971-01-01T00:00:00Z')) / minuteMs).toBe(-45);
    expect(zoneOf('Pacific/Kiritimati').offsetMsAt(Date.parse('1975-01-01T00:00:00Z')) / minuteMs).toBe(-645);
  });

  it('agrees with what Intl says in every zone', () => {
    const reference = new Map(
      Intl.supportedValuesOf('timeZone').map((name) => [
        name,
        new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' }),
      ]),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...reference.keys()),
        fc.integer({ min: Date.UTC(1980) / 1_000, max: Date.UTC(2100) / 1_000 }),
        (name, second) => {
          const text = reference.get(name)?.format(second * 1_000) ?? '';
          const [, sign, hours = '0', minutes = '0'] = /GMT(?:([+-])(\d\d):(\d\d))?$/.exec(text) ?? [];
          const expected = (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * minuteMs;
          expect(zoneOf(name).offsetMsAt(second * 1_000) - expected).toBe(0);
        },
      ),
      { numRuns: 400 },
    );
  });

  it.each([
    ['Europe/Berlin', '2026-01-15T12:00:00', '2026-01-15T11:00:00Z'],
    ['Europe/Berlin', '2026-07-15T12:00:00', '2026-07-15T10:00:00Z'],
    // In the gap from 02:00 to 03:00.
    ['Europe/Berlin', '2026-03-29T02:00:00', '2026-03-29T01:00:00Z'],
    ['Europe/Berlin', '2026-03-29T02:30:00', '2026-03-29T01:30:00Z'],
    ['Europe/Berlin', '2026-03-29T03:00:00', '2026-03-29T01:00:00Z'],
    // Twice: the earlier.
    ['Europe/Berlin', '2026-10-25T02:30:00', '2026-10-25T00:30:00Z'],
    ['Europe/Berlin', '2026-10-25T03:00:00', '2026-10-25T02:00:00Z'],
    ['America/New_York', '2026-03-08T02:30:00', '2026-03-08T07:30:00Z'],
    ['America/New_York', '2026-11-01T01:30:00', '2026-11-01T05:30:00Z'],
    ['Australia/Lord_Howe', '2026-10-04T02:15:00', '2026-10-03T15:45:00Z'],
    ['Australia/Lord_Howe', '2026-04-05T01:45:00', '2026-04-04T14:45:00Z'],
    ['Pacific/Apia', '2011-12-30T12:00:00', '2011-12-30T22:00:00Z'],
    ['Asia/Kathmandu', '1986-01-01T00:00:00', '1985-12-31T18:30:00Z'],
    ['Asia/Kathmandu', '1986-01-01T00:15:00', '1985-12-31T18:30:00Z'],
  ])('%s takes the local time %s for %s', (name, localTime, instant) => {
    expect(utc(instantOfLocal(zoneOf(name), local(localTime)))).toBe(instant);
  });

  it.each([
    ['UTC', '2026-03-29', 24],
    ['Europe/Berlin', '2026-03-29', 23],
    ['Europe/Berlin', '2026-10-25', 25],
    ['Australia/Lord_Howe', '2026-10-04', 23.5],
    ['Australia/Lord_Howe', '2026-04-05', 24.5],
    // Clocks go forward at midnight, so the day begins at one.
    ['America/Sao_Paulo', '2018-11-04', 23],
    ['America/Sao_Paulo', '2018-02-17', 25],
    ['Africa/Cairo', '2026-04-24', 23],
    ['Pacific/Apia', '2011-12-29', 24],
    ['Pacific/Apia', '2011-12-30', 0],
    ['Pacific/Apia', '2011-12-31', 24],
    ['Asia/Kathmandu', '1986-01-01', 23.75],
    // Left out, like Apia's.
    ['Pacific/Kwajalein', '1993-08-21', 0],
  ])('%s has in the day %s so many hours: %d', (name, date, hours) => {
    const next = new Date(Date.parse(date) + dayMs).toISOString().slice(0, 10);
    expect((startOf(name, next) - startOf(name, date)) / 3_600_000).toBe(hours);
  });

  it('begins the days without a midnight after the gap', () => {
    expect(formatLocal(zoneOf('America/Sao_Paulo'), startOf('America/Sao_Paulo', '2018-11-04'))).toBe(
      '2018-11-04T01:00:00-02:00',
    );
    expect(formatLocal(zoneOf('Pacific/Apia'), startOf('Pacific/Apia', '2011-12-30'))).toBe(
      '2011-12-31T00:00:00+14:00',
    );
  });

  it('finds the instant of every local time that exists, the earlier of two', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Intl.supportedValuesOf('timeZone')),
        fc.integer({ min: Date.UTC(1980) / 900_000, max: Date.UTC(2100) / 900_000 }),
        (name, quarter) => {
          const zone = zoneOf(name);
          const instant = quarter * 900_000;
          const localMs = instant + zone.offsetMsAt(instant);
          const found = instantOfLocal(zone, localMs);
          expect(found + zone.offsetMsAt(found)).toBe(localMs);
          expect(found).toBeLessThanOrEqual(instant);
        },
      ),
      { numRuns: 400 },
    );
  });

  it.each([
    ['europe/BERLIN', 'Europe/Berlin'],
    ['utc', 'UTC'],
    ['Asia/Kolkata', 'Asia/Kolkata'],
    ['Asia/Calcutta', 'Asia/Calcutta'],
    ['America/Argentina/Buenos_Aires', 'America/Argentina/Buenos_Aires'],
    ['Etc/GMT-14', 'Etc/GMT-14'],
  ])('is found as %s and answers as %s', (asked, answered) => {
    expect(findTimeZone(asked)?.name).toBe(answered);
  });

  it.each([
    '',
    ' ',
    'Mars/Olympus',
    '+02:00',
    '-05:00',
    '2',
    'Europe/Berlin ',
    'Europe/Berlin\n',
    '__proto__',
    '../UTC',
    'Ü',
    'A'.repeat(10_000),
  ])('is not found as %j', (name) => {
    expect(findTimeZone(name)).toBeUndefined();
  });

  it('stays right when more zones are asked for than are kept', () => {
    const at = Date.parse('2026-07-01T00:00:00Z');
    const names = Intl.supportedValuesOf('timeZone').slice(0, 150);
    const first = names.map((name) => zoneOf(name).offsetMsAt(at));
    expect(names.map((name) => zoneOf(name).offsetMsAt(at))).toEqual(first);
    expect(zoneOf('Asia/Kathmandu')).toBe(zoneOf('Asia/Kathmandu'));
  });

  it('is written with its offset, UTC with Z', () => {
    const at = Date.parse('2026-01-01T00:00:00Z');
    expect(formatLocal(zoneOf('UTC'), at)).toBe('2026-01-01T00:00:00Z');
    expect(formatLocal(zoneOf('Europe/London'), at)).toBe('2026-01-01T00:00:00+00:00');
    expect(formatLocal(zoneOf('America/St_Johns'), at)).toBe('2025-12-31T20:30:00-03:30');
    expect(formatLocal(zoneOf('Asia/Kathmandu'), at)).toBe('2026-01-01T05:45:00+05:45');
  });
});
