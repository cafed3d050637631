import { setTimeout as delay } from 'node:timers/promises';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { call, openSocket, postForm, postJson, receivedBy, sendRaw, statusesIn } from '../support/http-client.ts';
import { type RunningProgram, startProgram } from '../support/running-program.ts';
import { type Traces, tracesOf } from '../support/traces.ts';
import { eitherWay, mustAccept, mustAcceptText, mustReject } from './json-corpus.ts';

/** Requests that the whole program cannot read or will not take: a clear 4xx, and nothing of them is kept. */
describe('a request that is refused', () => {
  let program: RunningProgram;
  let before: Traces;
  beforeAll(async () => {
    program = await startProgram();
    expect((await postJson(program.port, '/api/links', { url: 'https://example.com/', alias: 'known' })).status).toBe(
      201,
    );
  });
  afterAll(() => program.dispose());
  beforeEach(async () => {
    before = await tracesOf(program);
  });
  afterEach(async () => {
    expect(await tracesOf(program)).toEqual(before);
    expect(program.output).toBe('');
  });

  const json = { 'Content-Type': 'application/json' };
  const create = (body: string | Buffer, headers: Readonly<Record<string, string>> = json) =>
    call(program.port, { method: 'POST', path: '/api/links', headers, body });
  const host = () => `Host: localhost:${program.port}\r\n`;

  describe('S11 oversize', () => {
    it.each([65_537, 100_000, 1_000_000])('answers 413 to a JSON body of %i bytes', async (bytes) => {
      const body = JSON.stringify({ url: 'https://example.com/', note: '' });
      const answer = await create(body.replace('""', `"${'x'.repeat(bytes - body.length)}"`));
      expect(answer.status).toBe(413);
      expect(answer.headers['content-type']).toBe('application/problem+json');
    });

    it.each([10_000_000, 1e15])(
      'answers 413 to an announced body of %d bytes without waiting for it',
      async (bytes) => {
        const socket = await openSocket(program.port);
        const received = receivedBy(socket);
        socket.write(
          `POST /api/links HTTP/1.1\r\n${host()}Content-Type: application/json\r\nContent-Length: ${bytes}\r\n\r\n{"url":"`,
        );
        expect(statusesIn(await received)).toEqual([413]);
      },
    );

    it('answers 413 to chunks without end', async () => {
      const socket = await openSocket(program.port);
      const received = receivedBy(socket);
      socket.write(
        `POST /api/links HTTP/1.1\r\n${host()}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
      );
      const chunk = `10000\r\n${'['.repeat(65_536)}\r\n`;
      socket.on('error', () => {});
      for (let sent = 0; sent < 40 && socket.writable; sent++) socket.write(chunk);
      expect(statusesIn(await received)).toEqual([413]);
    });

    it.each(['/api/links', '/'])('answers 413 at %s to a client that reads only when it has sent all', async (path) => {
      const socket = await openSocket(program.port);
      const received = receivedBy(socket);
      socket.pause();
      const type = path === '/' ? 'application/x-www-form-urlencoded' : 'application/json';
      socket.write(
        `POST ${path} HTTP/1.1\r\n${host()}Content-Type: ${type}\r\nContent-Length: 4000000\r\nConnection: close\r\n\r\n`,
      );
      for (let sent = 0; sent < 40; sent++) {
        socket.write('['.repeat(100_000));
        await delay(10);
      }
      socket.resume();
      expect(statusesIn(await received)).toEqual([413]);
    });

    it('answers 431 to a client that reads only when it has sent all', async () => {
      const socket = await openSocket(program.port);
      const received = receivedBy(socket);
      socket.pause();
      socket.write(`GET /known HTTP/1.1\r\n${host()}`);
      for (let sent = 0; sent < 40; sent++) {
        socket.write(`X-${sent}: ${'x'.repeat(5_000)}\r\n`);
        await delay(10);
      }
      socket.resume();
      expect(statusesIn(await received)).toEqual([431]);
    });

    it('cuts a client off that goes on sending long after its answer', async () => {
      const socket = await openSocket(program.port);
      let text = '';
      socket.setEncoding('latin1').on('data', (chunk: string) => {
        text += chunk;
      });
      socket.on('error', () => undefined);
      socket.write(`GET /known HTTP/1.1\r\n${host()}X-Anything: ${'x'.repeat(20_000)}\r\n`);
      const sending = setInterval(() => socket.write('x'), 50);
      await new Promise<void>((resolve) => {
        socket.once('close', () => resolve());
      });
      clearInterval(sending);
      expect(statusesIn(text)).toEqual([431]);
    });

    it.each([
      ['a URL of 2,049 characters', { url: `https://example.com/${'a'.repeat(2_029)}` }],
      ['a URL that is too long once encoded', { url: `https://example.com/${'ü'.repeat(400)}` }],
      ['a URL of 60,000 characters', { url: `https://example.com/${'a'.repeat(60_000)}` }],
      ['an alias of 65 characters', { url: 'https://example.com/', alias: 'a'.repeat(65) }],
      ['an alias of 60,000 characters', { url: 'https://example.com/', alias: 'a'.repeat(60_000) }],
      ['a note of 1,001 characters', { url: 'https://example.com/', note: 'n'.repeat(1_001) }],
      ['a tag of 51 characters', { url: 'https://example.com/', tags: ['t'.repeat(51)] }],
      ['21 tags', { url: 'https://example.com/', tags: Array.from({ length: 21 }, (_, index) => `t${index}`) }],
      ['8,000 tags', { url: 'https://example.com/', tags: Array.from({ length: 8_000 }, (_, index) => `${index}`) }],
      ['5,000 members', Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`m${index}`, 1]))],
    ])('refuses %s by name, shortly', async (_name, body) => {
      const answer = await postJson(program.port, '/api/links', body);
      expect(answer.status).toBe(422);
      expect(answer.text.length).toBeLessThan(8_000);
    });

    it.each(['url', 'alias', 'note', 'tags', 'expiresAt', 'maxVisits', 'key'])(
      'answers 413 to a form whose %s is too large, with a page',
      async (name) => {
        const answer = await postForm(program.port, { url: 'https://example.com/', [name]: 'x'.repeat(70_000) });
        expect(answer.status).toBe(413);
        expect(answer.headers['content-type']).toBe('text/html; charset=utf-8');
      },
    );

    it('answers 413 to a form with more than fifty fields', async () => {
      const fields = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`f${index}`, '1']));
      expect((await postForm(program.port, fields)).status).toBe(413);
    });

    it.each([
      ['/known?', 'x', 9_000],
      ['/api/links?q=', 'x', 9_000],
      ['/links?q=', 'x', 9_000],
      ['/stats/known?from=', 'x', 9_000],
      ['/', 'a', 9_000],
      ['/', '/', 9_000],
      ['/api/links/', '%61', 3_000],
    ])('answers 414 or 404 to %s followed by much', async (path, character, times) => {
      const answer = await call(program.port, { path: `${path}${character.repeat(times)}`, method: 'HEAD' });
      // The redirect itself looks at no query: it is a HEAD here, which is no visit.
      expect([302, 404, 414]).toContain(answer.status);
      if (path !== '/known?') expect(answer.status).not.toBe(302);
    });

    it.each(['Referer', 'User-Agent', 'X-Anything', 'Cookie', 'Accept-Language', 'X-Forwarded-For', 'Idempotency-Key'])(
      'answers 431 to a %s of 20 KB and closes',
      async (name) => {
        const received = await sendRaw(
          program.port,
          `GET /known HTTP/1.1\r\n${host()}${name}: ${'x'.repeat(20_000)}\r\n\r\n`,
        );
        expect(statusesIn(received)).toEqual([431]);
      },
    );

    it.each([
      // In between lies what Node's versions take as headers in different ways.
      [500, 200],
      [4_000, 431],
    ])('answers %i short headers with %i', async (count, status) => {
      const many = Array.from({ length: count }, (_, index) => `X-${index}: 1\r\n`).join('');
      const request = `GET /api/tags HTTP/1.1\r\n${host()}Connection: close\r\n${many}\r\n`;
      expect(statusesIn(await sendRaw(program.port, request))).toEqual([status]);
    });
  });

  describe('S12 hostile JSON', () => {
    it('answers 400 to everything that is not JSON', async () => {
      const wrong: string[] = [];
      for (const [name, body] of mustReject) {
        const answer = await create(body);
        if (answer.status !== 400) wrong.push(`${name}: ${answer.status}`);
      }
      expect(mustReject.length).toBeGreaterThan(100);
      expect(wrong).toEqual([]);
    });

    it('answers 400 to all of it in a change, a roll-back and a restore as well', async () => {
      const wrong: string[] = [];
      for (const [name, body] of mustReject) {
        if (body.length === 0) continue;
        for (const [method, path] of [
          ['PATCH', '/api/links/known'],
          ['POST', '/api/links/known/rollback'],
          ['POST', '/api/links/known/restore'],
        ] as const) {
          const answer = await call(program.port, { method, path, headers: json, body });
          if (answer.status !== 400) wrong.push(`${method} ${path} ${name}: ${answer.status}`);
        }
      }
      expect(wrong).toEqual([]);
    });

    it('refuses by name what is JSON but no text where a text belongs', async () => {
      const wrong: string[] = [];
      for (const value of mustAccept) {
        const answer = await create(`{"url":${value},"note":${value}}`);
        const named = answer.text.includes('"field":"url"') && answer.text.includes('"field":"note"');
        if (answer.status !== 422 || !named) wrong.push(`${value}: ${answer.status}`);
      }
      expect(wrong).toEqual([]);
    });

    it('answers 4xx to what parsers disagree on', async () => {
      for (const value of eitherWay) {
        const answer = await create(`{"url":"https://example.com/","note":${value}}`);
        expect([value, answer.status]).toEqual([value, 422]);
      }
    });

    it('takes the last of repeated members, as every reader of the log will', async () => {
      const answer = await create('{"url":"https://example.com/","url":"javascript:alert(1)"}');
      expect(answer.status).toBe(422);
      const escaped = await create('{"url":"https://example.com/","\\u0075rl":"javascript:alert(1)"}');
      expect(escaped.status).toBe(422);
    });

    const wrongTypes = [
      '1',
      'true',
      '[]',
      '{}',
      '"x"',
      '[null]',
      '[[]]',
      '{"$gt":""}',
      '{"length":1e9}',
      '-1',
      '1.5',
      '1e99',
    ];
    it.each(['alias', 'expiresAt', 'maxVisits', 'tags', 'unique'])(
      'refuses %s of every wrong type by name',
      async (name) => {
        for (const value of wrongTypes) {
          const right = { unique: ['true'], maxVisits: ['1'], tags: ['[]'] }[name] ?? [];
          if (right.includes(value)) continue;
          if (name === 'alias' && value === '"x"') continue;
          const answer = await create(`{"url":"https://example.com/","${name}":${value}}`);
          expect([name, value, answer.status]).toEqual([name, value, 422]);
          expect(JSON.parse(answer.text).errors).toMatchObject([{ field: name }]);
        }
      },
    );
  });

  describe('S13 content types and encodings', () => {
    const body = '{"url":"https://example.com/new"}';

    it.each([
      'text/plain',
      'text/json',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/xml',
      'application/jsonp',
      'application/json+xml',
      'application/problem+json',
      'application/merge-patch+json',
      'application/json; charset=utf-16',
      'application/json; charset=utf-7',
      'application/json; charset=iso-8859-1',
      'application/json; boundary=x',
      'application/json, application/xml',
      'application/json\u00a0',
      'application',
      '/',
      ';',
      '*/*',
    ])('answers 415 to %s', async (type) => {
      expect((await create(body, { 'Content-Type': type })).status).toBe(415);
    });

    it('answers 415 to a body of no type', async () => {
      expect((await create(body, {})).status).toBe(415);
    });

    it.each([
      ['gzip', gzipSync(body)],
      ['deflate', deflateSync(body)],
      ['br', brotliCompressSync(body)],
      ['gzip, gzip', gzipSync(gzipSync(body))],
      ['identity, gzip', gzipSync(body)],
      ['x-unknown', Buffer.from(body)],
      ['', Buffer.from(body)],
    ])('answers 415 to JSON in the encoding %j', async (encoding, bytes) => {
      expect((await create(bytes, { ...json, 'Content-Encoding': encoding })).status).toBe(415);
    });

    it.each(['gzip', 'br', 'deflate'])(
      'inflates no bomb in %s, neither for the API nor for the form',
      async (encoding) => {
        const inflated = Buffer.alloc(10_000_000, 'a');
        const bomb =
          encoding === 'gzip'
            ? gzipSync(inflated)
            : encoding === 'br'
              ? brotliCompressSync(inflated)
              : deflateSync(inflated);
        const api = await create(bomb.subarray(0, 60_000), { ...json, 'Content-Encoding': encoding });
        const form = await call(program.port, {
          method: 'POST',
          path: '/',
          headers: { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Encoding': encoding },
          body: bomb.subarray(0, 60_000),
        });
        expect(api.status).toBe(415);
        expect(form.status).toBe(415);
      },
    );

    it.each([
      ['application/json', '{"url":"https://example.com/form"}'],
      ['text/plain', 'url=https://example.com/form'],
      [
        'multipart/form-data; boundary=x',
        '--x\r\nContent-Disposition: form-data; name="url"\r\n\r\nhttps://example.com/form\r\n--x--\r\n',
      ],
      ['application/x-www-form-urlencoded; charset=utf-16', 'url=https://example.com/form'],
      ['application/x-www-form-urlencoded; charset=utf-7', 'url=https://example.com/form'],
    ])('makes no link of a form in %s', async (type, text) => {
      const answer = await call(program.port, {
        method: 'POST',
        path: '/',
        headers: { 'Content-Type': type },
        body: text,
      });
      expect([415, 422]).toContain(answer.status);
    });
  });

  describe('S14 repeated and unknown parameters', () => {
    it.each([
      'url=https://example.com/a&url=https://example.com/b',
      'url[]=https://example.com/a',
      'url[x]=https://example.com/a',
      'url%5B%5D=https://example.com/a',
      'URL=https://example.com/a',
      'url',
      'url=',
      '=https://example.com/a',
      '&&&&',
      'url=https://example.com/a&alias=one&alias=two&url=https://example.com/a',
      'url=%zz',
      'url=%ff%fe',
      '__proto__[url]=https://example.com/a',
      '__proto__.url=https://example.com/a',
      'constructor[prototype][url]=https://example.com/a',
      'hasOwnProperty=1',
    ])('makes no link of the form %s', async (body) => {
      const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
      const answer = await call(program.port, { method: 'POST', path: '/', headers, body });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
      expect(({} as Record<string, unknown>)['url']).toBeUndefined();
    });

    it.each([
      '/api/links?limit=1&limit=2',
      '/api/links?url[]=x',
      '/api/links?unknown=1',
      '/api/links/known/stats?from=2026-01-01&from=2026-01-02',
      '/api/links/known/stats?interval[]=day',
      '/api/links/known/history?limit=1&limit=1',
      '/api/links/known/qr.png?size=64&size=1024',
      '/api/stats?url=https://example.com/&url=https://example.org/',
      '/api/stream?codes=known&codes=known',
      '/api/links?limit=1;limit=2',
    ])('answers 422 to %s', async (path) => {
      const answer = await call(program.port, { path });
      expect(answer.status).toBe(422);
      expect(JSON.parse(answer.text).errors).toHaveLength(1);
    });
  });

  describe('S15 names of the prototype', () => {
    const names = [
      '__proto__',
      'constructor',
      'prototype',
      'toString',
      'hasOwnProperty',
      'valueOf',
      '__defineGetter__',
    ];

    it.each(names)('finds nothing called %s', async (name) => {
      for (const path of [
        `/${name}`,
        `/${name}+`,
        `/links/${name}`,
        `/stats/${name}`,
        `/api/links/${name}`,
        `/api/links/${name}/stats`,
        `/api/links/${name}/history`,
        `/api/problems/${name}`,
        `/api/docs/${name}`,
        `/api/stream?codes=${name}`,
        `/${name}/${name}`,
      ]) {
        const { status } = await call(program.port, { path });
        expect([path, status]).toEqual([path, 404]);
      }
    });

    it.each(names)('refuses the member %s at any depth, and stays unpolluted', async (name) => {
      for (const body of [
        `{"url":"https://example.com/p","${name}":{"polluted":true}}`,
        `{"${name}":{"url":"https://example.com/p"}}`,
        `{"url":{"${name}":{"polluted":true}}}`,
        `{"url":"https://example.com/p","tags":{"${name}":1}}`,
      ]) {
        expect((await create(body)).status).toBe(422);
      }
      for (const query of [`${name}=1`, `${name}[x]=1`, `sort=${name}`, `status=${name}`]) {
        expect((await call(program.port, { path: `/api/links?${query}` })).status).toBe(422);
      }
      for (const parameter of ['range', 'interval', 'zone', 'lang', 'theme', 'sort', 'status']) {
        for (const page of ['/links', '/stats/known', '/']) {
          expect((await call(program.port, { path: `${page}?${parameter}=${name}` })).status).toBeLessThan(500);
        }
      }
    });
  });

  describe('S16 paths', () => {
    it.each([
      '/%6bnown',
      '/kno%77n',
      '/known%2f',
      '/known%00',
      '/known%20',
      '/known.',
      '/known;x',
      '/known//',
      '//known',
      '/./known',
      '/x/../known',
      '/%2e/known',
      '/KNOWN',
      '/known%C0%AF',
      '/known%E2%80%8B',
      '/known\\',
      '/..%2fknown',
      '/api/..%2fknown',
      '/..',
      '/../../../../etc/passwd',
      '/%2e%2e/%2e%2e/etc/passwd',
      '/.env',
      '/.git/config',
      '/public/style.css/../../package.json',
      '/assets/..%2f..%2fpackage.json',
      '/assets/%2e%2e/%2e%2e/package.json',
      '/api/docs/..%2f..%2f..%2fpackage.json',
      '/api/docs/%2e%2e%5cpackage.json',
      '/dist/main.js',
      '/node_modules/express/package.json',
      '/code-secret',
      '/data/code-secret',
    ])('answers 4xx to %s, never with a redirect or a file', async (path) => {
      const received = await sendRaw(program.port, `GET ${path} HTTP/1.1\r\n${host()}Connection: close\r\n\r\n`);
      const [status] = statusesIn(received);
      expect([400, 404]).toContain(status);
      expect(received).not.toMatch(/^location:/im);
      expect(received).not.toMatch(/root:|tallyhop"|"dependencies"/);
    });

    it.each([
      'api',
      'API',
      'links',
      'Links',
      'stats',
      'assets',
      'livez',
      'READYZ',
      'metrics',
      'docs',
      'admin',
      'login',
      'static',
      'qr',
      'health',
      'new',
    ])('lets no alias shadow the route %s', async (alias) => {
      const answer = await postJson(program.port, '/api/links', { url: 'https://example.com/x', alias });
      expect(answer.status).toBe(422);
      expect(JSON.parse(answer.text).errors).toMatchObject([{ field: 'alias' }]);
    });

    it.each([
      'a b',
      'a/b',
      '../x',
      'a.b',
      'a+',
      'ä',
      'a%2fb',
      'a\u0000b',
      'a\nb',
      '',
      'ab',
      '{a}',
      '*',
      'a:b',
      'аlias',
      '\u202eabc',
    ])('takes no alias outside its alphabet: %j', async (alias) => {
      const answer = await postJson(program.port, '/api/links', { url: 'https://example.com/x', alias });
      expect(answer.status).toBe(422);
    });
  });

  describe('S17 methods', () => {
    it.each([
      'PUT',
      'DELETE',
      'PATCH',
      'PROPFIND',
      'MKCOL',
      'LOCK',
      'REPORT',
      'PURGE',
      'SEARCH',
      'M-SEARCH',
      'SUBSCRIBE',
    ])('answers 405 with Allow to %s, on codes, pages and the API', async (method) => {
      for (const path of ['/known', '/', '/links', '/api/links', '/api/stats', '/livez', '/metrics']) {
        const answer = await call(program.port, { method, path, headers: { Connection: 'close' } });
        expect([method, path, answer.status]).toEqual([method, path, 405]);
        expect(answer.headers.allow).toMatch(/GET/);
      }
    });

    it.each(['TRACE /known', 'TRACE /', 'TRACE /api/links'])('echoes nothing to %s', async (line) => {
      const received = await sendRaw(
        program.port,
        `${line} HTTP/1.1\r\n${host()}X-Canary: trace-canary\r\nConnection: close\r\n\r\n`,
      );
      expect(statusesIn(received)).toEqual([405]);
      expect(received).not.toContain('trace-canary');
    });

    it.each([
      ['CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n', [405]],
      ['CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\nSSH-2.0-x\r\n', [405]],
      ['BREW /known HTTP/1.1\r\nHost: x\r\n\r\n', [501]],
      ['get /known HTTP/1.1\r\nHost: x\r\n\r\n', [400, 501]],
      ['GETS /known HTTP/1.1\r\nHost: x\r\n\r\n', [501]],
      ['GET\t/known HTTP/1.1\r\nHost: x\r\n\r\n', [400, 501]],
      ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [400, 501]],
      ['GET /known HTTP/9.9\r\nHost: x\r\n\r\n', [400]],
      ['GET /known\r\n\r\n', [400]],
      ['\r\n\r\n\r\n\0\0\0', [400, 501]],
      ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', [400, 501]],
    ])('answers %j once with 4xx or 501 and closes', async (bytes, statuses) => {
      const received = await sendRaw(program.port, bytes);
      expect(statusesIn(received)).toHaveLength(1);
      expect(statuses).toContain(statusesIn(received)[0]);
    });

    it.each(['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override'])(
      'lets %s change nothing',
      async (name) => {
        const headers = { [name]: 'DELETE' };
        expect((await call(program.port, { method: 'POST', path: '/api/links/known', headers })).status).toBe(405);
        expect((await call(program.port, { path: '/api/links/known', headers })).status).toBe(200);
        const form = await call(program.port, {
          method: 'POST',
          path: '/',
          headers: { ...headers, 'Content-Type': 'application/x-www-form-urlencoded' },
          body: '_method=DELETE',
        });
        expect(form.status).toBe(422);
      },
    );

    it('answers HEAD on a live code like GET, and counts no visit', async () => {
      for (let times = 0; times < 20; times++) {
        const answer = await call(program.port, { method: 'HEAD', path: '/known' });
        expect([answer.status, answer.headers.location]).toEqual([302, 'https://example.com/']);
      }
    });

    it('answers OPTIONS with the methods and grants no other origin anything', async () => {
      for (const path of ['/api/links', '/api/stats', '/api/links/known']) {
        const answer = await call(program.port, {
          method: 'OPTIONS',
          path,
          headers: { Origin: 'https://evil.example', 'Access-Control-Request-Method': 'POST' },
        });
        expect(answer.status).toBe(204);
        expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
      }
    });
  });

  describe('S37 long keys', () => {
    it.each([65, 255, 512, 4_096, 7_000])('answers 404 to a code of %i characters, on every route', async (length) => {
      const code = 'k'.repeat(length);
      for (const path of [
        `/${code}`,
        `/${code}+`,
        `/links/${code}`,
        `/stats/${code}`,
        `/api/links/${code}`,
        `/api/links/${code}/stats`,
        `/api/links/${code}/history`,
        `/api/links/${code}/qr.svg`,
      ]) {
        expect((await call(program.port, { path })).status).toBe(404);
      }
      expect((await call(program.port, { path: `/api/stream?codes=${code}` })).status).toBe(404);
      expect([200, 414, 422]).toContain((await call(program.port, { path: `/api/aliases/${code}` })).status);
    });

    it.each([256, 1_000, 10_000])('refuses an Idempotency-Key of %i characters', async (length) => {
      const headers = { ...json, 'Idempotency-Key': 'k'.repeat(length) };
      const answer = await create('{"url":"https://example.com/never"}', headers);
      expect([400, 422]).toContain(answer.status);
    });
  });
});

describe('JSON that must be taken (S12)', () => {
  let program: RunningProgram;
  beforeAll(async () => {
    program = await startProgram();
  });
  afterAll(() => program.dispose());

  it.each(mustAcceptText)('S12 takes %s as the text it stands for', async (json, value) => {
    const answer = await postJson(
      program.port,
      '/api/links',
      `{"url":"https://example.com/","note":${json},"unique":true}`,
    );
    expect(answer.status).toBe(201);
    expect(JSON.parse(answer.text).note).toBe(value);
  });

  it.each([
    '{"url":"https://example.com/w"}',
    ' {"url":"https://example.com/w"} ',
    '\t{\r\n"url" : "https:\\/\\/example.com\\/w"\n}\n',
  ])('S12 takes any white space and escapes: %j', async (body) => {
    const answer = await postJson(program.port, '/api/links', body);
    expect(answer.status).toBeLessThan(300);
    expect(JSON.parse(answer.text).url).toBe('https://example.com/w');
  });
});
