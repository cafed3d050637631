import type { Link } from '../../src/domain/link.ts';
import { LogUnavailable } from '../../src/ports/event-log.ts';
import { createLinkCache } from '../../src/projections/link-cache.ts';
import { aLink } from '../support/link-builders.ts';

describe('links of an instance without a table', () => {
  let nowMs: number;
  let shared: Map<string, Link>;
  let table: Map<string, Link>;
  let asked: string[];
  let sharedFails: boolean;
  let instancesFail: boolean;

  beforeEach(() => {
    nowMs = 1_000;
    [shared, table, asked] = [new Map(), new Map(), []];
    [sharedFails, instancesFail] = [false, false];
  });

  const open = () =>
    createLinkCache({
      async findShared(code) {
        asked.push(`shared ${code}`);
        if (sharedFails) throw new Error('away');
        return shared.get(code) ?? null;
      },
      async ask(code) {
        asked.push(`instance ${code}`);
        if (instancesFail) throw new LogUnavailable('nobody answers');
        return table.get(code) ?? null;
      },
      clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
    });
  const link = (version: number) => aLink({ code: 'abc', version, url: `https://example.org/${version}` });

  it('knows none that was not looked up, and then finds it without waiting', async () => {
    shared.set('abc', link(1));
    const links = open();
    expect(links.find('abc')).toBeUndefined();
    await links.pass('abc');
    expect(links.find('abc')).toEqual(link(1));
    expect(asked).toEqual(['shared abc']);
  });

  it.each([
    ['is not in the shared view', false],
    ['cannot be looked up there', true],
  ])('asks an instance for a link that %s', async (_, fails) => {
    sharedFails = fails;
    table.set('abc', link(1));
    const links = open();
    await links.pass('abc');
    expect(links.find('abc')).toEqual(link(1));
    expect(asked).toEqual(['shared abc', 'instance abc']);
  });

  it('says that there is no link only when an instance does', async () => {
    const links = open();
    await links.pass('abc');
    expect(links.find('abc')).toBeUndefined();
    instancesFail = true;
    await expect(links.pass('abc')).rejects.toThrow(LogUnavailable);
  });

  it('looks a code up once for all who ask at once', async () => {
    table.set('abc', link(1));
    const links = open();
    await Promise.all(Array.from({ length: 20 }, () => links.pass('abc')));
    expect(asked).toEqual(['shared abc', 'instance abc']);
  });

  it('looks it up again after a second, and goes on with what it knows when nobody can be asked', async () => {
    shared.set('abc', link(1));
    const links = open();
    await links.pass('abc');
    nowMs += 1_001;
    expect(links.find('abc')).toBeUndefined();
    shared.set('abc', link(2));
    await links.pass('abc');
    expect(links.find('abc')).toEqual(link(2));
    nowMs += 1_001;
    [sharedFails, instancesFail] = [true, true];
    await links.pass('abc');
    expect(links.find('abc')).toEqual(link(2));
  });

  it('lets a link go when it hears of a newer version, and of no other', async () => {
    shared.set('abc', link(2));
    const links = open();
    await links.pass('abc');
    links.changed({ code: 'abc', version: 2 });
    links.changed({ code: 'other', version: 9 });
    expect(links.find('abc')).toEqual(link(2));
    links.changed({ code: 'abc', version: 3 });
    expect(links.find('abc')).toBeUndefined();
    [sharedFails, instancesFail] = [true, true];
    await expect(links.pass('abc')).rejects.toThrow(LogUnavailable);
  });

  it('believes none without a look when it may have missed changes', async () => {
    shared.set('abc', link(1));
    const links = open();
    await links.pass('abc');
    links.changed(null);
    expect(links.find('abc')).toBeUndefined();
    [sharedFails, instancesFail] = [true, true];
    await links.pass('abc');
    expect(links.find('abc')).toEqual(link(1));
  });
});
