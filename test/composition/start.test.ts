/** The first moments of the built program: redirects come first, and a stop that comes at once is clean. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type RunningProgram, startProgram } from '../support/running-program.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

describe('the program that was just started', () => {
  let program: RunningProgram;
  let child: ChildProcess | undefined;

  beforeAll(async () => {
    program = await startProgram();
  });

  afterAll(async () => {
    child?.kill('SIGKILL');
    await program.dispose();
  });

  /** Starts it without waiting for anything. */
  function spawnProgram(): ChildProcess {
    const { PATH } = process.env;
    const settings = { HOST: '127.0.0.1', PORT: String(program.port), DATA_DIR: program.dataDir, DRAIN_MS: '0' };
    return spawn(process.execPath, ['dist/main.js'], { cwd: root, env: { PATH, ...settings }, stdio: 'ignore' });
  }

  async function statusOf(path: string): Promise<number | null> {
    try {
      const answer = await fetch(`${program.baseUrl}${path}`, { redirect: 'manual', headers: { connection: 'close' } });
      await answer.arrayBuffer();
      return answer.status;
    } catch {
      return null;
    }
  }

  it('ends with 0 when it is stopped right after its first redirect, which is counted', async () => {
    const created = await fetch(`${program.baseUrl}/api/links`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ url: 'https://example.com/first' }),
    });
    const { code } = (await created.json()) as { code: string };
    expect(await program.stop()).toEqual({ code: 0, signal: null });

    child = spawnProgram();
    const exit = once(child, 'exit');
    let redirects = 0;
    while (redirects === 0) {
      if (child.exitCode !== null) throw new Error('the program ended by itself');
      if ((await statusOf(`/${code}`)) === 302) redirects += 1;
    }
    child.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);

    await program.restart();
    const answer = await fetch(`${program.baseUrl}/api/links/${code}`);
    const { visits } = (await answer.json()) as { visits: { total: number } };
    expect(visits.total).toBe(redirects);
  });
});
