import { jest } from '@jest/globals';
import fc from 'fast-check';
import { StatisticsRebuilding } from '../../src/ports/statistics-read-model.ts';
import { createGetLink } from '../../src/queries/get-link.ts';
import { createListLinks, type ListLinks, type ListLinksQuery } from '../../src/queries/list-links.ts';
import { createFakeStatistics, type FakeStatistics } from '../support/fake-statistics.ts';
import { type LinkTableWorld, openLinkTableWorld, startMs } from '../support/link-table-world.ts';

const nowMs = startMs + 1_000_000;
const clock = { nowMs: () => nowMs, monotonicMs: () => 0 };

describe('lists of links', () => {
  let world: LinkTableWorld;
  let statistics: FakeStatistics;
  let listLinks: ListLinks;

  beforeEach(async () => {
    world = await openLinkTableWorld();
    statistics = createFakeStatistics();
    listLinks = createListLinks({ linkTable: world.table(), statistics, clock });
  });

  afterEach(async () => {
    await world.close();
  });

  async function codes(query: Partial<ListLinksQuery>): Promise<string[]> {
    const page = await listLinks({ sort: 'createdAt', order: 'desc', limit: 100, ...query });
    return page.links.map(({ link }) => link.code);
  }

  /** All pages, with `between` called before each next one. */
  async function walk(
    query: Partial<ListLinksQuery>,
    between: () => Promise<void> = async () => undefined,
  ): Promise<string[]> {
    const seen: string[] = [];
    let after: ListLinksQuery['after'];
    for (;;) {
      const page = await listLinks({ sort: 'createdAt', order: 'desc', limit: 7, ...query, ...(after && { after }) });
      seen.push(...page.links.map(({ link }) => link.code));
      if (page.next === null) return seen;
      expect(page.links).toHaveLength(7);
      after = page.next;
      await between();
    }
  }

  it.each(['visits', 'lastVisitAt'] as const)('gives the same pages by %s when the order is kept', async (sort) => {
    for (let n = 0; n < 300; n += 1) {
      await world.create(`code${n}`);
      if (n % 8 !== 0) statistics.set(`code${n}`, { total: (n * 7) % 40, lastVisitAt: startMs + ((n * 13) % 90) });
    }
    await world.write('code77', { type: 'LinkDeleted' }, { expectedVersion: 1 });
    const expected = await walk({ sort });
    expect(expected).toHaveLength(299);
    statistics.keepOrder();
    const everyTotal = jest.spyOn(statistics, 'everyTotal');
    await listLinks({ sort, order: 'desc', limit: 7 });
    expect(everyTotal).not.toHaveBeenCalled();
    expect(await walk({ sort })).toEqual(expected);
  });

  it('finds by a part of target, code, note or tags, in any case', async () => {
    await world.create('CodeNeedle');
    await world.create('b', { url: 'https://example.com/Needle' });
    await world.create('c', { note: 'a NEEDLE in hay' });
    await world.create('d', { tags: ['needles'] });
    await world.create('e');
    expect(await codes({ q: 'nEEdle' })).toEqual(['d', 'c', 'b', 'CodeNeedle']);
    expect(await codes({ q: 'nothing' })).toEqual([]);
  });

  it('finds by exact target and by tag, together with a text', async () => {
    await world.create('a', { url: 'https://x.example/', tags: ['News'] });
    await world.create('b', { url: 'https://x.example/', note: 'hello' });
    await world.create('c', { url: 'https://x.example/y', tags: ['news'] });
    expect(await codes({ url: 'https://x.example/' })).toEqual(['b', 'a']);
    expect(await codes({ tag: 'NEWS', order: 'asc' })).toEqual(['a', 'c']);
    expect(await codes({ url: 'https://x.example/', q: 'HELLO' })).toEqual(['b']);
    expect(await codes({ url: 'https://x.example/', tag: 'news', sort: 'visits' })).toEqual(['a']);
  });

  it('tells states apart and shows deleted links only when they are asked for', async () => {
    await world.create('active');
    await world.create('disabled');
    await world.write('disabled', { type: 'LinkDisabled' }, { expectedVersion: 1 });
    await world.create('expired', { expiresAt: nowMs });
    await world.create('exhausted', { maxVisits: 3 });
    await world.create('unused', { maxVisits: 4 });
    await world.create('deleted');
    await world.write('deleted', { type: 'LinkDeleted' }, { expectedVersion: 1 });
    statistics.set('exhausted', { nonBots: 3, bots: 1 });
    statistics.set('unused', { nonBots: 3, bots: 5 });

    for (const sort of ['createdAt', 'visits'] as const) {
      const sorted = async (query: Partial<ListLinksQuery>) => (await codes({ sort, ...query })).sort();
      expect(await sorted({})).toEqual(['active', 'disabled', 'exhausted', 'expired', 'unused']);
      expect(await sorted({ status: 'active' })).toEqual(['active', 'unused']);
      expect(await sorted({ status: 'disabled' })).toEqual(['disabled']);
      expect(await sorted({ status: 'expired' })).toEqual(['expired']);
      expect(await sorted({ status: 'exhausted' })).toEqual(['exhausted']);
      expect(await sorted({ status: 'deleted' })).toEqual(['deleted']);
    }
    const page = await listLinks({ sort: 'createdAt', order: 'asc', limit: 100 });
    expect(page.links.map(({ status }) => status)).toEqual(['active', 'disabled', 'expired', 'exhausted', 'active']);
  });

  it('neither repeats nor skips an entry while links are added, in every order', async () => {
    for (let index = 0; index < 25; index += 1) {
      await world.create(`c${index}`);
      if (index % 2 === 0) statistics.set(`c${index}`, { total: index % 5, lastVisitAt: startMs + (index % 7) });
    }
    const before = Array.from({ length: 25 }, (_, index) => `c${index}`).sort();
    let added = 0;
    for (const sort of ['createdAt', 'visits', 'lastVisitAt'] as const) {
      for (const order of ['asc', 'desc'] as const) {
        const seen = await walk({ sort, order }, async () => {
          added += 1;
          await world.create(`new${added}`);
        });
        expect(new Set(seen).size).toBe(seen.length);
        expect(seen.filter((code) => code.startsWith('c')).sort()).toEqual(before);
      }
    }
  });

  it('sorts by visits and by last visit as a full sort would', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(4), { minLength: 1, maxLength: 40 }), fc.nat(9), async (visits, limit) => {
        const own = await openLinkTableWorld();
        const numbers = createFakeStatistics();
        const list = createListLinks({ linkTable: own.table(), statistics: numbers, clock });
        const expected: [code: string, total: number, ordinal: number][] = [];
        for (const [index, total] of visits.entries()) {
          await own.create(`c${index}`);
          if (total > 0) numbers.set(`c${index}`, { total, lastVisitAt: startMs + total });
          expected.push([`c${index}`, total, index]);
        }
        expected.sort((left, right) => right[1] - left[1] || right[2] - left[2]);
        for (const sort of ['visits', 'lastVisitAt'] as const) {
          const seen: string[] = [];
          let after: ListLinksQuery['after'];
          do {
            const page = await list({ sort, order: 'desc', limit: limit + 1, ...(after && { after }) });
            seen.push(...page.links.map(({ link }) => link.code));
            after = page.next ?? undefined;
          } while (after !== undefined);
          expect(seen).toEqual(expected.map(([code]) => code));
        }
        await own.close();
      }),
      { numRuns: 30 },
    );
  });

  it('carries the numbers and the position they stand at', async () => {
    await world.create('a');
    await world.create('b');
    statistics.set('a', { nonBots: 2, bots: 1, lastVisitAt: startMs + 5 });
    const page = await listLinks({ sort: 'visits', order: 'desc', limit: 10 });
    expect(page.links.map(({ visits }) => visits)).toEqual([
      { total: 3, nonBots: 2, bots: 1, lastVisitAt: startMs + 5 },
      { total: 0, nonBots: 0, bots: 0, lastVisitAt: null },
    ]);
    expect(page.position.partitions).toEqual([{ partition: 0, nextOffset: 1, streamTimeMs: startMs + 5 }]);
    expect(page.next).toBeNull();
  });

  it('gives one link with its numbers, and says that numbers are being rebuilt', async () => {
    const getLink = createGetLink({ linkTable: world.table(), statistics, clock });
    await world.create('a', { maxVisits: 2 });
    statistics.set('a', { nonBots: 2 });
    expect(await getLink('a')).toMatchObject({ link: { code: 'a' }, status: 'exhausted', visits: { total: 2 } });
    expect(await getLink('b')).toBeUndefined();
    statistics.setRebuild({ fraction: 0.5, recordsDone: 1, recordsTotal: 2 });
    await expect(getLink('a')).rejects.toBeInstanceOf(StatisticsRebuilding);
    await expect(codes({})).rejects.toBeInstanceOf(StatisticsRebuilding);
  });

  it('lets others have their turn while it walks many links', async () => {
    for (let index = 0; index < 2500; index += 1) await world.create(`c${index}`);
    let turns = 0;
    let walking = true;
    const count = (): void => {
      turns += 1;
      if (walking) setImmediate(count);
    };
    setImmediate(count);
    expect(await codes({ q: 'nothing here' })).toEqual([]);
    expect(await codes({ sort: 'visits', limit: 2 })).toEqual(['c2499', 'c2498']);
    walking = false;
    expect(turns).toBeGreaterThanOrEqual(4);
  });
});
