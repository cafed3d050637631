/**
 * The built program as its users run it: a process of its own on a free port and a folder of its own. Build first
 * (`npm test` does); a program that does not get ready fails with what it wrote.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export interface ProgramOptions {
  /** Settings on top of the defaults of a test: loopback, no limits on clients, warnings only. Undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** A folder that exists and stays; by default a temporary one that `dispose` removes. */
  readonly dataDir?: string;
  /** How long it may take to be ready. */
  readonly readyTimeoutMs?: number;
  /** Which probe tells that the first start is over. `/livez` for one that cannot be ready yet. Default `/readyz`. */
  readonly startedWhen?: '/readyz' | '/livez';
}

/** A start that came to its end. */
export interface ProgramRun extends ProgramExit {
  /** All that it wrote to both outputs. */
  readonly output: string;
}

export interface ProgramExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface RunningProgram {
  readonly baseUrl: string;
  readonly port: number;
  readonly dataDir: string;
  /** Of the process that runs now. */
  readonly pid: number;
  /** The last 64 KiB of what it wrote to both outputs, over all its starts. */
  readonly output: string;
  /** SIGTERM, then waits for the exit. Fails when the process had ended by itself. */
  stop(): Promise<ProgramExit>;
  /** SIGKILL, then waits until the process is gone. */
  kill9(): Promise<void>;
  /** Resolves when the process ends by itself. */
  exited(): Promise<ProgramExit>;
  /** Starts it again on the same port and folder, after a SIGTERM when it still runs. Settings given here stay. */
  restart(env?: Readonly<Record<string, string | undefined>>): Promise<void>;
  /** Ends the process if it runs and removes the folder if it is temporary. For `afterAll`. */
  dispose(): Promise<void>;
}

const root = fileURLToPath(new URL('../../', import.meta.url));
const entry = join(root, 'dist', 'main.js');
const outputMaxCharacters = 65_536;
const pollMs = 20;
const refusalTimeoutMs = 20_000;

/** Starts the program and resolves when `/readyz` (or another probe) answers 200. */
export async function startProgram(options: ProgramOptions = {}): Promise<RunningProgram> {
  if (!existsSync(entry)) throw new Error(`${entry} is missing: run \`npm run build\` first`);
  const port = await freePort();
  const isTemporary = options.dataDir === undefined;
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'tallyhop-')));
  const baseUrl = `http://127.0.0.1:${port}`;
  let settings: Readonly<Record<string, string | undefined>> = {
    HOST: '127.0.0.1',
    RATE_LIMIT: 'off',
    MISS_LIMIT: 'off',
    LOG_LEVEL: 'warn',
    ...options.env,
    PORT: String(port),
    DATA_DIR: dataDir,
  };
  let output = '';
  let child: ChildProcess;
  let exit: Promise<ProgramExit>;

  async function start(probe: string): Promise<void> {
    const started = spawnProgram(settings);
    const take = (text: Buffer) => {
      output = (output + text.toString()).slice(-outputMaxCharacters);
    };
    started.stdout?.on('data', take);
    started.stderr?.on('data', take);
    child = started;
    exit = once(started, 'exit').then(([code, signal]): ProgramExit => ({ code, signal }));
    await untilAnswered(probe);
  }

  async function untilAnswered(probe: string): Promise<void> {
    const deadline = performance.now() + (options.readyTimeoutMs ?? 15_000);
    while (performance.now() < deadline) {
      if (hasEnded(child)) throw new Error(`the program ended before it was ready:\n${output}`);
      try {
        const answer = await fetch(`${baseUrl}${probe}`, { headers: { connection: 'close' } });
        await answer.arrayBuffer();
        if (answer.status === 200) return;
      } catch {
        // It does not listen yet.
      }
      await delay(pollMs);
    }
    await kill9();
    throw new Error(`the program was not ready in time:\n${output}`);
  }

  async function kill9(): Promise<void> {
    child.kill('SIGKILL');
    await exit;
  }

  async function stop(): Promise<ProgramExit> {
    if (hasEnded(child)) throw new Error(`the program had ended by itself:\n${output}`);
    child.kill('SIGTERM');
    return exit;
  }

  await start(options.startedWhen ?? '/readyz').catch(async (error: unknown) => {
    if (isTemporary) await rm(dataDir, { recursive: true, force: true });
    throw error;
  });

  return {
    baseUrl,
    port,
    dataDir,
    get pid() {
      if (child.pid === undefined) throw new Error('the program has no process');
      return child.pid;
    },
    get output() {
      return output;
    },
    stop,
    kill9,
    exited: () => exit,
    async restart(env) {
      if (!hasEnded(child)) await stop();
      settings = { ...settings, ...env };
      await start('/readyz');
    },
    async dispose() {
      if (!hasEnded(child)) await kill9();
      if (isTemporary) await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/**
 * Starts the program where it should refuse, and resolves when it has ended. Fails, and ends it, when it goes on running.
 * Settings are those of {@link startProgram}; without a `dataDir` the folder is a temporary one.
 */
export async function runRefusedProgram(options: ProgramOptions = {}): Promise<ProgramRun> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'tallyhop-')));
  const port = String(await freePort());
  const child = spawnProgram({ HOST: '127.0.0.1', LOG_LEVEL: 'warn', PORT: port, DATA_DIR: dataDir, ...options.env });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (text: Buffer) => {
      output += text.toString();
    });
  }
  const timer = setTimeout(() => child.kill('SIGKILL'), refusalTimeoutMs);
  // Not `exit`: what it wrote last may still be in the pipes then.
  const [code, signal] = await once(child, 'close');
  clearTimeout(timer);
  if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
  if (signal === 'SIGKILL') throw new Error(`the program was expected to refuse, and went on running:\n${output}`);
  return { code, signal, output };
}

function spawnProgram(settings: Readonly<Record<string, string | undefined>>): ChildProcess {
  // Nothing of the developer's own settings reaches the program.
  const inherited = Object.fromEntries(
    ['PATH', 'HOME', 'TMPDIR', 'SystemRoot'].map((name) => [name, process.env[name]]),
  );
  return spawn(process.execPath, [entry], { cwd: root, env: { ...inherited, ...settings }, stdio: 'pipe' });
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}
