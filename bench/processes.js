/** Servers under measurement as processes of their own: start, CPU time, resident memory, end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const readyTimeoutMs = 300_000;

/** What `npm start` gives to Node. */
const startArguments = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  .scripts.start.split(' ')
  .slice(1);

/** Starts the built program on a free port and resolves when it is ready. Ends with {@link end}. */
export async function startProgram(dataDir, settings = {}) {
  const port = await freePort();
  const program = spawnProgram(dataDir, port, settings);
  try {
    await until(async () => (await statusOf(port, '/readyz')) === 200, program);
  } catch (error) {
    await end(program, 'SIGKILL');
    throw error;
  }
  return program;
}

/** Starts the built program without waiting for anything. */
export function spawnProgram(dataDir, port, settings = {}) {
  const env = {
    ...{ PATH: process.env.PATH, HOME: process.env.HOME, HOST: '127.0.0.1', LOG_LEVEL: 'warn' },
    ...{ RATE_LIMIT: 'off', MISS_LIMIT: 'off', TRUSTED_PROXIES: '1', DRAIN_MS: '0', ...settings },
    ...{ PORT: String(port), DATA_DIR: dataDir },
  };
  return serverOf(spawn(process.execPath, startArguments, { cwd: root, env, stdio: 'inherit' }), port);
}

/** Starts a server to compare with (see bare-server.js) and resolves when it listens. */
export async function startBareServer(kind, targetsFile) {
  const port = await freePort();
  const arguments_ = ['bench/bare-server.js', kind, String(port), targetsFile];
  const child = spawn(process.execPath, arguments_, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  const server = serverOf(child, port);
  await Promise.race([
    once(child.stdout, 'data'),
    server.exited.then(() => Promise.reject(new Error(`${kind} ended`))),
  ]);
  return server;
}

function serverOf(child, port) {
  return { child, pid: child.pid, port, exited: once(child, 'exit') };
}

/** Ends a server and waits until it is gone. */
export async function end(server, signal = 'SIGTERM') {
  server.child.kill(signal);
  await server.exited;
}

/** CPU time in µs of the threads of a process that live and that `isWanted` takes. The kernel counts it in ns. */
export function threadsCpuUs(pid, isWanted = () => true) {
  let cpuNs = 0;
  for (const name of readdirSync(`/proc/${pid}/task`)) {
    if (isWanted(Number(name)))
      cpuNs += Number(readFileSync(`/proc/${pid}/task/${name}/schedstat`, 'utf8').split(' ')[0]);
  }
  return cpuNs / 1_000;
}

/** Resident memory of a process in bytes: now, the most that it ever was, and what of it is not a page of a mapped file. */
export function residentBytes(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const bytes = (name) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)[1]) * 1_024;
  return { now: bytes('VmRSS'), peak: bytes('VmHWM'), anonymous: bytes('RssAnon') };
}

/** Waits for a condition, asked every few ms; fails when the server ends or five minutes pass. */
export async function until(condition, server, pollMs = 10) {
  const deadline = performance.now() + readyTimeoutMs;
  while (!(await condition())) {
    if (server.child.exitCode !== null || server.child.signalCode !== null)
      throw new Error('the program ended by itself');
    if (performance.now() > deadline) throw new Error(`waited ${readyTimeoutMs} ms in vain`);
    await delay(pollMs);
  }
}

/** Status of a GET over a connection of its own, or null when there was no answer. */
export function statusOf(port, path) {
  return new Promise((resolve) => {
    const request = http.get({ host: '127.0.0.1', port, path, agent: false, headers: browserHeaders }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode));
      answer.on('error', () => resolve(null));
    });
    request.on('error', () => resolve(null));
  });
}

export const browserHeaders = {
  'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
};

export async function freePort() {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
