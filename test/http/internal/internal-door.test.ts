/** The door for other instances: who gets in, and what it says to those who do not. */
import { connect } from 'node:net';
import { isReserved } from '../../../src/domain/short-code.ts';
import { createInternalDoor, type InternalRoute } from '../../../src/http/internal/internal-door.ts';
import { signatureLifetimeMs, signRequest } from '../../../src/http/internal/request-signature.ts';
import { internalTaskRoutes, positionsPath, storeReadsPath } from '../../../src/http/internal/store-reads.ts';
import { openApiDocument } from '../../../src/http/openapi/document.ts';
import { StatisticsRebuilding } from '../../../src/ports/statistics-read-model.ts';
import { createFakeTasks } from '../../support/fake-tasks.ts';
import { type Call, call, type Reply } from '../../support/http-client.ts';
import { type HttpHarness, startHttp } from '../../support/http-harness.ts';
import { createQuietLogger } from '../../support/quiet-logger.ts';

const key = Buffer.alloc(32, 1);
const nowMs = 1_700_000_000_000;
const topology = 'visits@1';
const question = { topology, standbyWillDo: false, partition: 0, keys: ['a', 'none', 'b'] };

describe('the door for other instances', () => {
  const local = createFakeTasks('me', {
    0: { role: 'active', nextOffset: 2 ** 40 },
    1: { role: 'standby', nextOffset: 7 },
  });
  const logger = createQuietLogger();
  const echo: InternalRoute = { path: '/internal/v1/echo', bodyLimitBytes: 1_000, answer: (body) => ({ body }) };
  const broken: InternalRoute = {
    path: '/internal/v1/broken',
    bodyLimitBytes: 1_000,
    answer: () => {
      throw new TypeError('a secret of the inside');
    },
  };
  let http: HttpHarness;

  beforeAll(async () => {
    http = await startHttp({
      app: {
        door: createInternalDoor({
          key,
          clock: { nowMs: () => nowMs, monotonicMs: () => 0 },
          random: { id: () => 'id-1', bytes: (size) => Buffer.alloc(size), code: () => '' },
          logger,
          routes: [...internalTaskRoutes({ instanceId: 'me', topology, local }), echo, broken],
        }),
      },
    });
  });
  beforeEach(() => {
    local.failure = null;
    local.asked.length = 0;
  });
  afterAll(() => http.close());

  interface Signed extends Partial<Call> {
    readonly value?: unknown;
    readonly signedAtMs?: number;
    readonly signedWith?: Uint8Array;
    readonly signedAs?: { readonly method?: string; readonly path?: string; readonly body?: string };
  }

  function post(path: string, signed: Signed = {}): Promise<Reply> {
    const { value = {}, body = JSON.stringify(value), method = 'POST', headers, signedAtMs = nowMs } = signed;
    const { signedWith = key, signedAs = {} } = signed;
    const request = { method, path, ...signedAs, body: Buffer.from(signedAs.body ?? body) };
    return call(http.port, {
      method,
      path,
      body,
      headers: {
        'Content-Type': 'application/json',
        Authorization: signRequest(signedWith, request, signedAtMs),
        ...headers,
      },
    });
  }

  const problem = ({ text }: Reply) => JSON.parse(text) as { title: string; status: number; detail: string };

  it('answers a signed read with rows and the position they stand at', async () => {
    const reply = await post(storeReadsPath, { value: { ...question, range: { gte: 'a', limit: 3 } } });
    expect(reply.status).toBe(200);
    expect(reply.headers).toMatchObject({
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-request-id': 'id-1',
    });
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    expect(JSON.parse(reply.text)).toEqual({
      nextOffset: String(2 ** 40),
      streamTimeMs: 5,
      values: [base64('me/a'), null, base64('me/b')],
      entries: [['k', base64('me/k')]],
    });
    expect(local.asked).toEqual([{ partition: 0, keys: question.keys, range: { gte: 'a', limit: 3 } }]);
  });

  it('tells which tasks it has and where they stand', async () => {
    const reply = await post(positionsPath);
    expect(JSON.parse(reply.text)).toEqual({
      instanceId: 'me',
      topology,
      tasks: [
        { partition: 0, role: 'active', nextOffset: String(2 ** 40), streamTimeMs: 5 },
        { partition: 1, role: 'standby', nextOffset: '7', streamTimeMs: 5 },
      ],
    });
  });

  it('answers under any Host', async () => {
    expect((await post(positionsPath, { headers: { Host: '10.1.2.3:4000' } })).status).toBe(200);
  });

  it('answers from a standby only when that will do', async () => {
    const asked = { ...question, partition: 1 };
    expect((await post(storeReadsPath, { value: asked })).status).toBe(421);
    expect((await post(storeReadsPath, { value: { ...asked, standbyWillDo: true } })).status).toBe(200);
  });

  it('asks nobody else for a task that it does not have', async () => {
    const reply = await post(storeReadsPath, { value: { ...question, partition: 2, standbyWillDo: true } });
    expect(reply.status).toBe(421);
    expect(problem(reply)).toMatchObject({ title: 'Misdirected Request', status: 421 });
    expect(local.asked).toEqual([]);
  });

  it('does not answer for rows of another form', async () => {
    const reply = await post(storeReadsPath, { value: { ...question, topology: 'visits@2' } });
    expect(reply.status).toBe(409);
    expect(problem(reply).detail).toMatch('visits@1');
  });

  it('tells an outage as one', async () => {
    local.failure = new StatisticsRebuilding({ fraction: 0.5, recordsDone: 1, recordsTotal: 2 });
    const reply = await post(storeReadsPath, { value: question });
    expect(reply.status).toBe(503);
    expect(reply.headers['retry-after']).toBe('2');
  });

  it('tells nothing of the inside of a defect, but logs it', async () => {
    const reply = await post('/internal/v1/broken');
    expect(reply.status).toBe(500);
    expect(reply.text).not.toMatch('secret');
    expect(logger.lines.at(-1)).toMatchObject({ level: 'error', fields: { requestId: 'id-1' } });
  });

  describe('refuses', () => {
    afterEach(() => expect(local.asked).toEqual([]));

    it.each([
      ['no credentials', ''],
      ['another scheme', 'Bearer abc'],
      ['no mac', `Tallyhop-HMAC-SHA256 ${nowMs}:`],
      ['a short mac', `Tallyhop-HMAC-SHA256 ${nowMs}:${'a'.repeat(63)}`],
      ['a mac of other letters', `Tallyhop-HMAC-SHA256 ${nowMs}:${'A'.repeat(64)}`],
      ['a time that is no number', `Tallyhop-HMAC-SHA256 NaN:${'a'.repeat(64)}`],
      ['an endless time', `Tallyhop-HMAC-SHA256 ${'9'.repeat(400)}:${'a'.repeat(64)}`],
      ['credentials with something behind', `Tallyhop-HMAC-SHA256 ${nowMs}:${'a'.repeat(64)} x`],
    ])('%s', async (_what, Authorization) => {
      const reply = await post(storeReadsPath, { value: question, headers: { Authorization } });
      expect(reply.status).toBe(401);
      expect(reply.headers['www-authenticate']).toBe('Tallyhop-HMAC-SHA256');
      expect(reply.headers['content-type']).toBe('application/problem+json');
    });

    it.each([
      ['a mac that was made up', { headers: { Authorization: `Tallyhop-HMAC-SHA256 ${nowMs}:${'a'.repeat(64)}` } }],
      ['the key of another installation', { signedWith: Buffer.alloc(32, 2) }],
      ['an empty key', { signedWith: Buffer.alloc(0) }],
      ['a signature of another body', { signedAs: { body: '{}' } }],
      ['a signature of another path', { signedAs: { path: positionsPath } }],
      ['a signature of another method', { signedAs: { method: 'GET' } }],
    ] satisfies readonly [string, Signed][])('%s', async (_what, forged) => {
      const reply = await post(storeReadsPath, { value: question, ...forged });
      expect(reply.status).toBe(403);
      expect(problem(reply).title).toBe('Forbidden');
    });

    it('a true request under the time of another one', async () => {
      const { headers } = await signedOnce();
      const Authorization = headers.replace(String(nowMs), String(nowMs + 1));
      expect((await post(storeReadsPath, { value: question, headers: { Authorization } })).status).toBe(403);
    });

    async function signedOnce() {
      const body = Buffer.from(JSON.stringify(question));
      return { headers: signRequest(key, { method: 'POST', path: storeReadsPath, body }, nowMs) };
    }

    it.each([
      ['replayed late', nowMs - signatureLifetimeMs - 1],
      ['signed ahead of time', nowMs + signatureLifetimeMs + 1],
    ])('a true request that is %s', async (_what, signedAtMs) => {
      expect((await post(storeReadsPath, { value: question, signedAtMs })).status).toBe(401);
    });

    it('nothing of what a clock of the other instance may be off', async () => {
      for (const signedAtMs of [nowMs - signatureLifetimeMs, nowMs + signatureLifetimeMs]) {
        expect((await post(positionsPath, { signedAtMs })).status).toBe(200);
      }
    });

    it('a body that is too large', async () => {
      expect((await post('/internal/v1/echo', { body: JSON.stringify('x'.repeat(999)) })).status).toBe(413);
      expect((await post('/internal/v1/echo', { body: JSON.stringify('x'.repeat(998)) })).status).toBe(200);
    });

    it('a body that never ends, without reading it', async () => {
      const socket = connect(http.port, '127.0.0.1');
      const authorization = `Tallyhop-HMAC-SHA256 ${nowMs}:${'a'.repeat(64)}`;
      socket.write(
        `POST ${storeReadsPath} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: ${authorization}\r\nTransfer-Encoding: chunked\r\n\r\n`,
      );
      let text = '';
      let sent = 0;
      const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
      const flood = setInterval(() => {
        if (socket.writable && sent < 64) socket.write(chunk, () => sent++);
      }, 1);
      socket.on('data', (bytes) => {
        text += bytes.toString('latin1');
      });
      await new Promise<void>((resolve) => {
        socket.on('error', () => resolve());
        socket.on('close', () => resolve());
      });
      clearInterval(flood);
      socket.destroy();
      expect(text).toMatch(/^HTTP\/1.1 413 /);
      expect(sent).toBeLessThan(40);
    });

    it.each([
      ['no type', { 'Content-Type': '' }],
      ['a form', { 'Content-Type': 'application/x-www-form-urlencoded' }],
      ['text', { 'Content-Type': 'text/plain' }],
      ['a compressed body', { 'Content-Encoding': 'gzip' }],
    ])('%s', async (_what, headers) => {
      expect((await post(storeReadsPath, { value: question, headers })).status).toBe(415);
    });

    it.each([
      ['no JSON', '{'],
      ['nothing', ''],
      ['bytes that are no UTF-8', Buffer.from([0x22, 0xff, 0x22]).toString('latin1')],
      ['a list', '[]'],
      ['null', 'null'],
      ['a text', '"x"'],
      ['no keys', JSON.stringify({ ...question, keys: undefined })],
      ['a key that is no text', JSON.stringify({ ...question, keys: [1] })],
      ['an empty key', JSON.stringify({ ...question, keys: [''] })],
      ['a key beyond ASCII', JSON.stringify({ ...question, keys: ['ä'] })],
      ['a long key', JSON.stringify({ ...question, keys: ['x'.repeat(513)] })],
      ['too many keys', JSON.stringify({ ...question, keys: new Array(10_001).fill('k') })],
      ['a negative task', JSON.stringify({ ...question, partition: -1 })],
      ['half a task', JSON.stringify({ ...question, partition: 0.5 })],
      ['a task as text', JSON.stringify({ ...question, partition: '0' })],
      ['a range without a limit', JSON.stringify({ ...question, range: {} })],
      ['an endless range', JSON.stringify({ ...question, range: { limit: 10_001 } })],
      ['a range of nothing', JSON.stringify({ ...question, range: { limit: 0 } })],
      ['a range with a member of a newer build', JSON.stringify({ ...question, range: { limit: 1, skip: 1 } })],
      ['a member of a newer build', JSON.stringify({ ...question, forwarded: true })],
      ['a prototype', `{"__proto__":{},${JSON.stringify(question).slice(1)}`],
      ['no word on standbys', JSON.stringify({ ...question, standbyWillDo: 'yes' })],
    ])('%s', async (_what, body) => {
      const reply = await post(storeReadsPath, { body });
      expect(reply.status).toBe(400);
      expect(problem(reply).detail).toMatch(/^The body is /);
    });

    it.each(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'])('the method %s', async (method) => {
      const reply = await post(storeReadsPath, { method });
      expect(reply.status).toBe(405);
      expect(reply.headers['allow']).toBe('POST');
    });

    it.each([
      '/internal/',
      '/internal/v1',
      '/internal/v1/stores/read/',
      '/internal/v1/stores/read?x=1',
      '/internal/v1/stores/../stores/read',
      '/internal/v1/stores%2fread',
      '/internal/v2/stores/read',
    ])('the path %s', async (path) => {
      expect((await post(path, { value: question })).status).toBe(404);
    });
  });

  it('takes no short code, no alias and no public page', async () => {
    for (const path of ['/internal', '/Internal', '/INTERNAL/v1/stores/read']) {
      expect((await call(http.port, { path, headers: { Host: 'localhost:3000' } })).status).toBe(404);
    }
    expect(isReserved('internal')).toBe(true);
  });

  it('is in no public document', () => {
    expect(JSON.stringify(openApiDocument('http://localhost:3000'))).not.toMatch('internal/v1');
  });

  it('is not there in a program that has no other instances', async () => {
    const alone = await startHttp();
    try {
      const reply = await call(alone.port, {
        method: 'POST',
        path: storeReadsPath,
        headers: { Host: 'localhost:3000' },
      });
      expect(reply.status).toBe(404);
    } finally {
      await alone.close();
    }
  });
});
