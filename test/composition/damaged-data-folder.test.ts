import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningProgram, startProgram } from '../support/running-program.ts';

describe('a data folder that is not what was written', () => {
  let dataDir: string;
  let program: RunningProgram;
  let code: string;

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'tallyhop-damage-'));
    program = await startProgram({ dataDir, env: { DRAIN_MS: '0' } });
    ({ code } = await create());
  });

  afterEach(async () => {
    await program.dispose();
    await rm(dataDir, { recursive: true, force: true });
  });

  const create = async () => {
    const answer = await fetch(`${program.baseUrl}/api/links`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'the-same', connection: 'close' },
      body: JSON.stringify({ url: 'https://example.com/', unique: true }),
    });
    return (await answer.json()) as { readonly code: string };
  };

  /** Every question is a request, so the number of questions bounds the time. */
  const untilTotalIs = async (total: number) => {
    for (let asked = 0; asked < 2_000; asked++) {
      const answer = await fetch(`${program.baseUrl}/api/links/${code}/stats`, { headers: { connection: 'close' } });
      const statistics = (await answer.json()) as { readonly total?: number };
      if (statistics.total === total) return;
    }
    throw new Error(`the total was never ${total}`);
  };

  it('begins kept answers anew when their store is damaged, and still knows a repeated command', async () => {
    await program.stop();
    const stores = join(dataDir, 'stores');
    await writeFile(join(stores, 'answers', 'CURRENT'), 'nonsense');

    await program.restart();

    expect((await readdir(stores)).filter((name) => name.startsWith('answers.damaged-'))).toHaveLength(1);
    expect((await create()).code).toBe(code);
  });

  it('folds the numbers anew when their store is damaged, and says which error it was', async () => {
    await fetch(`${program.baseUrl}/${code}`, { redirect: 'manual', headers: { connection: 'close' } });
    await untilTotalIs(1);
    await program.stop();
    await writeFile(join(dataDir, 'stores', 'visit-statistics-0', 'CURRENT'), 'nonsense');

    await program.restart();

    await untilTotalIs(1);
    expect(program.output).toMatch(/"err":\{"type":"StoreDamaged".*the numbers are folded anew/);
  });

  it('refuses to start with stores but without the log, and says what to do', async () => {
    await program.stop();
    await rm(join(dataDir, 'log'), { recursive: true });

    const { status, stdout } = spawnSync(process.execPath, ['dist/main.js'], {
      env: { PATH: process.env['PATH'], PORT: String(program.port), DATA_DIR: dataDir },
      encoding: 'utf8',
      timeout: 20_000,
    });

    expect(status).toBe(1);
    expect(stdout).toContain('restore the log from a backup');
    expect(await readdir(dataDir)).not.toContain('log');
  });
});
