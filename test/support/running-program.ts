/** The built program as a process of its own, on a free port and a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const readyTimeoutMs = 20_000;

export interface RunningProgram {
  readonly baseUrl: string;
  readonly dataDir: string;
  /** What the program has printed so far. */
  output(): string;
  /** Asks it to end, and waits until it has. Resolves with the exit code. */
  stop(): Promise<number | null>;
  /** Ends it without warning, and waits until it is gone. The data stays. */
  kill9(): Promise<void>;
  /** Starts it again on the same port and data, after it ended. */
  restart(): Promise<void>;
  /** Ends it if it runs, and removes its data. */
  dispose(): Promise<void>;
}

/** Starts the program and waits until it is ready. Throws with its output when it does not get there. */
export async function startProgram(env: Readonly<Record<string, string>> = {}): Promise<RunningProgram> {
  if (!existsSync(main)) throw new Error(`${main} is missing: run npm run build`);
  const port = await freePort();
  const dataDir = mkdtempSync(join(tmpdir(), 'tallyhop-'));
  const baseUrl = `http://localhost:${port}`;
  let printed = '';
  let child: ChildProcess;

  const start = async () => {
    child = spawn(process.execPath, [main], {
      env: {
        PATH: process.env['PATH'] ?? '',
        PORT: String(port),
        DATA_DIR: dataDir,
        RATE_LIMIT: 'off',
        MISS_LIMIT: 'off',
        LOG_LEVEL: 'warn',
        DRAIN_MS: '0',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout?.on('data', (bytes) => {
      printed += bytes;
    });
    child.stderr?.on('data', (bytes) => {
      printed += bytes;
    });
    const deadline = Date.now() + readyTimeoutMs;
    while (!(await isReady(baseUrl))) {
      if (child.exitCode !== null) throw new Error(`the program ended with ${child.exitCode}:\n${printed}`);
      if (Date.now() > deadline) throw new Error(`the program is not ready after ${readyTimeoutMs} ms:\n${printed}`);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  };
  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill(signal);
    return ended;
  };

  await start();
  return {
    baseUrl,
    dataDir,
    output: () => printed,
    stop: () => end('SIGTERM'),
    kill9: async () => void (await end('SIGKILL')),
    restart: start,
    dispose: async () => {
      await end('SIGKILL');
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function isReady(baseUrl: string): Promise<boolean> {
  try {
    return (await fetch(`${baseUrl}/readyz`)).status === 200;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
