import { gzipSync } from 'node:zlib';
import { type HttpHarness, startHttp } from '../support/http-harness.ts';

/** Hostile and broken requests by their rows of the bad-input matrix: clear 4xx, and no command is ever called. */
describe('bad input over HTTP', () => {
  let http: HttpHarness;
  beforeAll(async () => {
    http = await startHttp();
  });
  afterAll(() => http.close());
  beforeEach(() => {
    http.fake.commandsCalled.length = 0;
  });
  afterEach(() => {
    expect(http.fake.commandsCalled).toEqual([]);
    expect(http.fake.logged).toEqual([]);
  });

  const post = (body: string | Buffer, type = 'application/json') =>
    http
      .request('post', '/api/links')
      .set('Content-Type', type)
      .serialize((raw) => raw as unknown as string)
      .send(body as string);

  describe('S11 oversize', () => {
    it.each([65_537, 200_000, 10_000_000])('refuses a body of %i bytes with 413', async (bytes) => {
      const answer = await post(`{"url":"${'x'.repeat(bytes - 10)}"}`).catch((error: NodeJS.ErrnoException) => error);
      // A client that still writes megabytes may find the connection closed before it reads the answer.
      if ('status' in answer) expect(answer.status).toBe(413);
      else expect(['ECONNRESET', 'EPIPE']).toContain(answer.code);
    });

    it('refuses a long target with 414', async () => {
      expect((await http.request('get', `/api/links?q=${'x'.repeat(9_000)}`)).status).toBe(414);
    });

    it('refuses long values of known parameters by name', async () => {
      const answer = await http.request('get', `/api/links?q=${'x'.repeat(201)}`);
      expect(answer.body.errors).toMatchObject([{ field: 'q', code: 'too-long' }]);
      expect((await http.request('get', `/api/links?tag=${'x'.repeat(51)}`)).status).toBe(422);
    });
  });

  describe('S12 hostile JSON', () => {
    it.each([
      ['nothing', ''],
      ['half an object', '{"url":"https://example.com/"'],
      ['a trailing comma', '{"url":"https://example.com/",}'],
      ['single quotes', "{'url':'https://example.com/'}"],
      ['a comment', '{"url":"https://example.com/"/**/}'],
      ['NaN', '{"maxVisits":NaN}'],
      ['a leading zero', '{"maxVisits":01}'],
      ['a raw control character', '{"note":"a\u0001b"}'],
      ['two values', '{}{}'],
      ['a lone bracket', '['],
      ['a byte order mark', '\ufeff{"url":"https://example.com/"}'],
      ['thousands of brackets', '['.repeat(30_000)],
      ['33 levels', `{"a":${'['.repeat(32)}${']'.repeat(32)}}`],
      ['a bad escape', '{"url":"\\x41"}'],
    ])('refuses %s with 400', async (_name, body) => {
      expect((await post(body)).status).toBe(400);
    });

    it.each([
      ['an overlong slash', [0xc0, 0xaf]],
      ['a lone surrogate', [0xed, 0xa0, 0x80]],
      ['a lone continuation byte', [0x80]],
      ['a cut character', [0xe2, 0x82]],
    ])('refuses %s, which is not UTF-8, with 400', async (_name, bytes) => {
      const body = Buffer.concat([Buffer.from('{"note":"'), Buffer.from(bytes), Buffer.from('"}')]);
      expect((await post(body)).status).toBe(400);
    });

    it.each(['null', '1', 'true', '"https://example.com/"', '[]', '[{"url":"https://example.com/"}]'])(
      'refuses %s, which is no object, with 422',
      async (body) => {
        const answer = await post(body);
        expect(answer.status).toBe(422);
        expect(answer.body.errors).toMatchObject([{ field: '', pointer: '', code: 'wrong-type' }]);
      },
    );

    it('does not take brackets inside of text for depth', async () => {
      const answer = await post(JSON.stringify({ note: '[{'.repeat(100), quoted: '\\"[' }));
      expect(answer.status).toBe(422);
    });
  });

  describe('S13 content types', () => {
    it.each([
      ['text/plain'],
      ['application/x-www-form-urlencoded'],
      ['multipart/form-data; boundary=x'],
      ['application/xml'],
      ['application/jsonx'],
      ['application/json; charset=utf-16'],
      ['application/json; charset=iso-8859-1'],
      ['application/json; profile=x'],
      ['application/merge-patch+json'],
      ['application/json, text/plain'],
    ])('refuses %s with 415', async (type) => {
      const answer = await post('{"url":"https://example.com/"}', type);
      expect(answer.status).toBe(415);
      expect(answer.get('Accept-Post')).toBe('application/json');
    });

    it('refuses a body without a type with 415, and tells what a change may be', async () => {
      const code = 'code1';
      const answer = await http.request('patch', `/api/links/${code}`).set('Content-Type', 'text/plain').send('{}');
      expect(answer.status).toBe(415);
      expect(answer.get('Accept-Patch')).toBe('application/merge-patch+json, application/json');
    });

    it.each(['gzip', 'deflate', 'br', 'zstd', 'gzip, identity', 'x-unknown'])(
      'refuses a body in %s with 415 and inflates nothing',
      async (encoding) => {
        const bomb = gzipSync(Buffer.alloc(1_000_000, 0x20));
        const answer = await http
          .request('post', '/api/links')
          .set('Content-Type', 'application/json')
          .set('Content-Encoding', encoding)
          .serialize((raw) => raw as unknown as string)
          .send(bomb as unknown as string);
        expect(answer.status).toBe(415);
      },
    );
  });

  describe('S14 repeated and unknown parameters', () => {
    it.each([
      ['/api/links?q=a&q=b', 'q', 'repeated'],
      ['/api/links?limit=1&limit=1', 'limit', 'repeated'],
      ['/api/links?q[]=a', 'q[]', 'unknown-member'],
      ['/api/links?q[x]=a', 'q[x]', 'unknown-member'],
      ['/api/links?Q=a', 'Q', 'unknown-member'],
      ['/api/tags?x', 'x', 'unknown-member'],
      ['/livez?verbose=1', 'verbose', 'unknown-member'],
      ['/api/stats?url=https://example.com/&url=x', 'url', 'repeated'],
    ])('refuses %s, naming %s', async (path, field, code) => {
      const answer = await http.request('get', path);
      expect(answer.status).toBe(422);
      expect(answer.body.errors).toMatchObject([{ field, code }]);
    });

    it.each(['/api/links?q=%zz', '/api/links?q=%', '/api/links?q=%ff', '/api/links?%c0%af=1'])(
      'refuses the wrong encoding of %s with 400',
      async (path) => {
        expect((await http.request('get', path)).status).toBe(400);
      },
    );

    it.each([
      ['limit', '0'],
      ['limit', '101'],
      ['limit', '1e1'],
      ['limit', '-1'],
      ['limit', ''],
      ['sort', 'url'],
      ['order', 'up'],
      ['status', 'gone'],
      ['cursor', 'x'],
      ['cursor', 'x'.repeat(5_000)],
    ])('refuses %s=%s', async (name, value) => {
      const answer = await http.request('get', `/api/links?${name}=${value}`);
      expect(answer.status).toBe(422);
      expect(answer.body.errors).toMatchObject([{ field: name }]);
    });
  });

  describe('S15 prototype names', () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype', 'valueOf'];

    it.each(names)('finds no link, type of problem or file called %s', async (name) => {
      for (const path of [
        `/api/links/${name}`,
        `/api/links/${name}/stats`,
        `/api/links/${name}/history`,
        `/api/problems/${name}`,
        `/api/docs/${name}`,
        `/${name}`,
      ]) {
        expect((await http.request('get', path)).status).toBe(404);
      }
    });

    it.each(names)('refuses the member and the parameter %s by name', async (name) => {
      const member = await post(`{"${name}":{"polluted":true}}`);
      expect(member.body.errors).toContainEqual(expect.objectContaining({ field: name, code: 'unknown-member' }));
      expect((await http.request('get', `/api/links?${name}=1`)).status).toBe(422);
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    });
  });

  describe('S16 path tricks', () => {
    it.each([
      ['/api/links/%00', 404],
      ['/api/links/%2e%2e%2fetc', 404],
      ['/api/links/..%2f..%2f', 404],
      ['/api/links/%c0%af', 400],
      ['/api/links/%zz', 400],
      ['/API/LINKS', 404],
      ['/api/links/', 404],
      ['/api//links', 404],
      ['/LIVEZ', 404],
      ['/livez/', 404],
      ['/api', 404],
      ['/api/docs/..%2fpackage.json', 404],
      ['/api/docs/%2e%2e%2f%2e%2e%2fpackage.json', 404],
      ['/api/links/a.b', 404],
      ['/api/links/%E2%82%AC', 404],
    ])('answers %s with %i', async (path, status) => {
      expect((await http.request('get', path)).status).toBe(status);
    });
  });

  describe('S17 methods', () => {
    it.each([
      ['put', '/api/links', 'GET, HEAD, POST, OPTIONS'],
      ['delete', '/api/links', 'GET, HEAD, POST, OPTIONS'],
      ['post', '/api/links/code1', 'GET, HEAD, PATCH, DELETE, OPTIONS'],
      ['get', '/api/links/code1/restore', 'POST, OPTIONS'],
      ['post', '/livez', 'GET, HEAD, OPTIONS'],
      ['patch', '/api/stream', 'GET, HEAD, OPTIONS'],
      ['post', '/code1', 'GET, HEAD, OPTIONS'],
    ] as const)('answers %s %s with 405 and Allow: %s', async (method, path, allow) => {
      const answer = await http.request(method, path);
      expect(answer.status).toBe(405);
      expect(answer.get('Allow')).toBe(allow);
    });

    it('tells the methods to OPTIONS, and nothing of other origins', async () => {
      const answer = await http.request('options', '/api/links').set('Origin', 'https://evil.example');
      expect(answer.status).toBe(204);
      expect(answer.get('Allow')).toBe('GET, HEAD, POST, OPTIONS');
      expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    });

    it.each(['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override'])('ignores %s', async (header) => {
      const answer = await http.request('post', '/api/links/code1').set(header, 'DELETE');
      expect(answer.status).toBe(405);
      expect((await http.request('get', '/api/links?_method=DELETE')).status).toBe(422);
    });
  });

  describe('S29 cross-site requests and foreign hosts', () => {
    it.each([
      ['Origin', 'https://evil.example'],
      ['Origin', 'null'],
      ['Origin', 'http://localhost:3001'],
      ['Origin', 'https://localhost:3000'],
      ['Origin', 'http://localhost:3000.evil.example'],
      ['Sec-Fetch-Site', 'cross-site'],
      ['Sec-Fetch-Site', 'same-site'],
      ['Sec-Fetch-Site', 'nonsense'],
    ])('refuses a change with %s: %s', async (header, value) => {
      const answers = await Promise.all([
        http.request('post', '/api/links').set(header, value).send({ url: 'https://example.com/' }),
        http.request('delete', '/api/links/code1').set(header, value),
        http.request('patch', '/api/links/code1').set(header, value).send({ note: 'x' }),
      ]);
      expect(answers.map(({ status }) => status)).toEqual([403, 403, 403]);
    });

    it.each(['evil.example', 'localhost', 'localhost:3001', 'localhost:3000.evil.example', 'user@localhost:3000', ''])(
      'refuses the Host %s with 421 before anything else',
      async (host) => {
        const answer = await http.request('get', '/api/tags').set('Host', host);
        expect(answer.status).toBe(421);
      },
    );

    it('answers health and metrics under any Host', async () => {
      for (const path of ['/livez', '/readyz', '/metrics']) {
        expect((await http.request('get', path).set('Host', '10.0.0.7:3000')).status).toBe(200);
      }
    });

    it('may be framed by nobody', async () => {
      const answer = await http.request('get', '/livez');
      expect(answer.get('Content-Security-Policy')).toContain("frame-ancestors 'none'");
      expect(answer.get('X-Frame-Options')).toBe('DENY');
    });
  });

  describe('S30 poisoned caches', () => {
    it.each([
      ['X-Forwarded-Host', 'evil.example'],
      ['X-Forwarded-Proto', 'https'],
      ['Forwarded', 'host=evil.example;proto=https'],
      ['X-Original-URL', '/livez'],
      ['X-Rewrite-URL', '/livez'],
    ])('builds nothing from %s', async (header, value) => {
      const plain = await http.request('get', '/api/links/nothere');
      const forged = await http.request('get', '/api/links/nothere').set(header, value);
      expect(forged.body).toEqual(plain.body);
      expect(forged.get('Cache-Control')).toBe('no-store');
    });
  });

  describe('S37 key limits', () => {
    it.each([65, 513, 5_000])('answers a code of %i characters with 404, without a look-up', async (length) => {
      expect((await http.request('get', `/api/links/${'k'.repeat(length)}`)).status).toBe(404);
    });
  });
});

describe('good input that looks odd', () => {
  let http: HttpHarness;
  beforeAll(async () => {
    http = await startHttp();
  });
  afterAll(() => http.close());

  it.each([
    'application/json',
    'APPLICATION/JSON',
    'application/json;charset=UTF-8',
    'application/json; charset="utf-8"',
  ])('takes %s', async (type) => {
    const answer = await http
      .request('post', '/api/links')
      .set('Content-Type', type)
      .send('{"url":"https://example.com/"}');
    expect(answer.status).toBeLessThan(300);
  });

  it.each([
    ['Origin', 'http://localhost:3000'],
    ['Origin', 'http://127.0.0.1:3000'],
    ['Origin', 'http://[::1]:3000'],
    ['Sec-Fetch-Site', 'same-origin'],
    ['Sec-Fetch-Site', 'none'],
  ])('takes a change with %s: %s', async (header, value) => {
    const answer = await http.request('post', '/api/links').set(header, value).send({ url: 'https://example.com/' });
    expect(answer.status).toBeLessThan(300);
  });

  it.each(['localhost:3000', 'LOCALHOST:3000', '127.0.0.1:3000', '[::1]:3000'])(
    'answers under the Host %s',
    async (host) => {
      expect((await http.request('get', '/api/tags').set('Host', host)).status).toBe(200);
    },
  );

  it('takes an identity-encoded body, and an empty object where none is needed', async () => {
    const code = await http.create({ url: 'https://example.com/b' });
    await http.request('delete', `/api/links/${code}`);
    const answer = await http
      .request('post', `/api/links/${code}/restore`)
      .set('Content-Encoding', 'identity')
      .send({});
    expect(answer.status).toBe(200);
    const unknown = await http.request('post', `/api/links/${code}/restore`).send({ why: 1 });
    expect(unknown.body.errors).toMatchObject([{ field: 'why', code: 'unknown-member' }]);
  });
});
