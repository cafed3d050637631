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
  }, 120_000);

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
  let port: number;

  const connecting = () => ({
    tls: { ca: pem('ca.pem') },
    lazyConnect: true,
    enableReadyCheck: false,
    disableClientInfo: true,
    protocol: 2 as const,
  });

  async function user(): Promise<Redis> {
    const redis = new Redis({ port, username: 'tallyhop', password: 'correct horse', ...connecting() });
    await redis.connect();
    return redis;
  }

  beforeAll(async () => {
    const file = (name: string) => join(certificates, name);
    services = await startOwnServices({
      brokers: 0,
      redisCommand: ['env', 'REDIS_PASSWORD=correct horse', 'sh', join(deploy, 'redis/start.sh')],
      redisArguments: (listens) => {
        port = listens;
        const certificate = ['--tls-cert-file', file('redis.pem'), '--tls-key-file', file('redis.key')];
        const tls = ['--port', '0', '--tls-port', String(listens), '--tls-auth-clients', 'no'];
        return [...tls, ...certificate, '--tls-ca-cert-file', file('ca.pem')];
      },
    });
  });

  afterAll(() => services.stop());

  it('can call functions on its own keys and channels', async () => {
    const redis = await user();
    const library = `#!lua name=tallyhop_try
      redis.register_function('tallyhop_try', function(keys, args)
        redis.call('HSET', keys[1], 'a', args[1])
        redis.call('ZADD', keys[2], 'GT', 1, args[1])
        redis.call('SET', keys[3], args[1], 'EX', 60)
        redis.call('EXPIRE', keys[1], 60)
        redis.call('PUBLISH', 'tallyhop:progress', args[1])
        return redis.call('HMGET', keys[1], 'a')
      end)`;
    await redis.call('FUNCTION', 'LOAD', 'REPLACE', library);
    const keys = ['tallyhop:{1}:row', 'tallyhop:{1}:list', 'tallyhop:{1}:text'];
    expect(await redis.call('FCALL', 'tallyhop_try', '3', ...keys, 'value')).toEqual(['value']);
    await redis.subscribe('tallyhop:progress');
    redis.disconnect();
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
