/** The script that gives tests and benches their Kafka and Redis: what they rely on. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createConnection } from 'node:net';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import kafkajs from 'kafkajs';
import { eventually } from './support/program-client.ts';
import { type Services, sharedServices, startOwnServices, topicPrefix } from './support/services.ts';

const script = fileURLToPath(new URL('../scripts/services.js', import.meta.url));

function isAlive(pid: number | undefined): boolean {
  try {
    return pid !== undefined && process.kill(pid, 0);
  } catch {
    return false;
  }
}

const kafkaAt = (brokers: readonly string[]) =>
  new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING });

async function endOffset(brokers: readonly string[], topic: string): Promise<string | undefined> {
  const admin = kafkaAt(brokers).admin();
  await admin.connect();
  try {
    return (await admin.fetchTopicOffsets(topic))[0]?.high;
  } finally {
    await admin.disconnect();
  }
}

async function send(brokers: readonly string[], topic: string): Promise<void> {
  const producer = kafkaAt(brokers).producer();
  await producer.connect();
  await producer.send({ topic, acks: -1, messages: [{ partition: 0, key: 'a', value: 'b' }] });
  await producer.disconnect();
}

/** Runs the script and reads `NAME=value` lines until there are `lines` of them. */
async function startScript(
  lines: number,
  ...args: string[]
): Promise<{ child: ChildProcess; told: Map<string, string> }> {
  const child = spawn(process.execPath, [script, 'start', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const told = new Map<string, string>();
  for await (const line of createInterface({ input: child.stdout })) {
    const [name = '', value = ''] = line.split('=');
    told.set(name, value);
    if (told.size === lines) break;
  }
  return { child, told };
}

const accepts = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = createConnection(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

describe('services of a test', () => {
  let services: Services;

  beforeAll(async () => {
    services = await startOwnServices();
  }, 120_000);

  afterAll(() => services.stop());

  it('keep their ports and data when one is killed and started again', async () => {
    const [broker] = services.brokers;
    const { redis, kafkaBrokers, redisUrl } = services;
    const topic = `${topicPrefix()}kept`;
    const admin = kafkaAt(kafkaBrokers).admin();
    await admin.connect();
    expect((await admin.describeCluster()).brokers.map(({ nodeId }) => nodeId)).toEqual([1]);
    await admin.createTopics({ topics: [{ topic }] });
    await admin.disconnect();
    await send(kafkaBrokers, topic);
    const client = new Redis(redisUrl);
    await client.set('key', 'value');
    client.disconnect();

    await Promise.all([broker?.kill('SIGKILL'), redis?.kill('SIGKILL')]);
    expect([broker?.pid, redis?.pid]).toEqual([undefined, undefined]);
    await Promise.all([broker?.restart(), redis?.restart()]);

    expect(await endOffset(kafkaBrokers, topic)).toBe('1');
    const again = new Redis(redisUrl);
    expect(await again.get('key')).toBe('value');
    await redis?.restart({ empty: true });
    expect(await again.get('key')).toBeNull();
    again.disconnect();
  }, 120_000);

  it('end a frozen process and leave neither a process nor a folder', async () => {
    const own = await startOwnServices({ brokers: 0 });
    const pid = own.redis?.pid;
    const folder = dirname(own.redis?.folder ?? '');
    expect([isAlive(pid), existsSync(folder)]).toEqual([true, true]);
    await own.redis?.kill('SIGSTOP');
    await own.stop();
    expect([isAlive(pid), existsSync(folder)]).toEqual([false, false]);
  });
});

describe('services of a run', () => {
  it('are one pair for all test files', async () => {
    const [first, second] = await Promise.all([sharedServices(), sharedServices()]);
    expect(second).toEqual(first);
    const redis = new Redis(first.redisUrl);
    expect(await redis.ping()).toBe('PONG');
    redis.disconnect();
    const admin = kafkaAt(first.kafkaBrokers).admin();
    await admin.connect();
    expect((await admin.describeCluster()).brokers.length).toBeGreaterThan(0);
    await admin.disconnect();
  }, 120_000);
});

describe('the script', () => {
  it('tells where they are, and ends them when it is asked to', async () => {
    const { child, told } = await startScript(2);
    const addresses = [told.get('KAFKA_BROKERS'), told.get('REDIS_URL')];
    const ports = addresses.map((address) => Number(address?.split(':').at(-1)));
    expect(addresses).toEqual([`127.0.0.1:${ports[0]}`, `redis://127.0.0.1:${ports[1]}`]);
    expect(await Promise.all(ports.map(accepts))).toEqual([true, true]);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(await Promise.all(ports.map(accepts))).toEqual([false, false]);
  }, 120_000);

  it('leaves nothing running when it is killed itself', async () => {
    const { child, told } = await startScript(1, '--brokers=0');
    const port = Number(told.get('REDIS_URL')?.split(':').at(-1));
    expect(await accepts(port)).toBe(true);
    child.kill('SIGKILL');
    await eventually('Redis has ended', async () => ((await accepts(port)) ? undefined : true));
  });

  it('takes services that are there already', () => {
    const env = { ...process.env, KAFKA_BROKERS: '127.0.0.1:9092', REDIS_URL: 'redis://127.0.0.1:6379' };
    expect(spawnSync(process.execPath, [script, 'install'], { env: { ...env, PATH: '' } }).status).toBe(0);
  });

  it('says the four ways to get them where there is none', () => {
    const { status, stderr } = spawnSync(process.execPath, [script, 'install'], {
      env: { PATH: '' },
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    for (const way of [
      '1. Set KAFKA_BROKERS',
      '2. Install a JDK',
      '3. Be root on Debian',
      '4. Start a Docker engine',
    ]) {
      expect(stderr).toContain(way);
    }
  });
});
