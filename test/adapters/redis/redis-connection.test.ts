import { Redis } from 'ioredis';
import { reconnectDelay, redisClientOptions } from '../../../src/adapters/redis/redis-client-options.ts';
import { openRedisConnection, type RedisConnection } from '../../../src/adapters/redis/redis-connection.ts';
import { createRedisKeys } from '../../../src/adapters/redis/redis-keys.ts';
import { RedisUnavailable } from '../../../src/adapters/redis/redis-unavailable.ts';
import { systemRandom } from '../../../src/adapters/system/system-random.ts';
import { eventually } from '../../support/eventually.ts';
import { createQuietLogger, type QuietLogger } from '../../support/quiet-logger.ts';
import { type RedisServer, startRedisServer } from '../../support/redis-server.ts';

const keys = createRedisKeys();

let server: RedisServer;
let connection: RedisConnection;
let logger: QuietLogger;

beforeEach(async () => {
  server = await startRedisServer();
  logger = createQuietLogger();
  connection = openRedisConnection({ url: server.url, logger, random: systemRandom });
  await isReady();
});
afterEach(async () => {
  connection.close();
  await server.dispose();
});

const isReady = () => eventually(() => connection.isReady(), 'Redis can be asked');
const ask = () => connection.call('position', [keys.position(0)], []);

/** How a call ended, and after how long. */
async function timed(call: () => Promise<unknown>) {
  const startMs = performance.now();
  const error = await call().then(
    () => null,
    (reason: unknown) => reason,
  );
  return { error, durationMs: performance.now() - startMs };
}

describe('a connection to Redis', () => {
  it('fails within a second when Redis hangs, after that at once, and comes back by itself', async () => {
    await server.signal('SIGSTOP');
    const first = await timed(ask);
    expect(first.error).toBeInstanceOf(RedisUnavailable);
    expect(first.durationMs).toBeLessThan(1_000);
    for (let call = 0; call < 20; call++) {
      const next = await timed(ask);
      expect(next.error).toBeInstanceOf(RedisUnavailable);
      expect(next.durationMs).toBeLessThan(200);
    }
    await server.signal('SIGCONT');
    await isReady();
    expect(String(await ask())).toBe('');
    expect(logger.lines.map(({ message }) => message)).toEqual(['Redis is away', 'Redis is back']);
  });

  it('fails at once what is under way when Redis dies, and loads the functions into the new one', async () => {
    await server.signal('SIGSTOP');
    const call = timed(ask);
    await server.kill();
    expect((await call).error).toBeInstanceOf(RedisUnavailable);
    expect((await call).durationMs).toBeLessThan(700);
    expect((await timed(ask)).durationMs).toBeLessThan(200);
    await server.start();
    await isReady();
    expect(String(await ask())).toBe('');
  });

  it('tells its listeners each time when Redis can be asked again', async () => {
    let told = 0;
    const stop = connection.onReady(() => (told += 1));
    await server.restart();
    await eventually(() => told === 1, 'it was told');
    stop();
    await server.restart();
    await isReady();
    expect(told).toBe(1);
  });

  it('loads the functions again when somebody flushed them', async () => {
    await server.client.call('FUNCTION', 'FLUSH');
    expect((await timed(ask)).error).toBeInstanceOf(RedisUnavailable);
    await isReady();
    expect(String(await ask())).toBe('');
  });

  it('takes no part while Redis loads, is busy with a script, is full or a replica', async () => {
    await server.client.config('SET', 'maxmemory', '1');
    const refused = await timed(() =>
      connection.call('open', [keys.position(0), 'b', 'c'], ['log', '0 0 0 log g 1', 'x']),
    );
    expect(refused.error).toBeInstanceOf(RedisUnavailable);
    await server.client.config('SET', 'maxmemory', '0');

    await server.client.config('SET', 'busy-reply-threshold', '10');
    const busy = server.client.eval('while true do end', 0).catch(() => undefined);
    await eventually(async () => (await timed(ask)).error instanceof RedisUnavailable, 'Redis is busy');
    // A busy Redis answers little else than this one command.
    const other = new Redis({
      port: server.port,
      host: '127.0.0.1',
      protocol: 2,
      enableReadyCheck: false,
      disableClientInfo: true,
    });
    other.on('error', () => undefined);
    await eventually(
      () =>
        other.call('SCRIPT', 'KILL').then(
          () => true,
          () => false,
        ),
      'the script is killed',
    );
    other.disconnect();
    await busy;
    await isReady();

    await server.client.replicaof('127.0.0.1', 1);
    const replica = await timed(() => connection.call('take', [keys.position(0), keys.limit(0, 'a')], ['log']));
    expect(replica.error).toBeInstanceOf(RedisUnavailable);
    expect(connection.isReady()).toBe(false);
    await server.client.call('REPLICAOF', 'NO', 'ONE');
    await isReady();
  });

  it('does not send again what was under way', async () => {
    await server.client.set(keys.position(0), '0 1 0 log g 0');
    await connection.call('take', [keys.position(0), keys.limit(0, 'a')], ['log', '9', 'seed', '1000', '100', '1']);
    await connection.call('seed', [keys.position(0), keys.limit(0, 'a')], ['log', 'seed', '0', '100']);
    await server.signal('SIGSTOP');
    const calls = Array.from({ length: 5 }, () =>
      timed(() =>
        connection.call('take', [keys.position(0), keys.limit(0, 'a')], ['log', '9', 'x', '1000', '100', '1']),
      ),
    );
    await Promise.all(calls);
    await server.signal('SIGCONT');
    await isReady();
    const [, , used] = (await server.client.get(keys.limit(0, 'a')))?.split(' ') ?? [];
    expect(Number(used)).toBeLessThanOrEqual(5);
  });
});

describe('the way to Redis', () => {
  it('is refused at the start when it cannot be one', () => {
    const options = (url: string, ca?: string) =>
      redisClientOptions({ url, ...(ca === undefined ? {} : { ca }) }, {}, systemRandom);
    expect(() => options('http://127.0.0.1')).toThrow('redis://');
    expect(() => options('redis://127.0.0.1/books')).toThrow('number of a database');
    expect(() => options('rediss://127.0.0.1', 'no certificate')).toThrow();
    expect(options('rediss://user:p%40ss@redis.example:6380/2')).toMatchObject({
      host: 'redis.example',
      port: 6380,
      db: 2,
      username: 'user',
      password: 'p@ss',
      tls: { servername: 'redis.example' },
      autoResendUnfulfilledCommands: false,
      enableOfflineQueue: false,
    });
    expect(options('redis://[::1]')).toMatchObject({ host: '::1', port: 6379, db: 0 });
    expect(options('redis://localhost')).not.toHaveProperty('tls');
  });

  it('is tried again after delays that double, are spread and end at two seconds', () => {
    const delays = (byte: number) =>
      [1, 2, 3, 20].map((attempt) => reconnectDelay(attempt, { ...systemRandom, bytes: () => new Uint8Array([byte]) }));
    expect(delays(0)).toEqual([25, 50, 100, 1_000]);
    expect(delays(255)).toEqual([50, 100, 200, 2_000]);
  });
});

describe('keys', () => {
  it('of a partition share one hash tag, and stand behind the prefix', () => {
    const { progressChannel, linksChannel, ...named } = createRedisKeys('test.');
    const all = [
      named.position(3),
      named.byVisits(3),
      named.byLastVisit(3),
      named.linkRows(3, 'abc'),
      named.ownRow(3, 'o'),
      named.limit(3, 'abc'),
      named.links(3),
      named.link(3, 'abc'),
    ];
    expect(all.every((key) => key.startsWith('test.tallyhop:{3}:'))).toBe(true);
    expect(new Set(all).size).toBe(all.length);
    expect([progressChannel, linksChannel]).toEqual(['test.tallyhop:progress', 'test.tallyhop:links']);
    expect(() => createRedisKeys('{1}')).toThrow();
  });
});
