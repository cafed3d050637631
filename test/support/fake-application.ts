/**
 * The use-cases in memory: just enough of a shortener for HTTP to be tested against, with every command recorded. Its
 * rules are the contracts', not the product's: it takes any http(s) URL.
 */
import type { CommandContext } from '../../src/commands/command-context.ts';
import type { Link } from '../../src/domain/link.ts';
import type { LinkPatch, NewLink } from '../../src/domain/link-input.ts';
import type { FieldError, Refusal } from '../../src/domain/refusal.ts';
import { dimensions, type VisitTotals } from '../../src/domain/statistics.ts';
import type { InputParsers, InvalidInput } from '../../src/http/app-options.ts';
import type { Application } from '../../src/http/application.ts';
import type { KeptAnswer } from '../../src/ports/answer-store.ts';
import type { CommandOutcome } from '../../src/ports/link-table.ts';
import type { LogFields, Logger } from '../../src/ports/logger.ts';
import type { Position, StatisticsProgress } from '../../src/ports/statistics-read-model.ts';
import { StatisticsRebuilding } from '../../src/ports/statistics-read-model.ts';
import type { HistoryEntry } from '../../src/queries/link-history.ts';
import type { Statistics, StatisticsRange } from '../../src/queries/link-statistics.ts';
import type { LinkView } from '../../src/queries/link-view.ts';

export interface FakeApplication {
  readonly application: Application;
  readonly parse: InputParsers;
  /** Names of the commands that were called, in order. */
  readonly commandsCalled: string[];
  readonly contexts: CommandContext[];
  readonly answers: Map<string, KeptAnswer>;
  readonly logged: { readonly fields: LogFields; readonly message: string }[];
  /** What the next command throws or waits for, once. */
  beforeCommand: (() => Promise<void> | void) | undefined;
  /** Counts a visit and tells the listeners, as a commit of the fold does. */
  visit(code: string, times?: number): void;
  setProgress(change: Partial<StatisticsProgress>): void;
  /** What the next query throws. */
  queryFailure: Error | undefined;
  nowMs: number;
  readonly listeners: Set<(progress: StatisticsProgress) => void>;
}

const startMs = Date.UTC(2026, 10, 3, 9, 15);

export function createFakeApplication(): FakeApplication {
  const links = new Map<string, Link>();
  const history = new Map<string, HistoryEntry[]>();
  const totals = new Map<string, VisitTotals>();
  const outcomes = new Map<string, CommandOutcome & { readonly link: Link }>();
  let visits = 0;
  let offset = 0;
  let ids = 0;
  let change: Partial<StatisticsProgress> = {};

  const position = (): Position => ({ partitions: [{ partition: 0, nextOffset: visits, streamTimeMs: fake.nowMs }] });
  const progress = (): StatisticsProgress => ({ ...position(), lagMs: 0, rebuild: null, halted: null, ...change });
  const assertReadable = () => {
    const { rebuild } = progress();
    if (rebuild) throw new StatisticsRebuilding(rebuild);
    if (fake.queryFailure) throw fake.queryFailure;
  };
  const zero = { total: 0, nonBots: 0, bots: 0, prefetches: 0, firstVisitAt: null, lastVisitAt: null };
  const viewOf = (link: Link): LinkView => ({
    link,
    status: link.deletedAt !== null ? 'deleted' : link.disabled ? 'disabled' : 'active',
    visits: totals.get(link.code) ?? zero,
  });

  const store = (link: Link, type: string, context: CommandContext): Link => {
    const before = links.get(link.code);
    links.set(link.code, link);
    const entries = history.get(link.code) ?? [];
    const event = { id: `event-${offset}`, code: link.code, at: fake.nowMs, type, ...context };
    entries.push({
      event: event as unknown as HistoryEntry['event'],
      partition: 0,
      offset,
      version: link.version,
      effective: true,
      changes: { url: { from: before?.url ?? null, to: link.url } },
    });
    history.set(link.code, entries);
    outcomes.set(context.commandId, {
      commandId: context.commandId,
      code: link.code,
      version: link.version,
      offset,
      link,
    });
    offset += 1;
    return link;
  };

  const command = async (name: string, context: CommandContext): Promise<Link | undefined> => {
    const before = fake.beforeCommand;
    fake.beforeCommand = undefined;
    await before?.();
    fake.commandsCalled.push(name);
    fake.contexts.push(context);
    return outcomes.get(context.commandId)?.link;
  };

  const changed = (
    code: string,
    context: CommandContext,
    type: string,
    next: (link: Link) => Partial<Link> | Refusal,
  ) => {
    const link = links.get(code);
    if (!link) return { refusal: 'link-not-found', code } as const;
    if (context.expectedVersion !== null && context.expectedVersion !== link.version) {
      return { refusal: 'version-mismatch', expected: context.expectedVersion, actual: link.version } as const;
    }
    const update = next(link);
    if ('refusal' in update) return update;
    return store({ ...link, ...update, version: link.version + 1, updatedAt: fake.nowMs }, type, context);
  };

  const logger = (): Logger => {
    const log = (fields: LogFields, message: string) => void fake.logged.push({ fields, message });
    return { debug: log, info: log, warn: log, error: log, child: logger };
  };

  const fake: FakeApplication = {
    commandsCalled: [],
    contexts: [],
    answers: new Map(),
    logged: [],
    beforeCommand: undefined,
    queryFailure: undefined,
    nowMs: startMs,
    listeners: new Set(),
    parse: {
      newLink,
      linkPatch,
      alias: (alias) => (/^[\w-]{3,64}$/.test(alias) ? alias : { field: 'alias', code: 'alias-format', detail: 'No.' }),
    },
    visit(code, times = 1) {
      const before = totals.get(code) ?? zero;
      const total = before.total + times;
      totals.set(code, { ...before, total, nonBots: before.nonBots + times, lastVisitAt: fake.nowMs });
      visits += times;
      for (const listener of fake.listeners) listener(progress());
    },
    setProgress(next) {
      change = next;
      for (const listener of fake.listeners) listener(progress());
    },
    application: {
      commands: {
        async createLink(input, context) {
          const earlier = await command('createLink', context);
          if (earlier) return { link: earlier, created: true };
          const { alias, unique, ...settings } = input;
          const own = [...links.values()].find((link) => link.url === input.url && link.kind === 'own');
          if (alias === null && !unique && own) return { link: own, created: false };
          if (alias !== null && links.has(alias)) return { refusal: 'alias-taken', alias };
          const code = alias ?? `code${links.size + 1}`;
          const kind = alias !== null ? 'alias' : unique ? 'random' : 'own';
          const times = { createdAt: fake.nowMs, updatedAt: fake.nowMs, deletedAt: null, disabled: false };
          const link: Link = { code, kind, version: 1, ordinal: links.size + 1, ...settings, ...times };
          return { link: store(link, 'LinkCreated', context), created: true };
        },
        async changeLink(code, patch, context) {
          await command('changeLink', context);
          const { status, ...settings } = patch;
          return changed(code, context, 'LinkChanged', () => ({
            ...settings,
            ...(status && { disabled: status === 'disabled' }),
          }));
        },
        async deleteLink(code, context) {
          await command('deleteLink', context);
          return changed(code, context, 'LinkDeleted', () => ({ deletedAt: fake.nowMs }));
        },
        async restoreLink(code, context) {
          const earlier = await command('restoreLink', context);
          if (earlier) return earlier;
          return changed(code, context, 'LinkRestored', (link) =>
            link.deletedAt === null ? { refusal: 'link-not-deleted', code } : { deletedAt: null },
          );
        },
        async rollBackLink(code, toVersion, context) {
          const earlier = await command('rollBackLink', context);
          if (earlier) return earlier;
          return changed(code, context, 'LinkRolledBack', (link) => {
            if (link.deletedAt !== null) return { refusal: 'link-deleted', code, deletedAt: link.deletedAt };
            return toVersion > link.version ? { refusal: 'version-unknown', code, version: toVersion } : {};
          });
        },
      },
      queries: {
        async getLink(code) {
          assertReadable();
          const link = links.get(code);
          return link && viewOf(link);
        },
        async listLinks(query) {
          assertReadable();
          const sign = query.order === 'asc' ? 1 : -1;
          const sorted = [...links.values()]
            .filter((link) => query.url === undefined || link.url === query.url)
            .filter((link) => query.q === undefined || link.url.includes(query.q))
            .sort((a, b) => sign * (a.ordinal - b.ordinal));
          const { after } = query;
          const rest = after ? sorted.filter((link) => sign * (link.ordinal - after.ordinal) > 0) : sorted;
          const page = rest.slice(0, query.limit);
          const last = page.at(-1);
          const next = last && rest.length > page.length ? { value: last.createdAt, ordinal: last.ordinal } : null;
          return { links: page.map(viewOf), next, position: position() };
        },
        async linkHistory(code, afterOffset, limit) {
          const rest = history.get(code)?.filter((entry) => entry.offset > afterOffset);
          if (!rest) return undefined;
          const events = rest.slice(0, limit);
          return { events, nextOffset: rest.length > limit ? (events.at(-1)?.offset ?? 0) + 1 : null };
        },
        findOwnLink: (url) => [...links.values()].find((link) => link.url === url && link.kind === 'own'),
        async linkStatistics(link, range) {
          assertReadable();
          return statisticsOf(link, range, totals.get(link.code) ?? zero, position());
        },
      },
      linkTable: {
        find: (code) => links.get(code),
        outcomeOf: (commandId) => outcomes.get(commandId),
        applied: async () => {},
        history: async () => [],
        scan: async () => [...links.values()],
        tags: async () =>
          [...new Set([...links.values()].flatMap(({ tags }) => tags))].map((name) => ({ name, links: 1 })),
        size: () => links.size,
        onChange: () => () => {},
      },
      statistics: {
        async totalsOf() {
          assertReadable();
          return { totals: new Map(totals), position: position() };
        },
        daysOf: async (code) => ({ totals: totals.get(code), days: [], position: position() }),
        async overall() {
          assertReadable();
          const all = [...totals.values()];
          const sum = (name: 'total' | 'nonBots' | 'bots') => all.reduce((n, one) => n + one[name], 0);
          return {
            totals: { ...zero, total: sum('total'), nonBots: sum('nonBots'), bots: sum('bots') },
            position: position(),
          };
        },
        everyTotal: async () => totals,
        progress,
        highest: async () => null,
        progressNow: async () => progress(),
        onProgress(listener) {
          fake.listeners.add(listener);
          return () => fake.listeners.delete(listener);
        },
        async reached(_partition, nextOffset) {
          if (nextOffset > visits) throw new Error('not reached in time');
        },
      },
      answers: {
        find: async (key) => fake.answers.get(key),
        keep: async (key, answer) => void fake.answers.set(key, answer),
      },
      clock: { nowMs: () => fake.nowMs, monotonicMs: () => performance.now() },
      random: {
        bytes: (size) => new Uint8Array(size),
        id: () => `00000000-0000-7000-8000-${String(ids++).padStart(12, '0')}`,
        code: (size) => 'r'.repeat(size),
      },
      logger: logger(),
    },
  };
  return fake;
}

type Input = Readonly<Record<string, unknown>>;

/** What each member may be. The product's own rules are stricter. */
const checks: Readonly<Record<string, (value: unknown) => boolean>> = {
  url: (value) => typeof value === 'string' && /^https?:/.test(value) && URL.canParse(value) && value.length <= 2048,
  alias: (value) => value === null || (typeof value === 'string' && /^[\w-]{3,64}$/.test(value)),
  tags: (value) => Array.isArray(value) && value.length <= 20 && value.every((tag) => /^\S{1,50}$/.test(String(tag))),
  note: (value) => value === null || typeof value === 'string',
  unique: (value) => typeof value === 'boolean',
  expiresAt: (value) => value === null,
  maxVisits: (value) => value === null,
  status: (value) => value === 'active' || value === 'disabled',
};

function errorsIn(body: Input, members: readonly string[]): FieldError[] {
  return Object.entries(body).flatMap(([field, value]): FieldError[] => {
    if (!members.includes(field)) return [{ field, code: 'unknown-member', detail: 'Not known.' }];
    if (checks[field]?.(value)) return [];
    return [{ field, code: field === 'url' ? 'not-a-url' : 'wrong-type', detail: 'Not this.' }];
  });
}

function newLink(body: Input): NewLink | InvalidInput {
  const errors = errorsIn(body, ['url', 'alias', 'expiresAt', 'maxVisits', 'tags', 'note', 'unique']);
  if (body['url'] === undefined) errors.push({ field: 'url', code: 'required', detail: 'Give one.' });
  if (errors.length > 0) return { refusal: 'invalid', errors };
  const absent = { alias: null, expiresAt: null, maxVisits: null, tags: [], note: null, unique: false };
  return { ...absent, ...(body as Partial<NewLink>), url: new URL(String(body['url'])).href };
}

function linkPatch(body: Input): LinkPatch | InvalidInput {
  const errors = errorsIn(body, ['url', 'expiresAt', 'maxVisits', 'tags', 'note', 'status']);
  return errors.length > 0 ? { refusal: 'invalid', errors } : (body as LinkPatch);
}

function statisticsOf(
  link: Link,
  range: StatisticsRange,
  totals: VisitTotals,
  position: Position,
): Statistics | readonly FieldError[] {
  if (range.timezone === 'Nowhere') return [{ field: 'timezone', code: 'not-a-time-zone', detail: 'No such zone.' }];
  const start = new Date(startMs).toISOString();
  const bounds = { from: start, to: new Date(startMs + 900_000).toISOString() };
  const { total, nonBots, bots, prefetches, firstVisitAt, lastVisitAt } = totals;
  const [first = { partition: 0, nextOffset: 0, streamTimeMs: 0 }] = position.partitions;
  return {
    code: link.code,
    url: link.url,
    ...bounds,
    interval: '15m',
    timezone: range.timezone ?? 'UTC',
    ...{ total, nonBots, bots, prefetches, firstVisitAt, lastVisitAt },
    uniqueVisitors: 0,
    series: [{ start, total, nonBots }],
    breakdowns: Object.fromEntries(dimensions.map((name) => [name, []])) as unknown as Statistics['breakdowns'],
    breakdownRange: bounds,
    position: { ...first, at: startMs, lagMs: 0, final: false },
  };
}
