import {
  addDays,
  dayOf,
  rangeToAsk,
  readStatisticsState,
  statisticsAddress,
} from '../../../src/http/pages/statistics-range.ts';

const now = Date.parse('2026-11-22T00:30:00Z');
const ask = (query: string) => rangeToAsk(readStatisticsState(new URLSearchParams(query), 'UTC'), now);

describe('the range of the statistics page', () => {
  it('is the last seven days of the calendar, today included, unless told otherwise', () => {
    expect(ask('')).toEqual({
      current: { from: '2026-11-16', to: '2026-11-23', timezone: 'UTC', interval: 'day' },
      previous: { from: '2026-11-09', to: '2026-11-16', timezone: 'UTC', interval: 'day' },
      today: { from: '2026-11-22', to: '2026-11-23', timezone: 'UTC', interval: 'day' },
    });
  });

  it('counts its days on the calendar of the zone', () => {
    expect(ask('timezone=America/St_Johns').current).toMatchObject({ from: '2026-11-15', to: '2026-11-22' });
    expect(ask('timezone=Pacific/Apia').current).toMatchObject({ from: '2026-11-16', to: '2026-11-23' });
  });

  it('is whole hours for a day and whole months for a year', () => {
    expect(ask('range=24h').current).toEqual({
      from: '2026-11-21T01:00:00.000Z',
      to: '2026-11-22T01:00:00.000Z',
      timezone: 'UTC',
      interval: 'hour',
    });
    expect(ask('range=12mo')).toMatchObject({
      current: { from: '2025-12-01', to: '2026-11-23', interval: 'month' },
      previous: { from: '2024-12-01', to: '2025-12-01' },
    });
  });

  it('leaves everything about "all" to the query but the zone', () => {
    expect(ask('range=all')).toMatchObject({ current: { timezone: 'UTC' }, previous: null });
    expect(ask('range=all').current).not.toHaveProperty('from');
  });

  it('includes the last day of a custom range, and compares with as many days before', () => {
    expect(ask('range=custom&from=2026-03-01&to=2026-03-31')).toMatchObject({
      current: { from: '2026-03-01', to: '2026-04-01' },
      previous: { from: '2026-01-29', to: '2026-03-01' },
    });
  });

  it.each([
    'range=custom',
    'range=custom&from=2026-13-01&to=x',
    'range=nonsense',
    'interval=minute',
    'timezone=Mars/Olympus',
  ])('falls back to the default for %s', (query) => {
    expect(ask(query)).toEqual(ask(''));
  });

  it('has an address that reads back as the same state', () => {
    for (const query of [
      '',
      'range=30d&bots=1',
      'range=custom&from=2026-01-01&to=2026-01-31&interval=week&timezone=Asia%2FKolkata',
    ]) {
      const state = readStatisticsState(new URLSearchParams(query), 'UTC');
      const address = statisticsAddress('abc', state);
      expect(readStatisticsState(new URLSearchParams(address.split('?')[1]), 'UTC')).toEqual(state);
    }
  });

  it('knows the calendar', () => {
    expect(addDays('2028-02-28', 1)).toBe('2028-02-29');
    expect(dayOf(Date.parse('2026-11-22T18:20:00Z'), 'Asia/Kathmandu')).toBe('2026-11-23');
  });
});
