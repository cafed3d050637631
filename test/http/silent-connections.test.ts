/** Connections that are held open by whoever sends nothing and takes nothing, and those that must be left alone. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Door } from '../../src/http/app-options.ts';
import { leaveUnread } from '../../src/http/served-request.ts';
import { type HttpHarness, startHttp } from '../support/http-harness.ts';

const silenceMs = 600;
const limits = { silenceMs, headersTimeoutMs: 60_000, requestTimeoutMs: 60_000 };
/** Beyond the silence, the look that finds it, and a machine that has other things to do. */
const enoughMs = 5_000;
const wholeAnswers = 12;

const redirecting: Door = (request, response) => {
  if (request.url !== '/abc') return false;
  leaveUnread(request);
  // As the redirect's door does, which writes its visits first.
  setImmediate(() => response.writeHead(302, { Location: 'https://example.com/', 'Content-Length': '0' }).end());
  return true;
};

const redirect = 'GET /abc HTTP/1.1\r\nHost: localhost:3000\r\n\r\n';
const page = 'GET /livez HTTP/1.1\r\nHost: localhost:3000\r\n\r\n';
const longAnswer = 'GET /api/docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost:3000\r\n\r\n';

describe('connections on which nothing moves', () => {
  let http: HttpHarness;
  let accepted: Socket[];
  beforeEach(async () => {
    http = await startHttp({ app: { door: redirecting }, limits });
    accepted = [];
    http.server.on('connection', (socket: Socket) => accepted.push(socket));
  });
  afterEach(() => http.close());

  async function open(): Promise<Socket> {
    const client = connect(http.port, '127.0.0.1');
    client.on('error', () => {});
    await once(client, 'connect');
    return client;
  }

  async function isClosed(socket: Socket | undefined): Promise<boolean> {
    if (socket === undefined) throw new Error('no connection was accepted');
    return (
      socket.closed || Promise.race([once(socket, 'close').then(() => true), delay(enoughMs, false, { ref: false })])
    );
  }

  it.each([
    ['a redirect', [redirect]],
    ['a page', [page]],
    ['a page and a redirect', [page, redirect]],
    ['a redirect and a page', [redirect, page]],
    ['half a request', [redirect, 'GET /ab']],
    ['nothing', []],
  ])('closes one that is silent after %s', async (_name, sent) => {
    const client = await open();
    client.resume();
    for (const each of sent) {
      client.write(each);
      await delay(20);
    }
    expect(await isClosed(client)).toBe(true);
  });

  it.each([
    ['redirects', redirect],
    ['pages', page],
  ])('keeps one on which %s are asked for', async (_name, request) => {
    const client = await open();
    const startedAtMs = performance.now();
    while (performance.now() - startedAtMs < 3 * silenceMs) {
      client.write(request);
      const [chunk] = await once(client, 'data');
      expect(String(chunk)).toMatch(/^HTTP\/1\.1 (?:302|200) /);
      await delay(50);
    }
    expect(client.closed).toBe(false);
    client.destroy();
  });

  it('closes one whose reader takes nothing of a long answer', async () => {
    const client = await open();
    client.pause();
    client.write(longAnswer.repeat(wholeAnswers));
    const startedAtMs = performance.now();
    while (accepted[0] === undefined || accepted[0].writableLength === 0) {
      if (performance.now() - startedAtMs > enoughMs) throw new Error('the answers went out at once');
      await delay(10);
    }
    expect(await isClosed(accepted[0])).toBe(true);
    client.destroy();
  });

  it('sends long answers to their end to a reader who takes them slowly', async () => {
    const client = await open();
    client.write(longAnswer.repeat(wholeAnswers - 1) + longAnswer.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    const chunks: Buffer[] = [];
    const startedAtMs = performance.now();
    for await (const chunk of client as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      // Slowly until it has taken longer than the silence, then at once.
      if (performance.now() - startedAtMs < 3 * silenceMs) await delay(20);
    }
    expect(performance.now() - startedAtMs).toBeGreaterThan(3 * silenceMs);
    const text = Buffer.concat(chunks).toString('latin1');
    expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(wholeAnswers);
    expect(text.length).toBeGreaterThan(wholeAnswers * 1_000_000);
  });
});

describe('the body of a request that is redirected', () => {
  let http: HttpHarness;
  let requests: { ended: boolean }[];
  beforeEach(async () => {
    requests = [];
    const door: Door = (request, response) => {
      const seen = { ended: false };
      requests.push(seen);
      // Node's own way to see it without listening, which would be waiting for it.
      response.once('close', () => {
        setImmediate(() => {
          seen.ended = request.readableEnded;
        });
      });
      return redirecting(request, response);
    };
    http = await startHttp({ app: { door } });
  });
  afterEach(() => http.close());

  async function answersTo(...parts: readonly string[]): Promise<string[]> {
    const client = connect(http.port, '127.0.0.1');
    let text = '';
    client.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
    });
    for (const part of parts) {
      client.write(part);
      await delay(30);
    }
    client.write('GET /livez HTTP/1.1\r\nHost: localhost:3000\r\nConnection: close\r\n\r\n');
    await Promise.race([once(client, 'close'), delay(enoughMs, null, { ref: false })]);
    client.destroy();
    return text.match(/HTTP\/1\.1 \d{3}/g) ?? [];
  }

  const head = 'GET /abc HTTP/1.1\r\nHost: localhost:3000\r\n';

  it.each([
    ['that comes with it', [`${head}Content-Length: 5\r\n\r\nhello`]],
    ['that comes after the answer', [`${head}Content-Length: 10\r\n\r\n`, 'hello', 'world']],
    ['of 20 KB that comes with it', [`${head}Content-Length: 20000\r\n\r\n${'a'.repeat(20_000)}`]],
    ['of 300 KB', [`${head}Content-Length: 300000\r\n\r\n`, 'a'.repeat(300_000)]],
    ['in chunks', [`${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`, '0\r\n\r\n']],
    ['of nothing', [`${head}Content-Length: 0\r\n\r\n`]],
  ])('does not stand before the next request: one %s', async (_name, parts) => {
    expect(await answersTo(...parts, ...parts)).toEqual(['HTTP/1.1 302', 'HTTP/1.1 302', 'HTTP/1.1 200']);
  });

  it('is nothing that the streams have work with', async () => {
    await answersTo(`${head}\r\n`);
    await delay(10);
    expect(requests.map(({ ended }) => ended)).toEqual([false, true]);
  });
});
