import { call, postForm, postJson, sendRaw, statusesIn } from '../support/http-client.ts';
import { type RunningProgram, startProgram } from '../support/running-program.ts';
import { type Traces, tracesOf } from '../support/traces.ts';

/** Requests that come by way of another site, under another name, or through a cache. */
describe('a request from elsewhere', () => {
  let program: RunningProgram;
  let before: Traces;
  beforeAll(async () => {
    program = await startProgram();
    const created = await postJson(program.port, '/api/links', { url: 'https://example.com/', alias: 'known' });
    expect(created.status).toBe(201);
  });
  afterAll(() => program.dispose());
  beforeEach(async () => {
    before = await tracesOf(program);
  });
  afterEach(async () => {
    expect(await tracesOf(program)).toEqual(before);
  });

  it.each([
    { Origin: 'https://evil.example' },
    { Origin: 'null' },
    { Origin: 'http://localhost' },
    { Origin: 'http://localhost.evil.example' },
    { Origin: 'file://' },
    { Origin: '' },
    { 'Sec-Fetch-Site': 'cross-site' },
    { 'Sec-Fetch-Site': 'same-site' },
    { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' },
  ])('S29 changes nothing with %j, neither through the form nor through the API', async (headers) => {
    const type = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const json = { 'Content-Type': 'application/json' };
    for (const attempt of [
      { method: 'POST', path: '/', headers: { ...type, ...headers }, body: 'url=https://planted.example/' },
      {
        method: 'POST',
        path: '/',
        headers: { 'Content-Type': 'text/plain', ...headers },
        body: 'url=https://planted.example/',
      },
      {
        method: 'POST',
        path: '/api/links',
        headers: { ...json, ...headers },
        body: '{"url":"https://planted.example/"}',
      },
      { method: 'PATCH', path: '/api/links/known', headers: { ...json, ...headers }, body: '{"note":"planted"}' },
      { method: 'DELETE', path: '/api/links/known', headers },
      { method: 'POST', path: '/api/links/known/restore', headers },
      { method: 'POST', path: '/api/links/known/rollback', headers: { ...json, ...headers }, body: '{"version":1}' },
    ]) {
      const answer = await call(program.port, attempt);
      expect([attempt.method, attempt.path, answer.status]).toEqual([attempt.method, attempt.path, 403]);
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    }
  });

  it.each([
    'evil.example',
    'localhost',
    'localhost:1',
    'localhost.evil.example',
    'evil.example:80',
    '127.0.0.1.nip.io',
    '0.0.0.0',
    '2130706433',
    'localhost@evil.example',
    '[::]',
    '..',
    'xn--lcalhost-v4a',
  ])('S29 is not served under the Host %s, as after DNS rebinding', async (host) => {
    const withPort = host.includes(':') || host === 'localhost' ? host : `${host}:${program.port}`;
    for (const path of [
      '/known',
      '/',
      '/links',
      '/api/links',
      '/api/links/known',
      '/stats/known',
      '/known+',
      '/assets/x.js',
    ]) {
      const answer = await call(program.port, { path, headers: { Host: withPort } });
      expect([path, answer.status]).toEqual([path, 421]);
      expect(answer.headers.location).toBeUndefined();
      expect(answer.text).not.toContain('evil.example');
    }
    const create = await postJson(program.port, '/api/links', { url: 'https://planted.example/' }, { Host: withPort });
    expect(create.status).toBe(421);
  });

  it('S29 is not served by an absolute target of another host either', async () => {
    for (const target of ['http://evil.example/known', 'http://evil.example/api/links', 'https://evil.example:443/']) {
      const received = await sendRaw(
        program.port,
        `GET ${target} HTTP/1.1\r\nHost: localhost:${program.port}\r\nConnection: close\r\n\r\n`,
      );
      expect(statusesIn(received)).toHaveLength(1);
      expect(statusesIn(received)[0]).toBeGreaterThanOrEqual(400);
      expect(statusesIn(received)[0]).toBeLessThan(500);
      expect(received).not.toMatch(/^location:/im);
    }
  });

  it('S29 may frame no page and read no answer', async () => {
    for (const path of ['/', '/links', '/stats/known', '/known+', '/nothere', '/api/links', '/api/docs']) {
      const answer = await call(program.port, {
        path,
        headers: { Accept: 'text/html', Origin: 'https://evil.example' },
      });
      expect(answer.headers['content-security-policy']).toContain("frame-ancestors 'none'");
      expect(answer.headers['x-frame-options']).toBe('DENY');
      expect(answer.headers['cross-origin-resource-policy']).toBe('same-origin');
      expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
  });

  const poison = {
    'X-Forwarded-Host': 'evil.example',
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Port': '444',
    'X-Forwarded-Prefix': '/evil',
    'X-Forwarded-Server': 'evil.example',
    'X-Original-URL': '/evil',
    'X-Rewrite-URL': '/evil',
    'X-Host': 'evil.example',
    Forwarded: 'for=1.2.3.4;host=evil.example;proto=https',
  };

  it('S30 builds no address out of forwarded headers, in pages and answers alike', async () => {
    for (const path of [
      '/',
      '/links',
      '/links/known',
      '/stats/known',
      '/known+',
      '/nothere',
      '/api/links',
      '/api/links/known',
      '/api/links/nothere',
      '/api/openapi.json',
      '/api/links/known/qr.svg',
    ]) {
      const answer = await call(program.port, { path, headers: { Accept: 'text/html', ...poison } });
      expect(answer.text).not.toContain('evil');
      expect(JSON.stringify(answer.headers)).not.toContain('evil');
    }
    const plain = await call(program.port, { path: '/api/links/known' });
    const forged = await call(program.port, { path: '/api/links/known', headers: poison });
    expect(forged.text).toBe(plain.text);
    expect((JSON.parse(forged.text) as { shortUrl: string }).shortUrl).toBe(`http://localhost:${program.port}/known`);
  });

  it('S30 lets no cache keep a redirect, a refusal or a number', async () => {
    const redirect = await call(program.port, { method: 'HEAD', path: '/known' });
    expect(redirect.status).toBe(302);
    expect(redirect.headers['cache-control']).toBe('private, no-store');
    for (const path of [
      '/nothere',
      '/nothere+',
      '/stats/nothere',
      '/api/links/nothere',
      '/api/nothere',
      '/x/y/z',
      '/%zz',
    ]) {
      for (const accept of ['text/html', 'application/json', '*/*', 'nonsense', '']) {
        const answer = await call(program.port, { path, headers: { Accept: accept } });
        expect([path, accept, answer.status < 500]).toEqual([path, accept, true]);
        expect([path, answer.headers['cache-control']]).toEqual([path, 'no-store']);
      }
    }
    for (const path of ['/api/links', '/api/links/known', '/api/links/known/stats', '/api/tags', '/api/aliases/free']) {
      expect((await call(program.port, { path })).headers['cache-control']).toBe('no-store');
    }
    for (const path of ['/', '/links', '/stats/known', '/links/known', '/known+']) {
      const { headers } = await call(program.port, { path, headers: { Accept: 'text/html' } });
      expect([path, headers['cache-control']]).toEqual([path, expect.stringMatching(/no-store|no-cache/)]);
    }
  });

  it('S30 tells caches by Vary that pages and JSON stand under one address', async () => {
    for (const path of ['/known+', '/nothere']) {
      const html = await call(program.port, { path, headers: { Accept: 'text/html' } });
      const json = await call(program.port, { path, headers: { Accept: 'application/json' } });
      expect(html.headers['content-type']).toMatch(/html/);
      expect(json.headers['content-type']).toMatch(/json/);
      for (const { headers } of [html, json]) {
        const kept = headers['cache-control'] !== 'no-store' && !/no-store/.test(headers['cache-control'] ?? '');
        if (kept) expect(headers.vary).toMatch(/accept/i);
      }
    }
  });

  it.each([
    '//evil.example',
    '//evil.example/%2f..',
    '/%2f%2fevil.example',
    '/\\evil.example',
    '/%5cevil.example',
    '/https://evil.example',
    '/links?next=https://evil.example',
    '/?url=https://evil.example&redirect=https://evil.example&return_to=//evil.example',
    '/stats/known?back=https://evil.example',
    '/links/known?new=https://evil.example',
    '/known+?url=https://evil.example',
    '/links//evil.example',
    '/stats//evil.example/',
    '/api/docs//evil.example',
    '/.evil.example',
    '/@evil.example',
    '/;@evil.example',
    '/%09//evil.example',
    '/links/known/..//evil.example',
    '/api/links?cursor=https://evil.example',
  ])('S31 sends nobody elsewhere from %s', async (path) => {
    for (const method of ['GET', 'HEAD']) {
      const received = await sendRaw(
        program.port,
        `${method} ${path} HTTP/1.1\r\nHost: localhost:${program.port}\r\nAccept: text/html\r\nConnection: close\r\n\r\n`,
      );
      expect(statusesIn(received)).toHaveLength(1);
      expect(received).not.toMatch(/^(?:location|refresh):.*evil/im);
    }
  });
});

describe('where the form leads (S31)', () => {
  it('S31 is the page of the new link on our own host, whatever is sent along', async () => {
    const program = await startProgram();
    const fields = {
      url: 'https://example.com/target',
      next: 'https://evil.example/',
      redirect: '//evil.example/',
      return_to: 'https://evil.example/',
    };
    const answer = await postForm(program.port, fields);
    expect(answer.status).toBe(303);
    expect(answer.headers.location).toMatch(/^\/links\/[A-Za-z0-9_-]+\?new=created$/);
    expect(answer.text).not.toContain('evil');
    await program.dispose();
  });
});
