/** What is shipped for running on many machines, tried on real services: certificates, rights in Kafka, rights in Redis. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import kafkajs, { type Kafka } from 'kafkajs';
import { kafkaToolCommand } from '../scripts/services.js';
import { createDeadLetterSender } from '../src/adapters/kafka/dead-letter-sender.ts';
import { openGroupDirectory } from '../src/adapters/kafka/group-directory.ts';
import { openGroupMembership } from '../src/adapters/kafka/group-membership.ts';
import { openKafkaChangelog } from '../src/adapters/kafka/kafka-changelog.ts';
import { openKafkaLog } from '../src/adapters/kafka/kafka-log.ts';
import { createVisitShipper } from '../src/adapters/kafka/kafka-visit-shipper.ts';
import { formatPosition } from '../src/adapters/redis/position-text.ts';
import { openRedisConnection } from '../src/adapters/redis/redis-connection.ts';
import { createRedisKeys, redisRights } from '../src/adapters/redis/redis-keys.ts';
import { openRedisSubscriber } from '../src/adapters/redis/redis-subscriber.ts';
import { systemRandom } from '../src/adapters/system/system-random.ts';
import { createTaskAssignor } from '../src/worker/task-assignor.ts';
import { eventually } from './support/eventually.ts';
import { kafkaOptions } from './support/kafka-options.ts';
import { createQuietLogger } from './support/quiet-logger.ts';
import { type Services, startOwnServices } from './support/services.ts';

const run = promisify(execFile);
const deploy = fileURLToPath(new URL('../deploy/', import.meta.url));

let folder: string;
let certificates: string;
const pem = (name: string) => readFileSync(join(certificates, name), 'utf8');

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tallyhop-deploy-'));
  certificates = join(folder, 'certificates');
  const names = ['kafka-1', 'redis', 'admin', 'website', 'counter'];
  await run('sh', [join(deploy, 'tls/make-certificates.sh'), certificates, ...names]);
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('Kafka with certificates and rights', () => {
  let services: Services;

  /** The brokers' settings as shipped, as lines of server.properties. */
  function shippedProperties(): Record<string, string> {
    const text = readFileSync(join(deploy, 'tls/compose.yml'), 'utf8');
    const settings = [...text.matchAll(/^ +KAFKA_((?:SSL|AUTHORIZER)_\w+): "?(.*?)"?$/gm)];
    return Object.fromEntries(
      settings.map(([, name = '', value = '']) => [
        name.toLowerCase().replaceAll('_', '.'),
        value
          .replaceAll('$$', '$')
          .replace('/etc/kafka/secrets', certificates)
          .replace(/kafka-\d/, 'kafka-1'),
      ]),
    );
  }

  const as = (name: string): Kafka =>
    new kafkajs.Kafka({
      brokers: [...services.kafkaBrokers],
      ssl: { ca: pem('ca.pem'), cert: pem(`${name}.pem`), key: pem(`${name}.key`) },
      logLevel: kafkajs.logLevel.NOTHING,
      retry: { retries: 3 },
    });

  async function allow(role: string, principal: string): Promise<void> {
    const properties = join(folder, 'admin.properties');
    const shipped = readFileSync(join(deploy, 'kafka/admin.properties'), 'utf8');
    writeFileSync(properties, shipped.replaceAll('/etc/kafka/secrets', certificates));
    const tool = join(folder, 'kafka-acls.sh');
    writeFileSync(tool, `exec ${kafkaToolCommand('org.apache.kafka.tools.AclCommand')} "$@"`, { mode: 0o755 });
    const where = ['--bootstrap-server', services.kafkaBrokers[0] ?? '', '--command-config', properties];
    await run('sh', [join(deploy, 'kafka/acls.sh'), role, principal, ...where], {
      env: { ...process.env, KAFKA_ACLS: tool },
    });
  }

  beforeAll(async () => {
    services = await startOwnServices({
      redis: false,
      kafkaProperties: {
        ...shippedProperties(),
        'listener.security.protocol.map': 'CLIENT:SSL,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT',
        'super.users': 'User:ANONYMOUS;User:admin',
      },
    });
    await Promise.all([allow('web', 'User:website'), allow('worker', 'User:counter')]);
  }, 180_000);

  afterAll(() => services.stop());

  const topics = {
    links: 'tallyhop.links.v1',
    visits: 'tallyhop.visits.v1',
    changelog: 'tallyhop-g1-changelog',
    'dead letters': 'tallyhop.dead-letters.v1',
  };

  /** `done`, or what the broker calls its refusal. */
  async function attempt(action: () => Promise<unknown>): Promise<string> {
    try {
      await action();
      return 'done';
    } catch (error) {
      const cause = error instanceof kafkajs.KafkaJSAggregateError ? error.errors[0] : error;
      return cause instanceof kafkajs.KafkaJSProtocolError ? cause.type : String(error);
    }
  }

  async function outcomesOf(name: string): Promise<Record<string, string>> {
    const kafka = as(name);
    const admin = kafka.admin();
    const producer = kafka.producer({ allowAutoTopicCreation: false, idempotent: true });
    await Promise.all([admin.connect(), producer.connect()]);
    const outcomes: Record<string, string> = {};
    try {
      for (const [what, topic] of Object.entries(topics)) {
        outcomes[`write ${what}`] = await attempt(() => producer.send({ topic, messages: [{ key: 'a', value: 'b' }] }));
      }
      outcomes['see where visits end'] = await attempt(() => admin.fetchTopicOffsets(topics.visits));
      outcomes['delete links'] = await attempt(() => admin.deleteTopics({ topics: [topics.links] }));
      outcomes['make another topic'] = await attempt(() => admin.createTopics({ topics: [{ topic: 'another' }] }));
      return outcomes;
    } finally {
      await Promise.all([admin.disconnect(), producer.disconnect()]);
    }
  }

  it('lets each role write what it has to and change nothing else', async () => {
    const admin = as('website').admin();
    await admin.connect();
    await admin.createTopics({ topics: Object.values(topics).map((topic) => ({ topic })) });
    await admin.disconnect();

    const refused = 'TOPIC_AUTHORIZATION_FAILED';
    const both = {
      'write links': 'done',
      'write dead letters': 'done',
      'see where visits end': 'done',
      'delete links': refused,
      'make another topic': refused,
    };
    expect(await outcomesOf('website')).toEqual({ ...both, 'write visits': 'done', 'write changelog': refused });
    expect(await outcomesOf('counter')).toEqual({ ...both, 'write visits': refused, 'write changelog': 'done' });
  }, 60_000);

  it('is enough for what a website and a worker do', async () => {
    const optionsOf = (name: string) =>
      kafkaOptions({
        brokers: services.kafkaBrokers,
        topicPrefix: '',
        ssl: { ca: pem('ca.pem'), cert: pem(`${name}.pem`), key: pem(`${name}.key`) },
      });
    const ofLog = { secretFingerprint: 'f', onRefused: () => undefined };
    const open: { close(): Promise<void> | void }[] = [];
    const kept = <Opened extends { close(): Promise<void> | void }>(opened: Opened): Opened => {
      open.push(opened);
      return opened;
    };
    try {
      const website = kept(await openKafkaLog({ ...optionsOf('website'), ...ofLog }));
      const ownLinks = kept(await website.reader('links', 0));
      await website.append('links', 0, [{ key: 'abc', value: Buffer.from('{}') }]);
      expect((await ownLinks.read(ownLinks.startOffset(), 1_000_000)).some(({ key }) => key === 'abc')).toBe(true);
      const visit = { key: 'abc', value: Buffer.from('[]'), producerId: 'p', sequence: 0 };
      await kept(createVisitShipper(optionsOf('website'))).ship(0, [visit]);

      const worker = kept(await openKafkaLog({ ...optionsOf('counter'), ...ofLog }));
      const visits = kept(await worker.reader('visits', 0));
      const end = await worker.endOffset('visits', 0);
      expect((await visits.read(visits.startOffset(), 1_000_000)).at(-1)?.offset).toBe(end - 1);
      const changelog = kept(await openKafkaChangelog(optionsOf('counter')));
      const epoch = await changelog.append(0, [{ kind: 'barrier', key: 'b', value: Buffer.from('') }], -1, 0);
      const changes = kept(await changelog.reader(0));
      expect((await changes.read(epoch, 1_000_000)).records).toHaveLength(1);
      const letter = { topic: 'visits', partition: 0, offset: 0, reason: 'none', ...visit } as const;
      await kept(createDeadLetterSender(optionsOf('counter'))).send([letter]);

      const directory = kept(openGroupDirectory({ kafka: optionsOf('website') }));
      kept(
        openGroupMembership({
          ...{ kafka: optionsOf('counter'), instanceId: 'counter', url: 'http://127.0.0.1:1', partitions: 1 },
          taskLags: () => new Map(),
          plan: createTaskAssignor({ standbys: 0 }),
          onAssignment: () => undefined,
          onLost: () => undefined,
        }),
      );
      const owner = await eventually(() => directory.ownerOf(0), 'the website knows the owner', 30_000);
      expect(owner.instanceId).toBe('counter');
    } finally {
      for (const each of open.reverse()) await each.close();
    }
  }, 90_000);

  it('lets only workers read visits and changelog and share out the work', async () => {
    const anyone = new kafkajs.Kafka({ brokers: [`127.0.0.1:${services.brokers[0]?.internalPort}`] });
    const admin = anyone.admin();
    await admin.connect();
    const { resources } = await admin.describeAcls({
      resourceType: kafkajs.AclResourceTypes.ANY,
      resourcePatternType: kafkajs.ResourcePatternTypes.ANY,
      operation: kafkajs.AclOperationTypes.READ,
      permissionType: kafkajs.AclPermissionTypes.ALLOW,
    });
    await admin.disconnect();
    const readers = resources.map(({ resourceName, acls }) => [
      resourceName,
      acls.map(({ principal }) => principal.replace('User:', '')).sort(),
    ]);
    expect(Object.fromEntries(readers)).toEqual({
      [topics.links]: ['counter', 'website'],
      [topics.visits]: ['counter'],
      [topics.changelog]: ['counter'],
      [topics['dead letters']]: ['counter'],
      'tallyhop-g1': ['counter'],
    });
  });

  it('refuses who has no certificate', async () => {
    const stranger = new kafkajs.Kafka({
      brokers: [...services.kafkaBrokers],
      ssl: { ca: pem('ca.pem') },
      logLevel: kafkajs.logLevel.NOTHING,
      retry: { retries: 0 },
    });
    await expect(stranger.admin().connect()).rejects.toThrow();
  });
});

describe('Redis with TLS and the shipped user', () => {
  let services: Services;
  const password = 'correct horse';
  let port: number;

  const connecting = () => ({
    tls: { ca: pem('ca.pem') },
    lazyConnect: true,
    enableReadyCheck: false,
    disableClientInfo: true,
    protocol: 2 as const,
  });

  async function user(): Promise<Redis> {
    const redis = new Redis({ port, username: 'tallyhop', password, ...connecting() });
    await redis.connect();
    return redis;
  }

  beforeAll(async () => {
    const file = (name: string) => join(certificates, name);
    services = await startOwnServices({
      brokers: 0,
      redisCommand: ['env', `REDIS_PASSWORD=${password}`, 'sh', join(deploy, 'redis/start.sh')],
      redisArguments: (listens) => {
        port = listens;
        const certificate = ['--tls-cert-file', file('redis.pem'), '--tls-key-file', file('redis.key')];
        const tls = ['--port', '0', '--tls-port', String(listens), '--tls-auth-clients', 'no'];
        return [...tls, ...certificate, '--tls-ca-cert-file', file('ca.pem')];
      },
    });
  });

  afterAll(() => services.stop());

  it('has the rights that the adapter asks for, and the adapter works with them', async () => {
    const [, user = ''] =
      /^user tallyhop on resetpass (.*)$/m.exec(readFileSync(join(deploy, 'redis/users.acl'), 'utf8')) ?? [];
    expect(user).toBe(redisRights().join(' '));

    const address = { url: `rediss://127.0.0.1:${port}`, username: 'tallyhop', password, ca: pem('ca.pem') };
    const means = { logger: createQuietLogger(), random: systemRandom };
    const keys = createRedisKeys();
    const heard: string[] = [];
    const subscriber = openRedisSubscriber({
      ...{ ...address, ...means, channel: keys.progressChannel },
      onMessage: (message) => heard.push(message),
      onListening: () => undefined,
    });
    const connection = openRedisConnection({ ...address, ...means });
    try {
      await eventually(() => connection.isReady() && subscriber.isListening(), 'Redis is ready');
      const position = formatPosition({ partition: 1, nextOffset: 7, streamTimeMs: 0, logId: 'log', generation: 'g' });
      const lists = [keys.position(1), keys.byVisits(1), keys.byLastVisit(1)];
      await connection.call('open', lists, ['log', position, keys.progressChannel]);
      expect(String(await connection.call('position', lists.slice(0, 1), []))).toBe(position);
      expect(await connection.call('begin_lists', lists, ['log', 'g', '-2', '7'])).toBe(1);
      await eventually(() => heard.includes(position), 'the position was told');
    } finally {
      connection.close();
      subscriber.close();
    }
  });

  it.each([
    ['FLUSHALL'],
    ['CONFIG', 'GET', '*'],
    ['KEYS', '*'],
    ['SCAN', '0'],
    ['EVAL', 'return 1', '0'],
    ['FUNCTION', 'FLUSH'],
    ['ACL', 'LIST'],
    ['GET', 'another:key'],
    ['PUBLISH', 'another', 'x'],
  ])('cannot %s', async (...words) => {
    const redis = await user();
    const [command = '', ...args] = words;
    await expect(redis.call(command, ...args)).rejects.toThrow(/^NOPERM/);
    redis.disconnect();
  });

  it('asks everybody for a password', async () => {
    const nobody = new Redis({ port, ...connecting() });
    await nobody.connect();
    await expect(nobody.call('AUTH', 'tallyhop', 'wrong')).rejects.toThrow(/^WRONGPASS/);
    await expect(nobody.get('tallyhop:{1}:text')).rejects.toThrow(/^NOAUTH/);
    nobody.disconnect();
  });
});
