import { setTimeout as delay } from 'node:timers/promises';
import { openRedisConnection, type RedisConnection } from '../../../src/adapters/redis/redis-connection.ts';
import {
  createRedisFollower,
  type RedisFollower,
  type RedisFollowerOptions,
} from '../../../src/adapters/redis/redis-follower.ts';
import { createRedisKeys } from '../../../src/adapters/redis/redis-keys.ts';
import { createRedisStoreReader, type RedisStoreReader } from '../../../src/adapters/redis/redis-store-reader.ts';
import { systemClock } from '../../../src/adapters/system/system-clock.ts';
import { systemRandom } from '../../../src/adapters/system/system-random.ts';
import type { KeyRange } from '../../../src/ports/state-store.ts';
import { eventually } from '../../support/eventually.ts';
import {
  dayKey,
  FollowedStore,
  functionsOver,
  linkOfRange,
  linkOfRow,
  totalsKey,
} from '../../support/followed-store.ts';
import { createQuietLogger } from '../../support/quiet-logger.ts';
import { type RedisServer, startRedisServer } from '../../support/redis-server.ts';
import { chosenSeed, createSeededRandom } from '../../support/seeded-random.ts';

const logId = 'log-1';
const dayMs = 86_400_000;
const keys = createRedisKeys();
const followTimeoutMs = 10_000;

let server: RedisServer;
let connection: RedisConnection;
const followers: RedisFollower[] = [];
const logger = createQuietLogger();
const now = Date.now();

beforeAll(async () => {
  server = await startRedisServer();
  connection = openRedisConnection({ url: server.url, logger, random: systemRandom });
});
beforeEach(async () => {
  await server.client.flushall();
  // A restart brings back what was saved last: never of a test before.
  await server.client.save();
});
afterEach(async () => {
  for (const follower of followers.splice(0)) await follower.close();
});
afterAll(async () => {
  connection.close();
  await server.dispose();
});

function follow(stores: readonly FollowedStore[], changes: Partial<RedisFollowerOptions> = {}): RedisFollower {
  const follower = createRedisFollower({
    connection,
    keys,
    logId,
    clock: systemClock,
    logger,
    random: systemRandom,
    ...functionsOver(stores),
    ...changes,
  });
  followers.push(follower);
  for (const store of stores) follower.begin(store.partition, store.position());
  return follower;
}

function createReader(readerLogId = logId): RedisStoreReader {
  return createRedisStoreReader({
    connection,
    keys,
    logId: readerLogId,
    partitions: 1,
    logger,
    linkOfRow,
    linkOfRange,
  });
}

/** What Redis answers for a link: totals and the days of a range. */
async function readLink(code: string, reader = createReader()) {
  const range = { gte: dayKey(code, 0), lt: dayKey(code, 999_999), limit: 5_000 };
  const answer = await reader.read({ partition: 0, keys: [totalsKey(code)], range });
  if (answer === null) return null;
  const text = (bytes: Uint8Array | undefined) => (bytes === undefined ? undefined : Buffer.from(bytes).toString());
  return {
    nextOffset: answer.nextOffset,
    totals: text(answer.values[0]),
    days: answer.entries.map(([rowKey, bytes]) => [rowKey, text(bytes)]),
  };
}

/** What the store holds of a link, in the same form. */
function ofStore(store: FollowedStore, code: string) {
  const days = store.rowsOf(code).filter(([rowKey]) => rowKey.startsWith('d'));
  return {
    nextOffset: store.nextOffset,
    totals: store.textOf(totalsKey(code)),
    days: days.map(([rowKey]) => [rowKey, store.textOf(rowKey)]).sort(),
  };
}

describe('a follower', () => {
  it('brings commits to Redis, where a reader finds links complete at the position', async () => {
    const store = new FollowedStore();
    const follower = follow([store]);
    await follower.settled(followTimeoutMs);
    store.visit('abc', now - 2 * dayMs);
    store.visit('abc', now);
    store.visit('xyz', now);
    follower.commit(store.commit());
    await follower.settled(followTimeoutMs);

    expect(await readLink('abc')).toEqual(ofStore(store, 'abc'));
    expect(await readLink('xyz')).toEqual(ofStore(store, 'xyz'));
    const overall = await createReader().read({ partition: 0, keys: ['o'] });
    expect(Buffer.from(overall?.values[0] ?? []).toString()).toBe(store.textOf('o'));
    // New links are put whole without asking the store.
    expect(store.reads.links).toBe(0);
  });

  it('says that a link which nobody visited has no rows', async () => {
    const store = new FollowedStore();
    const follower = follow([store]);
    store.visit('abc', now);
    follower.commit(store.commit());
    await follower.settled(followTimeoutMs);
    const answer = await createReader().read({ partition: 0, keys: [totalsKey('abc'), totalsKey('never')] });
    expect(answer?.values.map((value) => value !== undefined)).toEqual([true, false]);
  });

  it('keeps lists by visits and by last visit', async () => {
    const store = new FollowedStore();
    const follower = follow([store]);
    for (const [code, at] of [
      ['a', 1],
      ['b', 5],
      ['b', 6],
      ['c', 3],
      ['c', 4],
      ['c', 2],
    ] as const)
      store.visit(code, now - 10_000 + at);
    follower.commit(store.commit());
    await follower.settled(followTimeoutMs);
    const reader = createReader();
    await eventually(() => reader.highest('visits', 1), 'the lists are whole');
    expect(await reader.highest('visits', 2)).toEqual([
      { code: 'c', score: 3 },
      { code: 'b', score: 2 },
    ]);
    expect((await reader.highest('last-visit', 9))?.map(({ code }) => code)).toEqual(['b', 'c', 'a']);
  });

  it('reads ranges as a store does', async () => {
    const store = new FollowedStore();
    const follower = follow([store]);
    for (const daysAgo of [4, 3, 2, 1, 0]) store.visit('abc', now - daysAgo * dayMs);
    follower.commit(store.commit());
    await follower.settled(followTimeoutMs);
    const rowKeys = store
      .rowsOf('abc')
      .map(([rowKey]) => rowKey)
      .filter((rowKey) => rowKey.startsWith('d'))
      .sort();
    const [first = '', second = '', , fourth = ''] = rowKeys;
    const read = async (range: KeyRange) =>
      (await createReader().read({ partition: 0, keys: [], range }))?.entries.map(([rowKey]) => rowKey) ?? null;

    expect(await read({ gte: second, lt: fourth, limit: 10 })).toEqual(rowKeys.slice(1, 3));
    expect(await read({ gt: first, lt: dayKey('abc', 999_999), limit: 10 })).toEqual(rowKeys.slice(1));
    expect(await read({ gte: first, lt: fourth, limit: 10, reverse: true })).toEqual(rowKeys.slice(0, 3).reverse());
    expect(await read({ gte: first, lt: fourth, limit: 2 })).toBeNull();
    expect(await read({ gt: 't', lt: 'u', limit: 10 })).toBeNull();
    expect(await read({ gte: first, limit: 10 })).toBeNull();
    expect(await read({ gte: dayKey('never', 0), lt: dayKey('never', 9), limit: 10 })).toEqual([]);
  });

  it('lets a link go after its days, and puts it whole at its next visit', async () => {
    const store = new FollowedStore();
    const follower = follow([store], { linkTtlMs: 100_000 });
    await follower.settled(followTimeoutMs);
    store.visit('abc', now - dayMs);
    store.visit('abc', now);
    follower.commit(store.commit());
    await follower.settled(followTimeoutMs);
    const ttlSeconds = await server.client.ttl(keys.linkRows(0, 'abc'));
    expect(ttlSeconds).toBeGreaterThan(60);
    expect(ttlSeconds).toBeLessThanOrEqual(100);

    await server.client.del(keys.linkRows(0, 'abc'));
    expect(await readLink('abc')).toBeNull();
    store.visit('abc', now + 1);
    follower.commit(store.commit());
    await follower.settled(followTimeoutMs);
    expect(await readLink('abc')).toEqual(ofStore(store, 'abc'));
  });

  it('puts links of more rows than a call takes, whole or not at all', async () => {
    const store = new FollowedStore();
    for (let day = 0; day < 1_300; day++) store.visit('long', now - day * dayMs);
    for (let day = 0; day < 1_301; day++) store.visit('longer', now - day * dayMs);
    store.commit();
    const follower = follow([store], { bounds: { linkRows: 1_301 } });
    await follower.settled(followTimeoutMs);
    expect(await readLink('long')).toEqual(ofStore(store, 'long'));
    expect(await readLink('longer')).toBeNull();
    // What is too big is not read again and again.
    const { links } = store.reads;
    await follower.settled(followTimeoutMs);
    expect(store.reads.links).toBe(links);
  });

  it('reads from the store what it could not let wait', async () => {
    const store = new FollowedStore();
    const follower = follow([store], { bounds: { waitingRows: 50 } });
    await follower.settled(followTimeoutMs);
    const { refills } = store.reads;
    for (let link = 0; link < 400; link++) store.visit(`code${link % 200}`, now + link);
    follower.commit(store.commit());
    await follower.settled(followTimeoutMs);
    expect(store.reads.refills).toBe(refills + 1);
    for (const code of ['code0', 'code199']) expect(await readLink(code)).toEqual(ofStore(store, code));
  });

  it('tells what it does', async () => {
    const store = new FollowedStore();
    const follower = follow([store]);
    store.visit('abc', now);
    follower.commit(store.commit());
    await follower.settled(followTimeoutMs);
    expect(follower.status()).toEqual([
      { partition: 0, storeNextOffset: 1, redisNextOffset: 1, waitingRows: 0, waitingLinks: 0, refill: null },
    ]);
    follower.end(0);
    expect(follower.status()).toEqual([]);
  });
});

describe('a task that begins', () => {
  /** An owner that brought some to Redis, folded more, and died before that was pushed. */
  async function afterAnOwnerThatDied(visitsBehind: number): Promise<FollowedStore> {
    const store = new FollowedStore();
    const first = follow([store]);
    for (let link = 0; link < 300; link++) store.visit(`code${link}`, now + link);
    first.commit(store.commit());
    await first.settled(followTimeoutMs);
    await first.close();
    for (let visit = 0; visit < visitsBehind; visit++) store.visit(`code${visit}`, now + 1_000);
    store.visit('fresh', now);
    store.commit();
    return store;
  }

  it('brings what its store is ahead, and nothing else', async () => {
    const store = await afterAnOwnerThatDied(3);
    const before = await server.client.get(keys.position(0));
    const follower = follow([store]);
    await follower.settled(followTimeoutMs);
    for (const code of ['code0', 'code2', 'code299', 'fresh'])
      expect(await readLink(code)).toEqual(ofStore(store, code));
    expect((await server.client.get(keys.position(0)))?.split(' ')[4]).toBe(before?.split(' ')[4]);
    expect(logger.lines.at(-1)?.fields).toMatchObject({ kind: 'changed', rowsPushed: 9 });
  });

  it('does not tell the new position before that', async () => {
    const store = await afterAnOwnerThatDied(3);
    let go = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      go = resolve;
    });
    const functions = functionsOver([store]);
    const follower = follow([store], {
      async *activeRows(partition) {
        await held;
        yield* functions.activeRows(partition);
      },
    });
    await eventually(() => follower.status()[0]?.refill, 'the refill began');
    expect((await readLink('code0'))?.nextOffset).toBe(300);
    go();
    await follower.settled(followTimeoutMs);
    expect(await readLink('code0')).toEqual(ofStore(store, 'code0'));
  });

  it('takes a Redis that is ahead of its store as it is', async () => {
    const store = await afterAnOwnerThatDied(0);
    const ahead = follow([store]);
    await ahead.settled(followTimeoutMs);
    await ahead.close();
    const behind = new FollowedStore();
    const follower = follow([behind]);
    for (let link = 0; link < 300; link++) behind.visit(`code${link}`, now + link);
    follower.commit(behind.commit());
    await follower.settled(followTimeoutMs);
    expect(await readLink('fresh')).toEqual(ofStore(store, 'fresh'));
    expect((await readLink('code5'))?.nextOffset).toBe(store.nextOffset);
  });

  it('of an owner that has been replaced changes nothing newer', async () => {
    const store = new FollowedStore();
    const zombieStore = new FollowedStore();
    const zombie = follow([zombieStore]);
    for (const each of [store, zombieStore]) for (let link = 0; link < 50; link++) each.visit(`code${link}`, now);
    zombie.commit(zombieStore.commit());
    await zombie.settled(followTimeoutMs);
    store.commit();
    const owner = follow([store]);
    for (let link = 0; link < 50; link++) store.visit(`code${link}`, now + 1);
    owner.commit(store.commit());
    await owner.settled(followTimeoutMs);

    // Redis is emptied, and the zombie may be the first to see it.
    for (let round = 0; round < 3; round++) {
      await server.client.flushall();
      zombieStore.visit('code0', now);
      zombie.commit(zombieStore.commit());
      await eventually(async () => (await readLink('code49')) !== null, 'Redis is filled');
      await owner.settled(followTimeoutMs);
      await eventually(async () => (await readLink('code49'))?.nextOffset === 100, 'the owner is through');
      for (const code of ['code1', 'code49']) expect((await readLink(code))?.totals).toBe(`2 ${now + 1}`);
    }
  });
});

describe('a Redis that lost something', () => {
  async function following(changes: Partial<RedisFollowerOptions> = {}) {
    const store = new FollowedStore();
    for (let link = 0; link < 700; link++) store.visit(`code${link}`, now - link);
    store.commit();
    const follower = follow([store], changes);
    await follower.settled(followTimeoutMs);
    return { store, follower };
  }

  it('everything, is filled again from the store, links and lists, without a visit', async () => {
    const { store, follower } = await following();
    expect(await readLink('code699')).toEqual(ofStore(store, 'code699'));
    await server.client.flushall();
    expect(await readLink('code699')).toBeNull();
    await eventually(async () => (await readLink('code699')) !== null, 'the follower noticed and filled it');
    await follower.settled(followTimeoutMs);
    expect(await readLink('code0')).toEqual(ofStore(store, 'code0'));
    expect(await createReader().highest('last-visit', 700)).toHaveLength(700);
  });

  it('in a restart is filled again', async () => {
    const { store, follower } = await following();
    await server.restart();
    store.visit('code1', now);
    follower.commit(store.commit());
    await eventually(async () => (await readLink('code1').catch(() => null)) !== null, 'it is filled');
    await follower.settled(followTimeoutMs);
    for (const code of ['code1', 'code500']) expect(await readLink(code)).toEqual(ofStore(store, code));
  });

  it('by going back to an old state is not believed, and is filled again', async () => {
    const { store, follower } = await following();
    await server.client.save();
    store.visit('code1', now);
    follower.commit(store.commit());
    await follower.settled(followTimeoutMs);
    const reader = createReader();
    expect((await readLink('code1', reader))?.nextOffset).toBe(701);
    await server.restart();
    // Whoever saw the newer numbers never sees the older ones.
    await eventually(async () => {
      const seen = await readLink('code1', reader).catch(() => null);
      if (seen !== null) expect(seen).toEqual(ofStore(store, 'code1'));
      return seen !== null;
    }, 'it is filled');
    expect(await server.client.exists(keys.linkRows(0, 'code1'))).toBe(1);
  });

  it('of another log is not believed, and is taken over', async () => {
    const foreign = new FollowedStore();
    for (let visit = 0; visit < 2_000; visit++) foreign.visit(`code${visit % 900}`, now - visit);
    foreign.commit();
    const other = follow([foreign], { logId: 'log-0' });
    await other.settled(followTimeoutMs);
    expect(await readLink('code800')).toBeNull();
    await other.close();
    const { store } = await following();
    expect(await readLink('code1')).toEqual(ofStore(store, 'code1'));
    expect((await readLink('code800'))?.totals).toBeUndefined();
    expect(await createReader().highest('visits', 1_000)).toHaveLength(700);
  });

  it('one link puts it whole at its next visit', async () => {
    const { store, follower } = await following();
    await server.client.del(keys.linkRows(0, 'code5'));
    store.visit('code5', now);
    follower.commit(store.commit());
    await follower.settled(followTimeoutMs);
    await eventually(async () => (await readLink('code5')) !== null, 'the link is whole');
    expect(await readLink('code5')).toEqual(ofStore(store, 'code5'));
  });

  it('a list fills the lists again, and no list is told before', async () => {
    const { follower } = await following();
    await server.client.del(keys.byVisits(0));
    expect(await createReader().highest('last-visit', 10)).toBeNull();
    expect(await createReader().read({ partition: 0, keys: [totalsKey('never')] })).toBeNull();
    await eventually(() => createReader().highest('visits', 10), 'the lists are whole');
    await follower.settled(followTimeoutMs);
    expect(await createReader().highest('visits', 1_000)).toHaveLength(700);
  });

  it.each(['position', 'byVisits', 'byLastVisit'] as const)(
    "or has somebody else's value as %s is repaired",
    async (name) => {
      const { store } = await following();
      const key = keys[name](0);
      for (const plant of [() => server.client.set(key, 'hello'), () => server.client.rpush(key, 'hello')]) {
        await server.client.del(key);
        await plant();
        await eventually(() => createReader().highest('visits', 10), 'it is repaired');
        await eventually(async () => (await readLink('code7')) !== null, 'links are read again');
        expect(await readLink('code7')).toEqual(ofStore(store, 'code7'));
      }
    },
  );

  it.each([
    ['a text', (key: string) => server.client.set(key, 'hello')],
    ['a hash', (key: string) => server.client.hset(key, 'tcode7', 'hello world, hello')],
    [
      'a changed row',
      (key: string, row: Buffer) =>
        server.client.hset(key, 'tcode7', Buffer.concat([row.subarray(0, 8), Buffer.from('9'), row.subarray(9)])),
    ],
    ['a row of another key', (key: string, row: Buffer) => server.client.hset(key, dayKey('code7', 5), row)],
  ])("and has %s of somebody else for a link's rows never tells that, and is repaired", async (_, plant) => {
    const { store, follower } = await following();
    const key = keys.linkRows(0, 'code7');
    const row = await server.client.hgetBuffer(key, 'tcode7');
    if (row === null) throw new Error('there is no row');
    await plant(key, row);
    expect(await readLink('code7')).toBeNull();
    store.visit('code7', now);
    follower.commit(store.commit());
    await follower.settled(followTimeoutMs);
    await eventually(async () => (await readLink('code7')) !== null, 'the link is whole');
    expect(await readLink('code7')).toEqual(ofStore(store, 'code7'));
  });
});

describe('whatever happens to Redis', () => {
  const rounds = 250;

  it('it never tells less than its position says, and in the end tells what the store holds', async () => {
    const seed = chosenSeed();
    const random = createSeededRandom(seed);
    const codes = Array.from({ length: 40 }, (_, index) => `c${index}`);
    const bounds = { waitingRows: 60, waitingLinks: 10 };
    /** The log: the code of each visit by its offset. */
    const log: string[] = [];
    const store = new FollowedStore();
    /** Of an owner that was replaced and does not know it: folds the same log, later. */
    const lateStore = new FollowedStore();
    const fold = (target: FollowedStore, upTo: number) => {
      while (target.nextOffset < upTo) {
        const offset = target.nextOffset;
        // Of some days, so that a commit seldom changes all rows of a link.
        target.visit(log[offset] ?? '', now - (offset % 4) * dayMs + offset);
      }
      return target.commit();
    };
    let follower = follow([store], { bounds });
    let late = follow([lateStore], { bounds });
    const keepsUp = async () => {
      await eventually(() => connection.isReady(), 'Redis can be asked');
      await follower.settled(followTimeoutMs);
    };
    const happenings: (() => Promise<unknown> | unknown)[] = [
      () => server.client.flushall(),
      () => server.client.del(keys.linkRows(0, random.pick(codes))),
      () => server.client.set(keys.linkRows(0, random.pick(codes)), 'x'),
      () => server.client.hset(keys.linkRows(0, random.pick(codes)), totalsKey(random.pick(codes)), 'x'),
      () => server.client.del(keys.position(0)),
      () => server.client.del(keys.byVisits(0)),
      () => server.client.save(),
      () => server.restart(),
      () => server.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
      async () => {
        await follower.close();
        follower = follow([store], { bounds });
      },
      async () => {
        await late.close();
        late = follow([lateStore], { bounds });
      },
      () => late.commit(fold(lateStore, log.length)),
      keepsUp,
    ];
    let told = 0;
    for (let round = 0; round < rounds; round++) {
      for (let visits = random.below(20); visits > 0; visits--) log.push(random.pick(codes));
      follower.commit(fold(store, log.length));
      if (random.below(3) === 0) late.commit(fold(lateStore, Math.max(lateStore.nextOffset, log.length - 50)));
      if (random.below(4) === 0) await random.pick(happenings)();
      // Time for calls to be anywhere.
      await delay(random.below(5));
      const reads = await Promise.all(codes.map((code) => readLink(code).catch(() => null)));
      for (const [index, seen] of reads.entries()) {
        if (seen === null) continue;
        told += 1;
        const code = codes[index];
        const least = log.slice(0, seen.nextOffset).filter((visited) => visited === code).length;
        const visits = Number(seen.totals?.split(' ')[0] ?? 0);
        const days = seen.days.reduce((sum, [, text]) => sum + Number(text?.split(' ')[0]), 0);
        const isRight = visits >= least && days === visits;
        const found = { seed, round, code, nextOffset: seen.nextOffset, least, visits, days };
        expect({ ...found, isRight }).toEqual({ ...found, isRight: true });
      }
    }
    expect(told).toBeGreaterThan(rounds);
    await late.close();
    await keepsUp();
    await eventually(() => createReader().highest('visits', 50), 'the lists are whole');
    await keepsUp();
    // A link that was lost and not visited since is not held; whatever is held is what the store holds.
    const links = await Promise.all(codes.map((code) => readLink(code)));
    for (const [index, link] of links.entries()) {
      if (link !== null) expect({ seed, ...link }).toEqual({ seed, ...ofStore(store, codes[index] ?? '') });
    }
    const scores = (await createReader().highest('visits', 50))?.map(({ code, score }) => [code, score]).sort();
    const visited = codes.filter((code) => log.includes(code)).sort();
    expect(scores).toEqual(visited.map((code) => [code, log.filter((other) => other === code).length]));
  }, 60_000);
});
