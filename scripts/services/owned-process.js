/**
 * A process of ours that a test may kill, freeze and start again, and that never outlives the one who started it: a tiny
 * shell waits on a pipe, and when the pipe breaks it kills the process and removes its folder.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const guardScript = 'read -r _; kill -9 "$1" 2>/dev/null; [ -z "$3" ] || docker rm -f "$3"; rm -rf "$2"';
const pollMs = 50;
const politeStopMs = 30_000;

/**
 * @param {{ name: string, launch: { command: string, args: string[], env?: object, container?: string }, folder: string,
 *   logFile: string, ready: (logOfThisRun: string) => Promise<boolean>, readyTimeoutMs: number }} options
 *   `folder` is removed when we die without `stop`; `ready` is asked until it answers true; with a `container` the process is
 *   only the client that shows its output, and signals go to the container.
 */
export function createOwnedProcess({ name, launch, folder, logFile, ready, readyTimeoutMs }) {
  const { command, args, env = process.env, container } = launch;
  let child;

  const running = () => child !== undefined && child.exitCode === null && child.signalCode === null;

  /** Resolves when it is ready; throws with the end of its log when it exits or takes too long. */
  async function start() {
    if (running()) throw new Error(`${name} is running already`);
    const log = openSync(logFile, 'a');
    const logStart = statSync(logFile).size;
    const logOfThisRun = () => readFileSync(logFile).subarray(logStart).toString('utf8');
    const started = spawn(command, args, { env, stdio: ['ignore', log, log] });
    closeSync(log);
    child = started;
    let failure;
    started.once('error', (error) => {
      failure = error;
    });
    if (started.pid !== undefined) watchOver(started);

    const deadline = performance.now() + readyTimeoutMs;
    while (!(await ready(logOfThisRun()))) {
      const ended =
        failure?.message ?? (running() ? undefined : `it ended with ${started.exitCode ?? started.signalCode}`);
      const late = performance.now() > deadline ? `it was not ready after ${readyTimeoutMs} ms` : undefined;
      if (ended !== undefined || late !== undefined) {
        await kill('SIGKILL');
        throw new Error(`${name} did not start: ${ended ?? late}\n${logOfThisRun().split('\n').slice(-25).join('\n')}`);
      }
      await delay(pollMs);
    }
  }

  function watchOver(started) {
    const watching = spawn('sh', ['-c', guardScript, 'guard', String(started.pid), folder, container ?? ''], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    // Both must let a test run end; nobody waits for a guard.
    watching.unref();
    watching.stdin.unref?.();
    watching.stdin.on('error', () => undefined);
    started.once('exit', () => watching.kill('SIGKILL'));
    started.unref();
  }

  function send(target, signal) {
    if (container === undefined) target.kill(signal);
    else if (spawnSync('docker', ['kill', '--signal', signal, container]).status !== 0) target.kill('SIGKILL');
  }

  /**
   * Sends a signal by id. SIGSTOP and SIGCONT resolve at once; after any other it is gone when this resolves, frozen or
   * not, by SIGKILL if it takes too long. Without effect when it is gone already.
   */
  async function kill(signal = 'SIGKILL') {
    if (!running() || child.pid === undefined) return;
    const target = child;
    if (signal === 'SIGSTOP' || signal === 'SIGCONT') {
      send(target, signal);
      return;
    }
    const gone = once(target, 'exit');
    const timer = setTimeout(() => send(target, 'SIGKILL'), politeStopMs);
    target.ref();
    send(target, signal);
    if (signal !== 'SIGKILL') send(target, 'SIGCONT');
    await gone;
    clearTimeout(timer);
  }

  /** Ends it for good. */
  async function end() {
    await kill('SIGKILL');
    if (container !== undefined) spawnSync('docker', ['rm', '--force', container]);
  }

  return {
    get pid() {
      return running() ? child.pid : undefined;
    },
    start,
    kill,
    end,
  };
}
