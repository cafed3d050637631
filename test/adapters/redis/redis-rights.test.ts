import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRedisConnection, type RedisConnectionOptions } from '../../../src/adapters/redis/redis-connection.ts';
import { createRedisFollower } from '../../../src/adapters/redis/redis-follower.ts';
import { createRedisKeys, redisRights } from '../../../src/adapters/redis/redis-keys.ts';
import { openRedisLinks } from '../../../src/adapters/redis/redis-links.ts';
import { openRedisProgress } from '../../../src/adapters/redis/redis-progress.ts';
import { createRedisStoreReader } from '../../../src/adapters/redis/redis-store-reader.ts';
import { createRedisVisitLimits } from '../../../src/adapters/redis/redis-visit-limits.ts';
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
import { freePort, type RedisServer, startRedisServer } from '../../support/redis-server.ts';

const now = Date.now();
const logId = 'log-1';

let server: RedisServer;

afterEach(async () => {
  await server.dispose();
});

/** Does with Redis all that the adapter does, faults of the data included. Fails when any of it does. */
async function useEverything(
  options: Pick<RedisConnectionOptions, 'url' | 'username' | 'password' | 'ca'>,
  prefix: string,
) {
  const logger = createQuietLogger();
  const keys = createRedisKeys(prefix);
  const connection = openRedisConnection({ ...options, logger, random: systemRandom });
  await eventually(() => connection.isReady(), 'Redis can be asked');
  const shared = {
    ...options,
    connection,
    keys,
    logId,
    partitions: 1,
    logger,
    random: systemRandom,
    clock: systemClock,
  };
  const store = new FollowedStore();
  const follower = createRedisFollower({ ...shared, ...functionsOver([store]) });
  const progress = openRedisProgress(shared);
  const links = openRedisLinks({ ...shared, partitionOf: () => 0, puts: true });
  const limits = createRedisVisitLimits({ ...shared, partitionOf: () => 0, learn: async () => 3 });
  const reader = createRedisStoreReader({ ...shared, linkOfRow, linkOfRange });
  const heard: unknown[] = [];
  links.onChange((change) => heard.push(change));
  try {
    for (let day = 0; day < 600; day++) store.visit('long', now - (600 - day) * 86_400_000);
    store.commit();
    follower.begin(0, store.position());
    await follower.settled(10_000);
    store.visit('abc', now);
    follower.commit(store.commit());
    await follower.settled(10_000);
    const answer = await reader.read({
      partition: 0,
      keys: [totalsKey('abc'), totalsKey('never'), 'o'],
      range: { gte: dayKey('abc', 0), lt: dayKey('abc', 999_999), limit: 10 },
    });
    expect([answer?.values.length, answer?.entries.length]).toEqual([3, 1]);
    expect(await reader.highest('visits', 10)).toHaveLength(2);
    await eventually(() => progress.positions()[0]?.nextOffset === 601, 'the progress was heard');

    await eventually(() => heard.length > 0, 'the channel is listened to');
    links.put({ code: 'abc', version: 1, json: '{}' });
    await eventually(() => heard.length > 1, 'the change was heard');
    expect(await links.find('abc')).toMatchObject({ version: 1 });

    await limits.seed('abc', 4, 'take');
    expect(limits.take('abc', 4)).toBe('taken');
    limits.giveBack('abc');
    await limits.seed('abc', 5, 'look');
    expect(limits.look('abc', 5)).toBe('left');
    await connection.call('forget', [keys.link(0, 'abc')], []);
    return { connection, keys };
  } finally {
    links.close();
    progress.close();
    await limits.close();
    await follower.close();
    connection.close();
  }
}

describe('a user with exactly the rights that are asked for', () => {
  it('can do all that Tallyhop does, and nothing with keys and channels of others', async () => {
    server = await startRedisServer();
    const rights = ['on', '>secret', ...redisRights('test.')];
    await server.client.call('ACL', 'SETUSER', 'tallyhop', 'reset', ...rights);
    // Nobody gets in without a name.
    await server.client.call('ACL', 'SETUSER', 'operator', 'on', '>operator', 'allcommands', 'allkeys', 'allchannels');
    await server.client.call('AUTH', 'operator', 'operator');
    await server.client.call('ACL', 'SETUSER', 'default', 'off');
    await useEverything({ url: server.url, username: 'tallyhop', password: 'secret' }, 'test.');
    expect(await server.client.call('ACL', 'LOG')).toEqual([]);

    const mayDo = (...command: string[]) => server.client.call('ACL', 'DRYRUN', 'tallyhop', ...command);
    expect(await mayDo('GET', 'test.tallyhop:{0}:position')).toBe('OK');
    for (const command of [
      ['GET', 'tallyhop:{0}:position'],
      ['PUBLISH', 'tallyhop:links', 'x'],
      ['FLUSHALL'],
      ['CONFIG', 'GET', '*'],
      ['KEYS', '*'],
      ['EVAL', 'return 1', '0'],
      ['FUNCTION', 'FLUSH'],
    ]) {
      expect(String(await mayDo(...command))).toMatch(/no permissions/);
    }
  });

  it('needs each of them', async () => {
    server = await startRedisServer();
    const used = new Set<string>();
    await server.client.call('CONFIG', 'RESETSTAT');
    await useEverything({ url: server.url }, '');
    const stats = String(await server.client.info('commandstats'));
    for (const [, command] of stats.matchAll(/^cmdstat_([^:]+):/gm)) used.add(command ?? '');
    const given = redisRights()
      .filter((rule) => rule.startsWith('+'))
      .map((rule) => rule.slice(1));
    expect(given.filter((command) => !used.has(command))).toEqual(['ping']);
  });
});

describe('a connection by TLS', () => {
  it('is made to a server whose certificate descends from the given one, and to no other', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tallyhop-tls-'));
    const file = (name: string) => join(folder, name);
    const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    for (const authority of ['ours', 'other']) {
      openssl(
        'req',
        '-x509',
        ...newKey,
        '-keyout',
        `${authority}.key`,
        '-out',
        `${authority}.pem`,
        '-subj',
        `/CN=${authority}`,
      );
    }
    openssl('req', ...newKey.slice(0, -2), '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=redis');
    await writeFile(file('names'), 'subjectAltName=IP:127.0.0.1');
    openssl(
      'x509',
      '-req',
      '-in',
      'server.csr',
      '-CA',
      'ours.pem',
      '-CAkey',
      'ours.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      'names',
      '-out',
      'server.pem',
    );

    server = await startRedisServer();
    for (const [name, path] of [
      ['tls-cert-file', 'server.pem'],
      ['tls-key-file', 'server.key'],
      ['tls-ca-cert-file', 'ours.pem'],
    ] as const) {
      await server.client.config('SET', name, file(path));
    }
    await server.client.config('SET', 'tls-auth-clients', 'no');
    const tlsPort = await freePort();
    await server.client.config('SET', 'tls-port', String(tlsPort));
    const url = `rediss://127.0.0.1:${tlsPort}`;
    await useEverything({ url, ca: await readFile(file('ours.pem'), 'utf8') }, '');

    const logger = createQuietLogger();
    const wrong = openRedisConnection({
      url,
      ca: await readFile(file('other.pem'), 'utf8'),
      logger,
      random: systemRandom,
    });
    await eventually(() => logger.lines.length > 0, 'the certificate is refused');
    expect(String(logger.lines[0]?.fields['err'])).toMatch(/certificate|verify/);
    expect(wrong.isReady()).toBe(false);
    wrong.close();
    await rm(folder, { recursive: true, force: true });
  });
});
