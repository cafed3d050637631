import { openRedisConnection, type RedisConnection } from '../../../src/adapters/redis/redis-connection.ts';
import { createRedisKeys } from '../../../src/adapters/redis/redis-keys.ts';
import { openRedisLinks, type RedisLinks, type RedisLinksOptions } from '../../../src/adapters/redis/redis-links.ts';
import { systemRandom } from '../../../src/adapters/system/system-random.ts';
import { eventually } from '../../support/eventually.ts';
import { createQuietLogger } from '../../support/quiet-logger.ts';
import { type RedisServer, startRedisServer } from '../../support/redis-server.ts';

const keys = createRedisKeys();
const logger = createQuietLogger();

let server: RedisServer;
let connection: RedisConnection;
const open: RedisLinks[] = [];

beforeAll(async () => {
  server = await startRedisServer();
  connection = openRedisConnection({ url: server.url, logger, random: systemRandom });
  await eventually(() => connection.isReady(), 'Redis can be asked');
});
beforeEach(async () => {
  await server.client.flushall();
});
afterEach(() => {
  for (const links of open.splice(0)) links.close();
});
afterAll(async () => {
  connection.close();
  await server.dispose();
});

function openLinks(changes: Partial<RedisLinksOptions> = {}): RedisLinks {
  const links = openRedisLinks({
    url: server.url,
    connection,
    keys,
    logId: 'log-1',
    partitions: 4,
    partitionOf: (code) => code.length % 4,
    logger,
    random: systemRandom,
    puts: true,
    ...changes,
  });
  open.push(links);
  return links;
}

const link = (code: string, version: number, url = 'https://example.com/ä ö\n') => ({
  code,
  version,
  json: JSON.stringify({ code, version, url }),
});

async function put(links: RedisLinks, ...all: ReturnType<typeof link>[]): Promise<void> {
  for (const one of all) links.put(one);
  await eventually(() => links.waiting() === 0, 'the links are put');
}

describe('links in Redis', () => {
  it('are found by every instance, the newest version of each', async () => {
    const one = openLinks();
    const other = openLinks({ puts: false });
    await put(one, link('abc', 1), link('xyzw', 1));
    await put(one, link('abc', 3));
    await put(one, link('abc', 2));
    expect(await other.find('abc')).toEqual(link('abc', 3));
    expect(await other.find('xyzw')).toEqual(link('xyzw', 1));
    expect(await other.find('none')).toBeNull();
  });

  it('are put in any number', async () => {
    const links = openLinks();
    await put(links, ...Array.from({ length: 2_000 }, (_, index) => link(`code-${index}`, 1)));
    expect(await links.find('code-0')).toEqual(link('code-0', 1));
    expect(await links.find('code-1999')).toEqual(link('code-1999', 1));
  });

  it('are kept for as long as they were told', async () => {
    await put(openLinks({ ttlMs: 100_000 }), link('abc', 1));
    expect(await server.client.ttl(keys.link(3, 'abc'))).toBeGreaterThan(90);
    expect(await server.client.ttl(keys.link(3, 'abc'))).toBeLessThanOrEqual(100);
  });

  it('are told to whoever listens, once for each newer version', async () => {
    const one = openLinks();
    const other = openLinks({ puts: false });
    const heard: unknown[] = [];
    other.onChange((change) => heard.push(change));
    await eventually(() => heard.length === 1, 'the channel is listened to');
    await put(one, link('abc', 2));
    await put(one, link('abc', 1));
    await put(one, link('xyz', 1));
    await eventually(() => heard.length === 3, 'both changes were heard');
    expect(heard).toEqual([null, { code: 'abc', version: 2 }, { code: 'xyz', version: 1 }]);
  });

  it('of another log are none', async () => {
    await put(openLinks({ logId: 'log-0' }), link('abc', 7));
    const links = openLinks();
    expect(await links.find('abc')).toBeNull();
    await put(links, link('abc', 1));
    expect(await links.find('abc')).toEqual(link('abc', 1));
  });

  it.each([
    ['a text', (key: string) => server.client.set(key, 'hello')],
    ['a list', (key: string) => server.client.del(key).then(() => server.client.rpush(key, 'x'))],
    ['a link with another target', (key: string) => server.client.setrange(key, 100, 'evil')],
  ])('are not believed where %s was planted, and put anew', async (_, plant) => {
    const links = openLinks();
    await put(links, link('abc', 1));
    await plant(keys.link(3, 'abc'));
    expect(await links.find('abc')).toBeNull();
    await put(links, link('abc', 2));
    expect(await links.find('abc')).toEqual(link('abc', 2));
  });

  it('wait while Redis is away, and are put when it is back', async () => {
    const links = openLinks();
    await put(links, link('abc', 1));
    await server.kill();
    await eventually(() => !connection.isReady(), 'Redis is away');
    links.put(link('abc', 2));
    expect(links.waiting()).toBe(1);
    await expect(links.find('abc')).rejects.toThrow('away');
    await server.start();
    await eventually(() => links.waiting() === 0, 'the link is put');
    expect(await links.find('abc')).toEqual(link('abc', 2));
  });

  it('are all voided in Redis when more changed than may wait', async () => {
    const links = openLinks({ waitingMax: 8 });
    await put(links, link('abc', 1), link('old', 1));
    await server.signal('SIGSTOP');
    for (let code = 100; code < 110; code++) links.put(link(String(code), 1));
    links.put(link('abc', 2));
    await server.signal('SIGCONT');
    await eventually(() => links.waiting() === 0, 'the links are put');
    expect(await links.find('abc')).toEqual(link('abc', 2));
    expect(await links.find('old')).toBeNull();
  });

  it('are all voided by an instance that starts, and may have missed what was put', async () => {
    const one = openLinks();
    await put(one, link('abc', 1), link('wxyz', 1));
    expect(await one.find('abc')).toEqual(link('abc', 1));
    const restarted = openLinks({ voidsAtStart: true });
    for (const code of ['abc', 'wxyz']) {
      await eventually(async () => (await one.find(code)) === null, `${code} is not found any more`);
    }
    await put(restarted, link('abc', 1));
    expect(await one.find('abc')).toEqual(link('abc', 1));
  });

  it('are voided in a Redis that was rolled back', async () => {
    const links = openLinks();
    await put(links, link('abc', 1), link('xyz', 1));
    await server.client.save();
    await put(links, link('abc', 2));
    await server.restart();
    await eventually(() => connection.isReady(), 'Redis can be asked');
    await put(links, link('xyz', 2));
    expect(await server.client.exists(keys.link(3, 'abc'))).toBe(1);
    expect(await links.find('abc')).toBeNull();
    expect(await links.find('xyz')).toEqual(link('xyz', 2));
  });
});
