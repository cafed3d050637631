import { jest } from '@jest/globals';
import fc from 'fast-check';
import { createMemoryStateStore } from '../../src/adapters/memory/memory-state-store.ts';
import { evolve, type Link, type LinkEvent, type LinkFact } from '../../src/domain/link.ts';
import { LogUnavailable } from '../../src/ports/event-log.ts';
import type { FoldedEvent } from '../../src/ports/link-table.ts';
import { LinksTopicParked, openLinkTable } from '../../src/projections/link-table.ts';
import { outcomeBucketPrefix, outcomePrefix } from '../../src/projections/link-table-rows.ts';
import { encodeLinkEvent } from '../../src/serde/link-event.ts';
import { createFakeEventLog } from '../support/fake-event-log.ts';
import { created, dayMs, type LinkTableWorld, openLinkTableWorld, startMs } from '../support/link-table-world.ts';
import { createQuietLogger } from '../support/quiet-logger.ts';
import { withBatches } from '../support/with-batches.ts';

describe('the link table', () => {
  let world: LinkTableWorld;

  beforeEach(async () => {
    world = await openLinkTableWorld();
  });

  afterEach(async () => {
    await world.close();
  });

  it('finds a link as soon as its creation is applied, and knows no other', async () => {
    const offset = await world.create('abc', { url: 'https://example.com/a', tags: ['News'], note: 'a note' });
    expect(world.table().find('abc')).toMatchObject({
      code: 'abc',
      url: 'https://example.com/a',
      version: 1,
      ordinal: offset + 1,
    });
    expect(world.table().find('ABC')).toBeUndefined();
    expect(world.table().find('__proto__')).toBeUndefined();
    expect(world.table().size()).toBe(1);
  });

  it('lets the first creation of a code win and records the second as rejected', async () => {
    await world.write('abc', created({ url: 'https://one.example/' }), { expectedVersion: 0, commandId: 'first' });
    const offset = await world.write('abc', created({ url: 'https://two.example/' }), {
      expectedVersion: 0,
      commandId: 'second',
    });
    expect(world.table().find('abc')?.url).toBe('https://one.example/');
    expect(world.table().outcomeOf('first')).toEqual({ commandId: 'first', code: 'abc', version: 1, offset: 0 });
    expect(world.table().outcomeOf('second')).toEqual({ commandId: 'second', code: 'abc', version: null, offset });
    const history = await world.table().history('abc', -1, 10);
    expect(history.map(({ offset: at, version, effective }) => [at, version, effective])).toEqual([
      [0, 1, true],
      [offset, 1, false],
    ]);
  });

  it('takes a change only at the version it was decided on', async () => {
    await world.create('abc');
    const change = (url: string): LinkFact => ({ type: 'LinkChanged', changes: { url } });
    await world.write('abc', change('https://won.example/'), { expectedVersion: 1, commandId: 'won' });
    await world.write('abc', change('https://lost.example/'), { expectedVersion: 1, commandId: 'lost' });
    expect(world.table().find('abc')).toMatchObject({ url: 'https://won.example/', version: 2 });
    expect(world.table().outcomeOf('won')?.version).toBe(2);
    expect(world.table().outcomeOf('lost')?.version).toBeNull();
  });

  it('makes a command effective once, and lets it succeed after it was rejected', async () => {
    await world.create('abc');
    const change: LinkFact = { type: 'LinkChanged', changes: { note: 'x' } };
    await world.write('abc', change, { expectedVersion: 9, commandId: 'again' });
    expect(world.table().outcomeOf('again')?.version).toBeNull();
    await world.write('abc', change, { expectedVersion: 1, commandId: 'again' });
    expect(world.table().outcomeOf('again')?.version).toBe(2);
    const offset = await world.write('abc', change, { expectedVersion: 2, commandId: 'again' });
    expect(world.table().find('abc')?.version).toBe(2);
    expect(world.table().outcomeOf('again')?.version).toBe(2);
    expect((await world.table().history('abc', offset - 1, 1))[0]).toMatchObject({ effective: false, version: 2 });
  });

  it('remembers outcomes for two days of stream time and across restarts, and forgets them afterwards', async () => {
    await world.create('abc', {}, startMs);
    const outcome = { commandId: 'command-1', code: 'abc', version: 1, offset: 0 };
    await world.restart();
    await world.create('later', {}, startMs + 2 * dayMs);
    expect(world.table().outcomeOf('command-1')).toEqual(outcome);
    await world.restart();
    expect(world.table().outcomeOf('command-1')).toEqual(outcome);
    await world.create('last', {}, startMs + 3 * dayMs);
    expect(world.table().outcomeOf('command-1')).toBeUndefined();
    await world.restart();
    const rows = await (await world.rowsNow()).range({ gte: 'k/', lt: 'k~', limit: 100 });
    expect(rows.map(([key]) => key.split('/')[2])).toEqual(['command-2', 'command-3']);
  });

  it('comes to the same when it loads a log as when it followed it, without the outcomes that are out of reach at its end', async () => {
    await world.close();
    world = await openLinkTableWorld({ partitions: 2 });
    const { log } = world;
    const events = tangledEvents();
    const codes = new Set(events.map(({ code }) => code));
    // Reading a history goes through all rows in memory, so not all of them are read.
    const changes = events.filter(({ type }) => type !== 'LinkCreated');
    const changed = [...new Set(changes.map(({ code }) => code))].slice(0, 400);
    for (const partition of [0, 1]) {
      const records = events.filter(({ code }) => log.partitionOf(code) === partition);
      const values = records.map((event) => ({ key: event.code, value: encodeLinkEvent(event) }));
      const first = await log.append('links', partition, values);
      await world.table().applied(partition, first + values.length - 1);
    }
    const histories = async (): Promise<readonly (readonly FoldedEvent[])[]> =>
      Promise.all(changed.map((code) => world.table().history(code, -1, 1_000)));
    const links = (): unknown => [...codes].map((code) => world.table().find(code));
    const outcomes = (): unknown[] => events.map(({ commandId }) => world.table().outcomeOf(commandId));
    const followed = { links: links(), histories: await histories(), outcomes: outcomes() };
    const ofAll = followed.histories.flat();
    expect(followed.outcomes.filter((each) => each !== undefined).length).toBeGreaterThan(1_000);
    expect(ofAll.filter(({ event, effective }) => effective && event.type !== 'LinkCreated').length).toBeGreaterThan(
      300,
    );
    expect(ofAll.filter(({ event, effective }) => !effective && event.commandId === event.code).length).toBeGreaterThan(
      30,
    );

    await world.restartFrom(createMemoryStateStore());
    expect(links()).toEqual(followed.links);
    expect(await histories()).toEqual(followed.histories);
    expect(outcomes()).toEqual(followed.outcomes);

    await world.table().close();
    const rows = await world.rowsNow();
    const keptBefore = async (bucket: number): Promise<number> =>
      (await rows.range({ gte: outcomePrefix, lt: outcomeBucketPrefix(bucket), limit: 100_000 })).length;
    const firstInReach = Math.floor((events.at(-1)?.at ?? 0) / dayMs) - 2;
    expect(await keptBefore(firstInReach - 2)).toBeLessThan(events.length / 10);
    expect(await keptBefore(firstInReach)).toBeGreaterThan(500);
  });

  it('counts tags of links that are not deleted, whatever their case, through changes, deletion and restoring', async () => {
    const names = async (): Promise<unknown> => (await world.table().tags()).map(({ name, links }) => [name, links]);
    await world.create('a', { tags: ['News', 'zebra'] });
    await world.create('b', { tags: ['news'] });
    expect(await names()).toEqual([
      ['News', 2],
      ['zebra', 1],
    ]);
    await world.write('a', { type: 'LinkChanged', changes: { tags: ['Apple'] } }, { expectedVersion: 1 });
    expect(await names()).toEqual([
      ['Apple', 1],
      ['News', 1],
    ]);
    await world.write('b', { type: 'LinkDeleted' }, { expectedVersion: 1 });
    await world.restart();
    expect(await names()).toEqual([['Apple', 1]]);
    await world.write('b', { type: 'LinkRestored' }, { expectedVersion: 2 });
    expect(await names()).toEqual([
      ['Apple', 1],
      ['news', 1],
    ]);
  });

  it('scans in order of creation, by target and by tag, in pages', async () => {
    for (let index = 0; index < 30; index += 1) {
      await world.create(`c${index}`, {
        url: `https://example.com/${index % 3}`,
        tags: index % 2 === 0 ? ['Even'] : [],
      });
    }
    await world.write(
      'c0',
      { type: 'LinkChanged', changes: { url: 'https://example.com/moved' } },
      { expectedVersion: 1 },
    );
    const codes = async (query: Parameters<ReturnType<typeof world.table>['scan']>[0]): Promise<string[]> =>
      (await world.table().scan(query)).map(({ code }) => code);
    for (const restart of [false, true]) {
      if (restart) await world.restart();
      expect(await codes({ descending: false, limit: 3 })).toEqual(['c0', 'c1', 'c2']);
      expect(await codes({ descending: false, limit: 2, afterOrdinal: 3 })).toEqual(['c3', 'c4']);
      expect(await codes({ descending: true, limit: 3 })).toEqual(['c29', 'c28', 'c27']);
      expect(await codes({ descending: true, limit: 2, afterOrdinal: 3 })).toEqual(['c1', 'c0']);
      expect(await codes({ descending: false, limit: 3, url: 'https://example.com/0' })).toEqual(['c3', 'c6', 'c9']);
      expect(await codes({ descending: false, limit: 9, url: 'https://example.com/moved' })).toEqual(['c0']);
      expect(await codes({ descending: true, limit: 2, tag: 'eVEN' })).toEqual(['c28', 'c26']);
      expect((await codes({ descending: false, limit: 10_000, tag: 'even' })).length).toBe(15);
    }
  });

  it('knows every target that a link ever had', async () => {
    await world.create('abc', { url: 'https://old.example/' });
    await world.write('abc', { type: 'LinkChanged', changes: { url: 'https://new.example/' } }, { expectedVersion: 1 });
    await world.restart();
    const link = world.table().find('abc') as Link;
    expect(world.table().everLedTo(link, 'https://old.example/')).toBe(true);
    expect(world.table().everLedTo(link, 'https://new.example/')).toBe(true);
    expect(world.table().everLedTo(link, 'https://other.example/')).toBe(false);
  });

  it('pages through the history of a link', async () => {
    await world.create('abc');
    for (let version = 1; version <= 5; version += 1) {
      await world.write(
        'abc',
        { type: 'LinkChanged', changes: { note: `note ${version}` } },
        { expectedVersion: version },
      );
      await world.create(`other${version}`);
    }
    const first = await world.table().history('abc', -1, 4);
    expect(first.map(({ event, version }) => [event.type, version])).toEqual([
      ['LinkCreated', 1],
      ['LinkChanged', 2],
      ['LinkChanged', 3],
      ['LinkChanged', 4],
    ]);
    const rest = await world.table().history('abc', first.at(-1)?.offset ?? 0, 4);
    expect(rest.map(({ version }) => version)).toEqual([5, 6]);
    expect(await world.table().history('nobody', -1, 4)).toEqual([]);
  });

  it('tells listeners of each effective event and of no other', async () => {
    const seen: string[] = [];
    const stop = world.table().onChange((link) => seen.push(`${link.code}@${link.version}`));
    await world.create('abc');
    await world.create('abc');
    await world.write('abc', { type: 'LinkDisabled' }, { expectedVersion: 1 });
    stop();
    await world.create('def');
    expect(seen).toEqual(['abc@1', 'abc@2']);
  });

  it('refuses to wait once it is closed', async () => {
    const waiting = world.table().applied(0, 5);
    const refused = expect(waiting).rejects.toBeInstanceOf(LogUnavailable);
    await world.close();
    await refused;
    await expect(world.table().applied(0, 5)).rejects.toBeInstanceOf(LogUnavailable);
  });

  it('folds the tail of the log that an earlier process had not committed', async () => {
    await world.create('one', { tags: ['t'] });
    await world.restart();
    const rows = await world.rowsNow();
    await world.create('two', { tags: ['t'] });
    await world.write('one', { type: 'LinkDisabled' }, { expectedVersion: 1 });
    await world.restartFrom(rows);
    expect(world.table().find('two')?.version).toBe(1);
    expect(world.table().find('one')).toMatchObject({ version: 2, disabled: true });
    expect(await world.table().tags()).toEqual([{ name: 't', links: 2 }]);
    expect(world.table().size()).toBe(2);
    expect((await world.table().history('one', -1, 9)).length).toBe(2);
  });

  it('answers from its store while the log is away, and without a store says that it cannot', async () => {
    await world.create('one');
    await world.restart();
    const { endOffset } = world.log;
    const away = jest.spyOn(world.log, 'endOffset').mockRejectedValue(new LogUnavailable('away'));
    await world.restart();
    expect(world.table().find('one')?.version).toBe(1);
    const log = Object.assign(createFakeEventLog(1), { endOffset: world.log.endOffset });
    await expect(openLinkTableWorld({ log })).rejects.toThrow(LogUnavailable);
    away.mockRestore();
    expect(world.log.endOffset).toBe(endOffset);
    await world.create('two');
    expect(world.table().find('two')?.version).toBe(1);
  });

  it('sets a store of another log, one ahead of the log and one without a checkpoint aside, and folds anew', async () => {
    await world.create('one');
    await world.restart();
    const rows = await world.rowsNow();
    const other = await openLinkTableWorld({ log: createFakeEventLog(1, 'another log') });
    await other.restartFrom(rows);
    expect(other.setAside[0]).toMatch(/folded from the log log-1/);
    expect([other.table().find('one'), other.table().size()]).toEqual([undefined, 0]);
    await other.close();

    world.log.truncate('links', 0, 0);
    await world.restart();
    expect(world.setAside[0]).toMatch(/stands at offset 1 of a log that ends at 0/);
    expect(world.table().size()).toBe(0);

    const stray = createMemoryStateStore();
    const batch = stray.batch();
    batch.put('l/zzz', Buffer.from('[]'));
    await batch.write();
    await world.restartFrom(stray);
    expect(world.setAside[1]).toMatch(/no checkpoint/);
    expect(world.table().find('zzz')).toBeUndefined();
  });

  it('parks with the offset when a record is not understood, at the start and while it runs', async () => {
    await world.create('one');
    await world.log.append('links', 0, [{ key: 'x', value: Buffer.from('{"type":"tallyhop.link.created.v99"}') }]);
    await expect(world.table().applied(0, 1)).rejects.toBeInstanceOf(LogUnavailable);
    expect(world.table().halted()).toMatch(/parked at offset 1/);
    expect(world.table().find('one')).toBeDefined();

    const table = await openLinkTable({
      openStore: async () => createMemoryStateStore(),
      setStoreAside: async () => undefined,
      log: world.log,
      logger: createQuietLogger(),
      clock: { nowMs: () => 0, monotonicMs: () => 0 },
    });
    await expect(table.load()).rejects.toThrow(LinksTopicParked);
    await expect(table.load()).rejects.toThrow(/partition 0 of links is parked at offset 1/);
    await table.close();
  });

  it('passes over what the log keeps for itself, also when it is all there is, and folds what stands behind it', async () => {
    await world.log.append('links', 0, [{ key: '!log', value: Buffer.from('{"logId":"log-1"}') }]);
    await world.restart();
    expect(world.table().nextOffset(0)).toBe(1);
    expect(world.table().size()).toBe(0);
    expect(await world.create('abc')).toBe(1);
    expect(world.table().find('abc')).toMatchObject({ ordinal: 2 });
  });

  it.each([
    ['passes over a record that no producer of ours wrote', '', undefined],
    ['stops at a record of ours whose bytes are not what was written', 'producer', /parked at offset 0: the reason/],
  ])('%s', async (_, producerId, refusal) => {
    const log = createFakeEventLog();
    await log.append('links', 0, [{ key: 'abc', value: Buffer.from('anything') }]);
    const withInvalid = {
      ...log,
      reader: async (topic: 'links' | 'visits', partition: number) => {
        const reader = await log.reader(topic, partition);
        return {
          ...reader,
          read: async (nextOffset: number, maxBytes: number) =>
            (await reader.read(nextOffset, maxBytes)).map((record) => ({
              ...record,
              producerId,
              invalid: 'the reason',
            })),
        };
      },
    };
    const logger = createQuietLogger();
    const table = await openLinkTable({
      openStore: async () => createMemoryStateStore(),
      setStoreAside: async () => undefined,
      log: withInvalid,
      logger,
      clock: { nowMs: () => 0, monotonicMs: () => 0 },
    });
    if (refusal === undefined) {
      await table.load();
      expect(table.nextOffset(0)).toBe(1);
      expect(logger.lines).toContainEqual(
        expect.objectContaining({ level: 'warn', fields: { partition: 0, offset: 0, reason: 'the reason' } }),
      );
    } else {
      await expect(table.load()).rejects.toThrow(refusal);
      expect(table.nextOffset(0)).toBe(0);
    }
    await table.close();
  });

  it('goes on while its disk fails and writes everything when it is back', async () => {
    let failing = false;
    const store = createMemoryStateStore();
    const table = await openLinkTable({
      openStore: async () => ({
        ...withBatches(store, (batch) => ({
          write: async () => {
            if (failing) throw new Error('no space left on device');
            await batch.write();
          },
        })),
        close: async () => undefined,
      }),
      setStoreAside: async () => undefined,
      log: world.log,
      logger: createQuietLogger(),
      clock: { nowMs: () => 0, monotonicMs: () => 0 },
    });
    await table.load();
    failing = true;
    const offsets = [await world.create('one'), await world.create('two')];
    for (const offset of offsets) await table.applied(0, offset);
    expect(table.find('two')?.code).toBe('two');
    expect((await table.scan({ descending: false, limit: 5 })).map(({ code }) => code)).toEqual(['one', 'two']);
    expect((await table.history('one', -1, 5)).length).toBe(1);
    expect(store.getSync('n/one')).toBeUndefined();
    failing = false;
    await table.close();
    expect(store.getSync('n/one')).toBeDefined();
    expect(store.getSync('n/two')).toBeDefined();
  });

  it('reports the progress of loading up to the whole', async () => {
    const log = createFakeEventLog();
    const filling = await openLinkTableWorld({ log });
    for (let index = 0; index < 20; index += 1) await filling.create(`c${index}`);
    await filling.close();
    const loading = await openLinkTableWorld({ log, load: false });
    const seen: number[] = [];
    await loading.table().load(({ fraction, eventsDone, eventsTotal }) => {
      expect(eventsTotal).toBe(20);
      expect(fraction).toBeCloseTo(eventsDone / 20);
      seen.push(fraction);
    });
    expect([seen[0], seen.at(-1)]).toEqual([0, 1]);
    expect(loading.table().size()).toBe(20);
    await loading.close();
  });
});

describe('the link table against a plain fold', () => {
  const code = fc.constantFrom('a', 'b', 'c', 'd', 'e');
  const url = fc.constantFrom('https://one.example/', 'https://two.example/', 'https://three.example/');
  const tags = fc.subarray(['Red', 'red', 'Green', 'blue'], { maxLength: 3 });
  const settings = {
    expiresAt: fc.constant(null),
    maxVisits: fc.option(fc.integer({ min: 1, max: 9 })),
    tags,
    note: fc.option(fc.string({ minLength: 1, maxLength: 20 })),
  };
  const fact: fc.Arbitrary<LinkFact> = fc.oneof(
    fc.record({ type: fc.constant('LinkCreated' as const), kind: fc.constant('own' as const), url, ...settings }),
    fc.record({ type: fc.constant('LinkChanged' as const), changes: fc.record({ url, tags }, { requiredKeys: [] }) }),
    fc.record({ type: fc.constantFrom('LinkDisabled' as const, 'LinkEnabled' as const) }),
    fc.record({ type: fc.constantFrom('LinkDeleted' as const, 'LinkRestored' as const) }),
  );
  const step = fc.record({
    code,
    fact,
    expectedVersion: fc.integer({ min: -1, max: 1 }),
    elapsedMs: fc.constantFrom(0, 1000, dayMs),
    restart: fc.constantFrom('no', 'no', 'no', 'clean', 'killed'),
  });

  it('answers as the fold of the same events, through restarts and kills, with one partition and with three', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.constantFrom(1, 3), async (steps, partitions) => {
        const world = await openLinkTableWorld({ partitions });
        const expected = new Map<string, Link>();
        const events = new Map<string, [LinkEvent['type'], boolean][]>();
        let rows = await world.rowsNow();
        let at = startMs;
        for (const [number, each] of steps.entries()) {
          at += each.elapsedMs;
          const before = expected.get(each.code);
          const expectedVersion = Math.max(0, (before?.version ?? 0) + each.expectedVersion);
          const event: LinkEvent = {
            id: `id-${at}`,
            code: each.code,
            at,
            by: 'anonymous',
            commandId: `command-${number}`,
            expectedVersion,
            ...each.fact,
          };
          const { partition, offset } = await world.append(event);
          await world.table().applied(partition, offset);
          const after = evolve(before, event, offset * partitions + partition + 1);
          if (after !== undefined) expected.set(each.code, after);
          events.set(each.code, [...(events.get(each.code) ?? []), [event.type, after !== before]]);
          if (each.restart === 'clean') {
            await world.restart();
            rows = await world.rowsNow();
          } else if (each.restart === 'killed') {
            await world.restartFrom(rows);
            rows = await world.rowsNow();
          }
        }

        const table = world.table();
        const counts = new Map<string, number>();
        for (const each of ['a', 'b', 'c', 'd', 'e']) {
          const link = expected.get(each);
          expect(table.find(each)).toEqual(link);
          const history = await table.history(each, -1, 100);
          expect(history.map(({ event, effective }) => [event.type, effective])).toEqual(events.get(each) ?? []);
          if (link === undefined || link.deletedAt !== null) continue;
          for (const tag of new Set(link.tags.map((name) => name.toLowerCase())))
            counts.set(tag, (counts.get(tag) ?? 0) + 1);
        }
        expect(table.size()).toBe(expected.size);
        expect(new Map((await table.tags()).map(({ name, links }) => [name.toLowerCase(), links]))).toEqual(counts);
        const inOrder = [...expected.values()].sort((left, right) => left.ordinal - right.ordinal);
        expect(await table.scan({ descending: false, limit: 100 })).toEqual(inOrder);
        for (const wanted of ['https://one.example/', 'https://two.example/']) {
          expect(await table.scan({ descending: true, limit: 100, url: wanted })).toEqual(
            inOrder.filter((link) => link.url === wanted).reverse(),
          );
        }
        expect(await table.scan({ descending: false, limit: 100, tag: 'RED' })).toEqual(
          inOrder.filter((link) => link.tags.some((name) => name.toLowerCase() === 'red')),
        );
        await world.close();
      }),
      { numRuns: 60 },
    );
  });
});

/** Creations and changes over some days; many command ids come again, soon and days later, on other versions of their link. */
function tangledEvents(): LinkEvent[] {
  const count = 12_000;
  const events: LinkEvent[] = [];
  const ofCode = new Map<string, { version: number; readonly commandIds: string[] }>();
  let seed = 1;
  const below = (limit: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((seed / 2 ** 32) * limit);
  };
  for (let index = 0; index < count; index += 1) {
    const isNew = index < 10 || below(10) < 7;
    const behind = 1 + below(Math.min(index, below(2) === 0 ? 50 : 6_000));
    const code = isNew ? `code-${index}` : (events[index - behind]?.code ?? '');
    const link = ofCode.get(code) ?? { version: 0, commandIds: [] };
    ofCode.set(code, link);
    const isRepeated = link.version > 0 && below(2) === 0;
    const commandId = isRepeated
      ? (link.commandIds[below(link.commandIds.length)] ?? '')
      : isNew
        ? code
        : `command-${index}`;
    const note = `note ${index}`;
    const fact: LinkFact = link.version === 0 ? created({ note }) : { type: 'LinkChanged', changes: { note } };
    const at = startMs + Math.floor((index * 12 * dayMs) / count) - below(1_000);
    events.push({ id: `event-${index}`, code, at, by: 'anonymous', commandId, expectedVersion: link.version, ...fact });
    link.commandIds.push(commandId);
    if (!isRepeated) link.version += 1;
  }
  return events;
}
