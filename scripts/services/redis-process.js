/** redis-server as a process of the machine, on 127.0.0.1. A write is in its file before it is answered, so `kill -9` keeps it. */
import { mkdirSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { createOwnedProcess } from './owned-process.js';

const readyTimeoutMs = 20_000;

/**
 * @param {{ launch: (service: string, startScript: string) => object, command: string[], port: number, folder: string, args: string[] }} options
 *   `args` win over ours.
 */
export function createRedisProcess({ launch, command, port, folder, args }) {
  const own = join(folder, 'redis');
  const settings = [
    ...['--port', String(port), '--bind', '127.0.0.1', '--dir', own],
    ...['--save', '', '--appendonly', 'yes', '--appendfsync', 'no', ...args],
  ];
  const process = createOwnedProcess({
    name: 'Redis',
    launch: launch('redis', `exec ${[...command, ...settings].map(quoted).join(' ')}`),
    folder,
    logFile: join(folder, 'redis.log'),
    readyTimeoutMs,
    ready: (log) => (log.includes('Ready to accept connections') ? redisAnswers(port) : Promise.resolve(false)),
  });

  return {
    port,
    folder: own,
    get pid() {
      return process.pid;
    },
    start: async () => {
      mkdirSync(own, { recursive: true });
      await process.start();
    },
    kill: process.kill,
    end: process.end,
    restart: async ({ empty = false } = {}) => {
      await process.kill('SIGTERM');
      if (empty) rmSync(own, { recursive: true, force: true });
      mkdirSync(own, { recursive: true });
      await process.start();
    },
  };
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** True for any reply to PING but LOADING: a server that asks for a password or speaks TLS has started, too. */
function redisAnswers(port) {
  return new Promise((answered) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    const end = (value) => {
      socket.destroy();
      answered(value);
    };
    socket.setTimeout(1_000, () => end(false));
    socket.once('error', ({ code }) => end(code !== 'ECONNREFUSED'));
    socket.once('close', () => end(true));
    socket.once('data', (reply) => end(!reply.toString('latin1').startsWith('-LOADING')));
    socket.write('PING\r\n');
  });
}
