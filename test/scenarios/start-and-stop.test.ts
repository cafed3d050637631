/** Start, stop and refusal to start: nothing answered is lost by a stop, and whatever keeps a start from being right is said in words. */
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createProgramClient, eventually } from '../support/program-client.ts';
import { type RunningProgram, runRefusedProgram, startProgram } from '../support/running-program.ts';
import { createVisitors, sumOf } from '../support/visitors.ts';

describe('a stop', () => {
  let program: RunningProgram;
  let user: ReturnType<typeof createProgramClient>;

  beforeEach(async () => {
    program = await startProgram({ env: { DRAIN_MS: '600' } });
    user = createProgramClient(program);
  });
  afterEach(() => program.dispose());

  it.each([
    { leaves: true, name: 'whose clients leave when readiness is off' },
    { leaves: false, name: 'whose clients know of no readiness' },
  ])('under a load $name answers on, ends in time with 0, and counts every redirect', async ({ leaves }) => {
    const codes = await Promise.all(
      Array.from({ length: 5 }, async (_, index) => (await user.create({ url: `https://example.org/${index}` })).code),
    );
    let visits = 0;
    const visitorsAtOnce = 16;
    const visitors = createVisitors({
      port: program.port,
      visitors: visitorsAtOnce,
      nextCode: () => codes[visits++ % codes.length] ?? null,
    });
    const live = user.liveTotals(codes[0] ?? '');
    await live.next();
    visitors.resume();
    await visitors.reached(500);

    const stoppedMs = performance.now();
    const stop = program.stop();
    const whileDraining = await eventually('readiness is off', async () => {
      const answer = await user.api<{ checks: { server: string } }>('GET', '/readyz');
      return answer.status === 503 ? answer : undefined;
    });
    expect(whileDraining.body.checks.server).toMatch(/draining/);
    expect((await user.api('GET', '/livez')).status).toBe(200);
    if (leaves) await visitors.pause();
    expect(await stop).toEqual({ code: 0, signal: null });
    expect(performance.now() - stoppedMs).toBeLessThan(4_000);
    await visitors.pause();
    await live.return(undefined);

    // Who still knocks at the moment when the door is shut may get no answer, once; afterwards nobody is there.
    expect(sumOf(visitors.unknown)).toBeLessThanOrEqual(leaves ? 0 : visitorsAtOnce);
    expect([...visitors.refused]).toEqual([]);
    await program.restart();
    for (const code of codes) {
      const answered = visitors.answered.get(code) ?? 0;
      const { total } = await user.statistics(code);
      expect(total).toBeGreaterThanOrEqual(answered);
      expect(total).toBeLessThanOrEqual(answered + (visitors.unknown.get(code) ?? 0));
    }
  });

  it('does not wait for a connection that a browser opened and never used', async () => {
    const unused = connect(program.port, '127.0.0.1');
    await once(unused, 'connect');
    const stoppedMs = performance.now();
    expect(await program.stop()).toEqual({ code: 0, signal: null });
    expect(performance.now() - stoppedMs).toBeLessThan(3_000);
    unused.destroy();
  });

  it('asked for twice goes without the waiting, loses nothing and exits with 0', async () => {
    await program.restart({ DRAIN_MS: '8000' });
    const { code } = await user.create({ url: 'https://example.org/twice' });
    for (let visit = 0; visit < 10; visit += 1) await user.follow(code);
    const stoppedMs = performance.now();
    process.kill(program.pid, 'SIGTERM');
    await eventually('it drains', async () => ((await user.api('GET', '/readyz')).status === 503 ? true : undefined));
    process.kill(program.pid, 'SIGTERM');
    expect(await program.exited()).toEqual({ code: 0, signal: null });
    expect(performance.now() - stoppedMs).toBeLessThan(4_000);
    await program.restart();
    await user.statisticsAt(code, 10);
  });

  it('by SIGINT, as from a keyboard, is the same', async () => {
    const { code } = await user.create({ url: 'https://example.org/keyboard' });
    await user.follow(code);
    process.kill(program.pid, 'SIGINT');
    expect(await program.exited()).toEqual({ code: 0, signal: null });
    await program.restart();
    await user.statisticsAt(code, 1);
  });
});

describe('a start', () => {
  let dataDir: string;

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'tallyhop-'));
  });
  afterEach(() => rm(dataDir, { recursive: true, force: true }));

  it('on a folder that another process uses is refused, and takes place after kill -9 of the other', async () => {
    const first = await startProgram({ dataDir });
    try {
      const { code } = await createProgramClient(first).create({ url: 'https://example.org/lock' });
      const refused = await runRefusedProgram({ dataDir });
      expect(refused.code).toBe(1);
      expect(refused.output).toContain(`is in use by process ${first.pid}`);
      expect(refused.output).toContain(dataDir);
      expect((await createProgramClient(first).follow(code)).status).toBe(302);

      await first.kill9();
      const second = await startProgram({ dataDir });
      try {
        expect((await createProgramClient(second).follow(code)).status).toBe(302);
      } finally {
        await second.dispose();
      }
    } finally {
      await first.dispose();
    }
  });

  it.each([
    ['PORT', '70000'],
    ['PORT', 'http'],
    ['PARTITIONS', '0'],
    ['BASE_URL', 'go.example.org'],
    ['CODE_SECRET', 'secret'],
    ['RATE_LIMIT', 'none'],
    ['VISIT_FSYNC', 'sometimes'],
    ['TRUSTED_PROXIES', 'true'],
    ['KAFKA_BROKERS', 'localhost'],
    ['SHUTDOWN_TIMEOUT_MS', '1000'],
  ])('with %s=%s is refused by the name of the setting', async (name, value) => {
    const refused = await runRefusedProgram({ dataDir, env: { [name]: value } });
    expect(refused.code).toBe(1);
    expect(refused.output).toMatch(new RegExp(`\\b${name} is .*; it must be `));
    expect(refused.output).not.toMatch(/\n\s+at /);
  });

  it('names every wrong setting at once', async () => {
    const refused = await runRefusedProgram({ dataDir, env: { PORT: 'x', LOG_LEVEL: 'loud' } });
    expect(refused.output).toMatch(/PORT is[\s\S]*LOG_LEVEL is/);
  });

  it('with another number of partitions than the folder was made with says so, and changes nothing', async () => {
    const program = await startProgram({ dataDir });
    const { code } = await createProgramClient(program).create({ url: 'https://example.org/partitions' });
    await program.stop();
    const refused = await runRefusedProgram({ dataDir, env: { PARTITIONS: '4' } });
    expect(refused.code).toBe(1);
    expect(refused.output).toMatch(/partitions \[0\], but 4 were asked for/);
    await program.restart();
    expect((await createProgramClient(program).follow(code)).status).toBe(302);
    await program.dispose();
  });

  it('with a kept secret that is damaged says which file, and what to do', async () => {
    const secret = join(dataDir, 'code-secret');
    await writeFile(secret, 'half a sec', { mode: 0o600 });
    const refused = await runRefusedProgram({ dataDir });
    expect(refused.code).toBe(1);
    expect(refused.output).toMatch(/code-secret is damaged; restore it from a backup/);
    expect(await readFile(secret, 'utf8')).toBe('half a sec');
  });

  it('on a port that is taken, or with a file where the folder should be, says what is wrong', async () => {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const taken = await runRefusedProgram({ dataDir, env: { PORT: String(port) } });
    server.close();
    expect(taken.code).toBe(1);
    expect(taken.output).toMatch(new RegExp(`EADDRINUSE.*${port}`));

    const file = join(dataDir, 'a-file');
    await writeFile(file, 'something else');
    const refused = await runRefusedProgram({ dataDir: file });
    expect(refused.code).toBe(1);
    expect(refused.output).toContain(file);
    expect(await readFile(file, 'utf8')).toBe('something else');
  });

  it('works with several partitions, which agree with one another over a restart', async () => {
    const program = await startProgram({ dataDir, env: { PARTITIONS: '4' } });
    const user = createProgramClient(program);
    const codes: string[] = [];
    for (let index = 0; index < 12; index += 1) {
      const { code } = await user.create({ url: `https://example.org/${index}` });
      codes.push(code);
      for (let visit = 0; visit <= index; visit += 1) await user.follow(code);
    }
    for (const [index, code] of codes.entries()) await user.statisticsAt(code, index + 1);
    await program.kill9();
    await program.restart();
    for (const [index, code] of codes.entries()) await user.statisticsAt(code, index + 1);
    const { links } = await user.list();
    expect(links.reduce((sum, link) => sum + link.visits.total, 0)).toBe(78);
    await program.dispose();
  });
});
