import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { call, postJson } from '../support/http-client.ts';
import { type RunningProgram, startProgram } from '../support/running-program.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

describe('what the program tells of itself', () => {
  let program: RunningProgram;
  beforeAll(async () => {
    // NODE_ENV is not set: the framework's own error page, with its stack, would be the default.
    program = await startProgram();
    expect((await postJson(program.port, '/api/links', { url: 'https://example.com/', alias: 'known' })).status).toBe(
      201,
    );
  });
  afterAll(() => program.dispose());

  const form = 'application/x-www-form-urlencoded';
  it.each([
    { path: '/%zz' },
    { path: '/%' },
    { path: '/links/%ff' },
    { path: '/stats/%c0%af' },
    { path: '/assets/%zz' },
    { path: '/api/links/%zz' },
    { path: '/api/docs/%zz' },
    { path: '/links?cursor=%zz&q=%ff' },
    { path: '/stats/known?from=%zz&to=9999999-99-99&zone=Mars/Phobos' },
    { path: '/api/links/known/stats?from=9999999-99-99&timezone=Mars/Phobos' },
    { path: '/api/links/known/stats?asOf=ffffffff.9999-zzzzzzzzzzz' },
    { path: '/api/links?cursor=AAAA' },
    { path: '/known+', headers: { Accept: '%zz;q=x' } },
    { path: '/known+', headers: { 'Accept-Language': ';;;,,,=q' } },
    { path: '/', headers: { Cookie: 'lang=%zz; theme=%ff; zone=%00; =;;;' } },
    { path: '/', method: 'POST', headers: { 'Content-Type': form }, body: '%zz=%zz&%ff' },
    { path: '/', method: 'POST', headers: { 'Content-Type': `${form}; charset=klingon` }, body: 'url=x' },
    { path: '/', method: 'POST', headers: { 'Content-Type': form, 'Content-Encoding': 'gzip' }, body: 'no gzip' },
    { path: '/api/links', method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"url":' },
    { path: '/api/links/known', method: 'PATCH', headers: { 'If-Match': 'nonsense' }, body: '{}' },
    { path: '/api/stream', headers: { 'Last-Event-ID': '\x7f'.repeat(3).replace(/./g, 'z') }, method: 'DELETE' },
  ])('S40 is no stack, no path and no name of software in the answer for $path', async (attempt) => {
    const answer = await call(program.port, { headers: { Accept: 'text/html' }, ...attempt });
    expect(answer.status).toBeLessThan(500);
    expect(answer.text).not.toMatch(/node_modules|\.(?:js|ts):\d+|\bat .*\(|Error:|URIError|SyntaxError|express/i);
    expect(answer.text).not.toContain(root);
    expect(answer.headers['x-powered-by']).toBeUndefined();
    expect(answer.headers.server).toBeUndefined();
    expect(program.output).toBe('');
  });

  it('S40 is no secret in health, metrics or documents, and files of secrets are for its user alone', async () => {
    const secret = readFileSync(join(program.dataDir, 'code-secret'), 'utf8').trim();
    for (const path of ['/livez', '/readyz', '/metrics', '/api/openapi.json', '/', '/robots.txt']) {
      const answer = await call(program.port, { path });
      expect(answer.status).toBe(200);
      expect(answer.text).not.toContain(secret);
      expect(answer.text).not.toContain(program.dataDir);
    }
    if (process.platform !== 'win32') {
      for (const name of ['code-secret', 'visitor-salt.json']) {
        expect(statSync(join(program.dataDir, name)).mode & 0o077).toBe(0);
      }
    }
  });

  it.each([
    { CODE_SECRET: 'changeme' },
    { BASE_URL: 'https://user:hunter22secret@example.com' },
    { TRUSTED_PROXIES: 'true' },
  ])('S40 is the wrong setting by name and never a secret, instead of a start with %j', async (env) => {
    const name = Object.keys(env)[0] ?? '';
    const error = await startProgram({ env }).then(
      async (started) => {
        await started.dispose();
        return new Error('it started');
      },
      (reason: Error) => reason,
    );
    expect(error.message).toContain(`${name} is`);
    expect(error.message).not.toMatch(/hunter22secret|changeme/);
  });
});

describe('what is installed (S41)', () => {
  interface Locked {
    readonly integrity?: string;
    readonly resolved?: string;
    readonly link?: boolean;
    readonly hasInstallScript?: boolean;
  }
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, Locked>>;
  };
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    readonly allowScripts: Readonly<Record<string, boolean>>;
  };
  const packages = Object.entries(lock.packages).filter(([path]) => path !== '');

  it('S41 is locked with a strong checksum, each package, and from nowhere but the registry', () => {
    expect(packages.length).toBeGreaterThan(100);
    for (const [path, { integrity, resolved, link }] of packages) {
      expect([path, integrity]).toEqual([path, expect.stringMatching(/^sha512-/)]);
      expect([path, link]).toEqual([path, undefined]);
      if (resolved !== undefined) expect(resolved).toMatch(/^https:/);
    }
  });

  it('S41 runs no install script: each package that has one is named as not allowed', () => {
    const scripted = packages
      .filter(([, { hasInstallScript }]) => hasInstallScript)
      .map(([path]) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length));
    for (const name of scripted) expect([name, manifest.allowScripts[name]]).toEqual([name, false]);
  });
});

/** The limit on the size of files can be lowered and raised for a running process on Linux alone. */
const onLinux = process.platform === 'linux' ? describe : describe.skip;

onLinux('a disk that takes no more (S42)', () => {
  let program: RunningProgram;
  beforeAll(async () => {
    program = await startProgram();
  });
  afterAll(() => program.dispose());

  it('S42 fails creations and redirects closed, with when to come back, and all goes on by itself once there is room', async () => {
    const { port } = program;
    const limitFiles = (bytes: string) =>
      execFileSync('prlimit', ['--pid', String(program.pid), `--fsize=${bytes}:unlimited`]);
    const totalOf = async () => {
      const answer = await call(port, { path: '/api/links/known' });
      return answer.status === 200
        ? (JSON.parse(answer.text) as { visits: { total: number } }).visits.total
        : answer.status;
    };
    expect((await postJson(port, '/api/links', { url: 'https://example.com/', alias: 'known' })).status).toBe(201);
    let redirected = 0;
    for (; redirected < 3; redirected++) expect((await call(port, { path: '/known' })).status).toBe(302);

    limitFiles('100');
    for (let times = 0; times < 5; times++) {
      for (const answer of [
        await postJson(port, '/api/links', { url: `https://example.com/${times}` }),
        await call(port, { path: '/known' }),
      ]) {
        expect(answer.status).toBe(503);
        expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
        expect(answer.text).not.toMatch(/EFBIG|File too large|\.log/);
      }
    }
    expect((await call(port, { method: 'HEAD', path: '/known' })).status).toBe(302);
    expect((await call(port, { path: '/livez' })).status).toBe(200);

    limitFiles('unlimited');
    const deadline = performance.now() + 15_000;
    while ((await call(port, { path: '/known' })).status !== 302) expect(performance.now()).toBeLessThan(deadline);
    redirected += 1;
    expect((await postJson(port, '/api/links', { url: 'https://example.com/after' })).status).toBe(201);
    const countsAll = async () => {
      while ((await totalOf()) !== redirected) expect(performance.now()).toBeLessThan(deadline);
    };
    await countsAll();
    expect((await program.stop()).code).toBe(0);
    await program.restart();
    await countsAll();
    expect(JSON.parse((await call(port, { path: '/readyz' })).text)).toMatchObject({ status: 'ok' });
  });
});
