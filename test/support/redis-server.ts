/**
 * A Redis server of a test's own on a free port of the loopback, without persistence unless told otherwise. Fails with how to
 * get it when `redis-server` is not on the machine.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';

export interface RedisServer {
  readonly port: number;
  readonly url: string;
  /** A plain client for what a stranger or an operator would do; connected. */
  readonly client: Redis;
  /** SIGKILL, and a new process on the same port, with nothing but what the arguments let it keep. */
  restart(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  start(): Promise<void>;
  signal(name: 'SIGSTOP' | 'SIGCONT'): void;
  /** For `afterAll`. */
  dispose(): Promise<void>;
}

const readyTimeoutMs = 10_000;

export async function startRedisServer(args: readonly string[] = []): Promise<RedisServer> {
  const port = await freePort();
  const client = new Redis({
    port,
    host: '127.0.0.1',
    lazyConnect: true,
    retryStrategy: () => 20,
    maxRetriesPerRequest: null,
  });
  client.on('error', () => undefined);
  let child: ChildProcess | null = null;
  let output = '';

  async function start(): Promise<void> {
    output = '';
    const common = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    const started = spawn('redis-server', [...common, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    child = started;
    started.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()));
    started.stderr.on('data', (bytes: Buffer) => (output += bytes.toString()));
    let failure: Error | null = null;
    started.on('error', (error) => {
      failure = new Error('Tests need redis-server (Debian: apt-get install redis-server).', { cause: error });
    });
    for (let waitedMs = 0; !output.includes('Ready to accept connections'); waitedMs += 10) {
      if (failure !== null) throw failure;
      if (started.exitCode !== null || waitedMs > readyTimeoutMs)
        throw new Error(`redis-server did not start: ${output}`);
      await delay(10);
    }
  }

  async function kill(): Promise<void> {
    const killed = child;
    child = null;
    if (killed === null || killed.exitCode !== null || killed.signalCode !== null) return;
    const exit = once(killed, 'exit');
    killed.kill('SIGKILL');
    await exit;
  }

  await start();
  await client.connect();
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    client,
    start,
    kill,
    async restart() {
      await kill();
      await start();
    },
    signal: (name) => void child?.kill(name),
    async dispose() {
      client.disconnect();
      await kill();
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
