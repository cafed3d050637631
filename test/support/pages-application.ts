/**
 * An application in memory for tests of the pages alone: links in a map, visits as a list of times. It keeps none of
 * the product's promises but the shapes; scenarios and browser flows run against the real program.
 */
import type { CreatedLink } from '../../src/commands/create-link.ts';
import type { Link, LinkSettings } from '../../src/domain/link.ts';
import type { FieldError, Refusal } from '../../src/domain/refusal.ts';
import { dimensions, nameOfNone } from '../../src/domain/statistics.ts';
import type { PagesOptions } from '../../src/http/pages/create-pages.ts';
import type { Interval, NamedCount, Statistics, StatisticsRange } from '../../src/queries/link-statistics.ts';
import type { LinkStatus, LinkView } from '../../src/queries/link-view.ts';

export type FakeApplication = PagesOptions['application'] & {
  /** Adds a link as if it had been made, at `nowMs` unless told. */
  addLink(settings: Partial<Link> & { readonly url: string; readonly code: string }): Link;
  /** Adds human visits at these times. */
  addVisits(code: string, timesMs: readonly number[]): void;
  addBots(code: string, count: number): void;
  addNames(code: string, dimension: (typeof dimensions)[number], counts: readonly NamedCount[]): void;
  /** Makes every read of numbers throw until it is undone with null. */
  failNumbersWith(error: Error | null): void;
  nowMs: number;
};

const intervalMs: Readonly<Record<Interval, number>> = {
  '15m': 900_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 7 * 86_400_000,
  month: 30 * 86_400_000,
};

export function createFakeApplication(nowMs: number): FakeApplication {
  const links = new Map<string, Link>();
  const visits = new Map<string, number[]>();
  const bots = new Map<string, number>();
  const names = new Map<string, NamedCount[]>();
  const outcomes = new Map<string, CreatedLink | Refusal>();
  let ids = 0;
  let failure: Error | null = null;

  const statusOf = (link: Link): LinkStatus => {
    if (link.deletedAt !== null) return 'deleted';
    if (link.disabled) return 'disabled';
    if (link.expiresAt !== null && link.expiresAt <= fake.nowMs) return 'expired';
    return 'active';
  };
  const viewOf = (link: Link): LinkView => {
    const times = visits.get(link.code) ?? [];
    const ofBots = bots.get(link.code) ?? 0;
    return {
      link,
      status: statusOf(link),
      visits: { total: times.length + ofBots, nonBots: times.length, bots: ofBots, lastVisitAt: times.at(-1) ?? null },
    };
  };
  const change = (code: string, changed: Partial<Link>): Link | Refusal => {
    const link = links.get(code);
    if (link === undefined) return { refusal: 'link-not-found', code };
    const next = { ...link, ...changed, version: link.version + 1, updatedAt: fake.nowMs };
    links.set(code, next);
    return next;
  };

  /** Days are UTC days whatever the zone: zones are the real query's matter. */
  const statisticsOf = (link: Link, range: StatisticsRange): Statistics | readonly FieldError[] => {
    const times = visits.get(link.code) ?? [];
    const from = Date.parse(range.from ?? new Date(times[0] ?? fake.nowMs - 86_400_000).toISOString().slice(0, 10));
    const to = range.to === undefined ? fake.nowMs : Date.parse(range.to);
    if (!(from < to)) {
      return [{ field: 'to', code: 'out-of-range', detail: 'The range must end after it begins.' }];
    }
    const interval = (range.interval ?? 'day') as Interval;
    const length = intervalMs[interval];
    const series = Array.from({ length: Math.ceil((to - from) / length) }, (_, i) => {
      const start = from + i * length;
      const count = times.filter((t) => t >= start && t < start + length).length;
      return { start: new Date(start).toISOString(), total: count, nonBots: count };
    });
    const nonBots = times.filter((t) => t >= from && t < to).length;
    const ofBots = bots.get(link.code) ?? 0;
    const breakdowns = Object.fromEntries(
      dimensions.map((dimension) => {
        const known = names.get(`${link.code} ${dimension}`);
        const none = nonBots > 0 && dimension !== 'crawlers' ? [{ name: nameOfNone[dimension], visits: nonBots }] : [];
        return [dimension, known ?? none];
      }),
    ) as Record<(typeof dimensions)[number], NamedCount[]>;
    return {
      code: link.code,
      url: link.url,
      from: new Date(from).toISOString(),
      to: new Date(to).toISOString(),
      interval,
      timezone: range.timezone ?? 'UTC',
      total: nonBots + ofBots,
      nonBots,
      bots: ofBots,
      prefetches: 0,
      uniqueVisitors: nonBots,
      firstVisitAt: times[0] ?? null,
      lastVisitAt: times.at(-1) ?? null,
      series,
      breakdowns,
      breakdownRange: { from: new Date(from).toISOString(), to: new Date(to).toISOString() },
      position: {
        partition: 0,
        nextOffset: times.length + ofBots,
        streamTimeMs: times.at(-1) ?? 0,
        at: fake.nowMs,
        lagMs: 0,
        final: false,
      },
    };
  };
  const orFail = <T>(value: T): T => {
    if (failure !== null) throw failure;
    return value;
  };
  const unused = () => {
    throw new Error('the pages do not ask this');
  };

  const fake: FakeApplication = {
    nowMs,
    addLink(settings) {
      const link: Link = {
        version: 1,
        kind: 'own',
        createdAt: fake.nowMs,
        updatedAt: fake.nowMs,
        expiresAt: null,
        maxVisits: null,
        tags: [],
        note: null,
        disabled: false,
        deletedAt: null,
        ordinal: links.size + 1,
        ...settings,
      };
      links.set(link.code, link);
      return link;
    },
    addVisits(code, timesMs) {
      visits.set(
        code,
        [...(visits.get(code) ?? []), ...timesMs].sort((a, b) => a - b),
      );
    },
    addBots: (code, count) => void bots.set(code, (bots.get(code) ?? 0) + count),
    addNames: (code, dimension, counts) => void names.set(`${code} ${dimension}`, [...counts]),
    failNumbersWith: (error) => {
      failure = error;
    },
    clock: { nowMs: () => fake.nowMs, monotonicMs: () => fake.nowMs },
    random: {
      bytes: (size) => new Uint8Array(size),
      id: () => `id-${++ids}`,
      code: (size) => `${++ids}`.padStart(size, 'c'),
    },
    commands: {
      async createLink(input, { commandId }) {
        const before = outcomes.get(commandId);
        if (before !== undefined) return before;
        const existing = input.alias === null ? undefined : links.get(input.alias);
        const { alias, unique: _unique, ...settings }: LinkSettings & { alias: string | null; unique: boolean } = input;
        const outcome: CreatedLink | Refusal =
          existing !== undefined
            ? { refusal: 'alias-taken', alias: existing.code }
            : { link: fake.addLink({ ...settings, code: alias ?? fake.random.code(7) }), created: true };
        outcomes.set(commandId, outcome);
        return outcome;
      },
      changeLink: async (code, { status, ...settings }) =>
        change(code, { ...settings, ...(status !== undefined && { disabled: status === 'disabled' }) }),
      deleteLink: async (code) => change(code, { deletedAt: fake.nowMs }),
      restoreLink: async (code) => change(code, { deletedAt: null }),
      rollBackLink: async (code) => change(code, {}),
    },
    queries: {
      async getLink(code) {
        const link = links.get(code);
        return orFail(link && viewOf(link));
      },
      async listLinks(query) {
        const wanted = (link: Link) =>
          (query.status === undefined ? link.deletedAt === null : statusOf(link) === query.status) &&
          (query.tag === undefined || link.tags.includes(query.tag)) &&
          (query.q === undefined || `${link.url} ${link.code} ${link.note}`.includes(query.q)) &&
          (query.after === undefined || link.ordinal < query.after.ordinal);
        const found = [...links.values()].filter(wanted).sort((a, b) => b.ordinal - a.ordinal);
        const last = found[query.limit - 1];
        return orFail({
          links: found.slice(0, query.limit).map(viewOf),
          next:
            last === undefined || found.length <= query.limit ? null : { value: last.createdAt, ordinal: last.ordinal },
          position: { partitions: [] },
        });
      },
      linkHistory: async () => ({ events: [], nextOffset: null }),
      findOwnLink: unused,
      linkStatistics: async (link, range) => orFail(statisticsOf(link, range)),
    },
    linkTable: {
      find: (code) => links.get(code),
      outcomeOf: unused,
      applied: unused,
      history: unused,
      scan: async ({ afterOrdinal = Number.POSITIVE_INFINITY, limit }) =>
        [...links.values()]
          .filter(({ ordinal }) => ordinal < afterOrdinal)
          .sort((a, b) => b.ordinal - a.ordinal)
          .slice(0, limit),
      async tags() {
        const counts = new Map<string, number>();
        for (const { tags } of links.values()) for (const tag of tags) counts.set(tag, (counts.get(tag) ?? 0) + 1);
        return [...counts].map(([name, links]) => ({ name, links }));
      },
      size: () => links.size,
      onChange: unused,
    },
  };
  return fake;
}
