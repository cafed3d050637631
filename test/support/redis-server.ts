/** A Redis server of a test's own, with a plain client beside it, which keeps nothing but what `SAVE` kept. */
import { createServer } from 'node:net';
import { Redis } from 'ioredis';
import { startOwnServices } from './services.ts';

export interface RedisServer {
  readonly port: number;
  readonly url: string;
  /** A plain client for what a stranger or an operator would do. Reconnects by itself. */
  readonly client: Redis;
  /** SIGKILL, and a new process on the same port. */
  restart(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  start(): Promise<void>;
  signal(name: 'SIGSTOP' | 'SIGCONT'): Promise<void>;
  /** For `afterAll`. */
  dispose(): Promise<void>;
}

export async function startRedisServer(): Promise<RedisServer> {
  const services = await startOwnServices({ brokers: 0, redisArguments: () => ['--appendonly', 'no'] });
  const { redis } = services;
  if (redis === undefined) throw new Error('a Redis of its own was not started');
  const client = new Redis({
    port: redis.port,
    host: '127.0.0.1',
    lazyConnect: true,
    retryStrategy: () => 20,
    maxRetriesPerRequest: null,
  });
  client.on('error', () => undefined);
  await client.connect();
  return {
    port: redis.port,
    url: `redis://127.0.0.1:${redis.port}`,
    client,
    start: () => redis.restart(),
    kill: () => redis.kill(),
    async restart() {
      await redis.kill();
      await redis.restart();
    },
    signal: (name) => redis.kill(name),
    async dispose() {
      client.disconnect();
      await services.stop();
    },
  };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
