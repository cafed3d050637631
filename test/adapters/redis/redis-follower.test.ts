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
});

describe('an emptied Redis', () => {
  it('is filled again from the store, links and lists, without a visit', async () => {
    const store = new FollowedStore();
    for (let link = 0; link < 700; link++) store.visit(`code${link}`, now - link);
    store.commit();
    const follower = follow([store]);
    await follower.settled(followTimeoutMs);
    expect(await readLink('code699')).toEqual(ofStore(store, 'code699'));

    await server.client.flushall();
    expect(await readLink('code699')).toBeNull();
    await eventually(async () => (await readLink('code699')) !== null, 'the follower noticed and filled it');
    await follower.settled(followTimeoutMs);
    expect(await readLink('code0')).toEqual(ofStore(store, 'code0'));
    expect(await createReader().highest('last-visit', 700)).toHaveLength(700);
  });
});
