/**
 * A full disk: known links answer 503 rather than an uncounted redirect, nothing that was answered is lost, and all goes on
 * by itself when there is room again. The disk is a small tmpfs where this user may mount one, and in any case a limit on
 * the size of the program's files.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { removeFolder, temporaryDataFolder } from '../support/data-folder.ts';
import { createProgramClient, eventually } from '../support/program-client.ts';
import { type RunningProgram, startProgram } from '../support/running-program.ts';

jest.setTimeout(90_000);

interface Disk {
  readonly fill: (program: RunningProgram) => void;
  readonly free: (program: RunningProgram) => void;
}

const fileLimit: Disk = {
  fill: ({ pid }) => run('prlimit', '--pid', String(pid), '--fsize=0:unlimited'),
  free: ({ pid }) => run('prlimit', '--pid', String(pid), '--fsize=unlimited:unlimited'),
};

const smallDisk: Disk = {
  fill({ dataDir }) {
    const file = openSync(join(dataDir, 'filler'), 'w');
    try {
      // The last pages too: a write of one byte takes a page.
      for (const bytes of [1024 * 1024, 4096, 1]) {
        const chunk = Buffer.alloc(bytes);
        try {
          for (;;) if (writeSync(file, chunk) < bytes) break;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        }
      }
    } finally {
      closeSync(file);
    }
  },
  free: ({ dataDir }) => rmSync(join(dataDir, 'filler')),
};

describe('a full disk', () => {
  let folder: string;
  let program: RunningProgram | undefined;
  let mounted = false;

  beforeEach(async () => {
    folder = await temporaryDataFolder();
  });
  afterEach(async () => {
    await program?.dispose();
    if (mounted) run('umount', folder);
    mounted = false;
    await removeFolder(folder);
  });

  it.each([
    { name: 'by a limit on its files', disk: fileLimit },
    { name: 'by a small file system', disk: smallDisk },
  ])('answers 503, loses nothing, counts nothing twice, and is over when there is room ($name)', async ({ disk }) => {
    if (disk === smallDisk) {
      mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', folder]).status === 0;
      if (!mounted) {
        process.stdout.write('full disk: not tried on a small file system, which only root may mount\n');
        return;
      }
    }
    program = await startProgram({ dataDir: folder, env: { DRAIN_MS: '0' } });
    const user = createProgramClient(program);
    const { code } = await user.create({ url: 'https://example.org/kept' });
    const limited = await user.create({ url: 'https://example.org/limited', maxVisits: 3 });
    let redirects = 0;
    const follow = async () => {
      const answer = await user.follow(code);
      if (answer.status === 302) redirects += 1;
      return answer;
    };
    for (let visit = 0; visit < 20; visit += 1) await follow();
    expect(redirects).toBe(20);
    expect((await user.follow(limited.code)).status).toBe(302);
    await user.statisticsAt(code, 20);

    disk.fill(program);
    const refused = await eventually('visits are refused', async () => {
      const answer = await follow();
      return answer.status === 302 ? undefined : answer;
    });
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
    for (let visit = 0; visit < 20; visit += 1) expect([302, 503]).toContain((await follow()).status);
    for (let visit = 0; visit < 5; visit += 1) expect((await user.follow(limited.code)).status).toBe(503);
    const targets = new Map<string, string>();
    const create = async (number: number) => {
      const url = `https://example.org/created/${number}`;
      const answer = await user.api<{ code: string }>('POST', '/api/links', { url });
      if (answer.status < 300) targets.set(answer.body.code, url);
      return answer;
    };
    // There may be room for one more in the last page.
    let number = 0;
    const creation = await eventually('creations are refused', async () => {
      const answer = await create(number++);
      return answer.status < 300 ? undefined : answer;
    });
    expect(creation.status).toBe(503);
    expect(creation.headers.get('retry-after')).toMatch(/^\d+$/);
    // What needs no writing goes on.
    expect(await user.follow(code, { method: 'HEAD' })).toMatchObject({ location: 'https://example.org/kept' });
    expect((await user.api('GET', '/livez')).status).toBe(200);
    expect((await user.api('GET', '/readyz')).status).toBe(200);

    disk.free(program);
    await eventually('visits are taken again', async () => ((await follow()).status === 302 ? true : undefined));
    for (let visit = 0; visit < 10; visit += 1) expect((await follow()).status).toBe(302);
    await user.statisticsAt(code, redirects, 20_000);
    await eventually('links are created again', async () => ((await create(number++)).status < 300 ? true : undefined));
    // Three in its whole life: one before, two now.
    const rest = await Promise.all(Array.from({ length: 10 }, () => user.follow(limited.code)));
    expect(rest.filter(({ status }) => status === 302)).toHaveLength(2);

    await program.kill9();
    await program.restart();
    await user.caughtUp();
    expect((await user.statistics(code)).total).toBe(redirects);
    expect((await user.statistics(limited.code)).total).toBe(3);
    for (const [created, url] of targets) expect((await user.follow(created)).location).toBe(url);
    expect(await program.stop()).toEqual({ code: 0, signal: null });
  });

  it('while numbers are being committed neither loses nor repeats any of them', async () => {
    program = await startProgram({ dataDir: folder, env: { DRAIN_MS: '0' } });
    const user = createProgramClient(program);
    const { code } = await user.create({ url: 'https://example.org/again' });
    let redirects = 0;
    for (let round = 0; round < 8; round += 1) {
      const full = Array.from({ length: 30 }, () => user.follow(code));
      fileLimit.fill(program);
      for (const { status } of await Promise.all(full)) if (status === 302) redirects += 1;
      await eventually('visits are refused', async () => ((await user.follow(code)).status === 503 ? true : undefined));
      fileLimit.free(program);
      await eventually('visits are taken again', async () => {
        if ((await user.follow(code)).status !== 302) return undefined;
        redirects += 1;
        return true;
      });
    }
    await user.statisticsAt(code, redirects, 20_000);
    expect(await user.expectApi(200, 'GET', '/readyz')).toMatchObject({ checks: { links: 'ok', statistics: 'ok' } });
    await program.restart();
    await user.statisticsAt(code, redirects);
  });

  it('at the start is said, and the start works when there is room', async () => {
    program = await startProgram({ dataDir: folder, env: { DRAIN_MS: '0' } });
    const user = createProgramClient(program);
    const { code } = await user.create({ url: 'https://example.org/start' });
    for (let visit = 0; visit < 5; visit += 1) await user.follow(code);
    fileLimit.fill(program);
    // A stop with a full disk still ends, and what was answered is in the log.
    expect(await program.stop()).toEqual({ code: 0, signal: null });
    await program.restart();
    await user.statisticsAt(code, 5);
  });
});

function run(command: string, ...args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} (Linux; Debian: util-linux): ${error ?? stderr}`);
}
