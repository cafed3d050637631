import { openRedisConnection, type RedisConnection } from '../../../src/adapters/redis/redis-connection.ts';
import { createRedisKeys } from '../../../src/adapters/redis/redis-keys.ts';
import { createSaltAgreement } from '../../../src/adapters/redis/redis-salt.ts';
import { RedisUnavailable } from '../../../src/adapters/redis/redis-unavailable.ts';
import { systemRandom } from '../../../src/adapters/system/system-random.ts';
import { createQuietLogger } from '../../support/quiet-logger.ts';
import { type RedisServer, startRedisServer } from '../../support/redis-server.ts';

const keys = createRedisKeys();
let server: RedisServer;
let connections: RedisConnection[];

/** Another instance each time, which asks before it is connected. */
function agree(day: number, salt: string): Promise<string> {
  const connection = openRedisConnection({ url: server.url, logger: createQuietLogger(), random: systemRandom });
  connections.push(connection);
  return createSaltAgreement(connection, keys)(day, salt);
}

beforeEach(async () => {
  connections = [];
  server = await startRedisServer();
});
afterEach(async () => {
  for (const connection of connections) connection.close();
  await server.dispose();
});

describe('the salt of a day', () => {
  it('is the first that was offered, on every instance, for that day alone', async () => {
    expect(await agree(20_000, 'a')).toBe('a');
    expect(await agree(20_000, 'b')).toBe('a');
    expect(await agree(20_001, 'b')).toBe('b');
  });

  it('is gone when its day is over', async () => {
    await agree(20_000, 'a');
    expect(await server.client.ttl(keys.salt(20_000))).toBeGreaterThan(25 * 60 * 60);
    expect(await server.client.ttl(keys.salt(20_000))).toBeLessThanOrEqual(26 * 60 * 60);
  });

  it('comes back from an instance when Redis was emptied, and replaces what is no text', async () => {
    await agree(20_000, 'a');
    await server.client.flushall();
    await server.client.lpush(keys.salt(20_000), 'x');
    expect(await agree(20_000, 'b')).toBe('b');
    expect(await agree(20_000, 'a')).toBe('b');
  });

  it('cannot be agreed on while Redis is away', async () => {
    await server.dispose();
    await expect(agree(20_000, 'a')).rejects.toThrow(RedisUnavailable);
  });
});
