import type { Socket } from 'node:net';
import { call, openSocket, postJson, receivedBy, sendRaw, statusesIn } from '../support/http-client.ts';
import { type RunningProgram, startProgram } from '../support/running-program.ts';
import { tracesOf } from '../support/traces.ts';

/** Connections that want to confuse, hold up or exhaust the whole program. */
describe('a hostile connection', () => {
  let program: RunningProgram;
  beforeAll(async () => {
    program = await startProgram();
    const created = await postJson(program.port, '/api/links', { url: 'https://example.com/', alias: 'known' });
    expect(created.status).toBe(201);
  });
  afterAll(() => program.dispose());

  const host = () => `Host: localhost:${program.port}\r\n`;
  const json = 'Content-Type: application/json\r\n';
  const hidden = '{"url":"https://smuggled.example/"}';

  describe('S18 request smuggling', () => {
    const smuggled = () =>
      `POST /api/links HTTP/1.1\r\n${host()}${json}Content-Length: ${hidden.length}\r\n\r\n${hidden}`;

    it.each([
      ['two different lengths', 'Content-Length: 0\r\nContent-Length: 44\r\n\r\n'],
      ['a list of lengths', 'Content-Length: 0, 44\r\n\r\n'],
      ['a length and chunks', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
      ['chunks and a length', 'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n'],
      ['chunks in capitals and a length', 'TRANSFER-ENCODING: CHUNKED\r\nContent-Length: 4\r\n\r\n0\r\n\r\n'],
      ['an unknown encoding', 'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n'],
      ['two encodings', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n'],
      ['chunks that are not last', 'Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n'],
      ['chunked twice with a length', 'Transfer-Encoding: chunked, chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n'],
      ['a space before the colon', 'Content-Length : 0\r\n\r\n'],
      ['a space before the colon of chunks', 'Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n'],
      ['a folded header', 'Transfer-Encoding:\r\n chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n'],
      ['a length with a sign', 'Content-Length: +0\r\n\r\n'],
      ['a negative length', 'Content-Length: -1\r\n\r\n'],
      ['a length in hexadecimal', 'Content-Length: 0x0\r\n\r\n'],
      ['a length in words', 'Content-Length: zero\r\n\r\n'],
      ['a length beyond all numbers', 'Content-Length: 99999999999999999999999999\r\n\r\n'],
      ['a length with a space inside', 'Content-Length: 4 4\r\n\r\n'],
      ['a control before the value', 'Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n'],
      ['a NUL in the value', 'Transfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n'],
      ['a NUL in the name', 'Transfer-Enc\0oding: chunked\r\n\r\n0\r\n\r\n'],
      ['a bare CR as a line end', 'X-A: b\rContent-Length: 44\r\n\r\n'],
      ['a chunk size that is no number', 'Transfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n0\r\n\r\n'],
      ['a negative chunk size', 'Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n0\r\n\r\n'],
      ['a chunk size with a prefix', 'Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n'],
      ['a chunk size beyond all numbers', 'Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n'],
      ['a chunk without its line end', 'Transfer-Encoding: chunked\r\n\r\n2\r\n{}0\r\n\r\n'],
      ['a header without a colon', 'NoColonHere\r\n\r\n'],
      ['a header without a name', ': value\r\n\r\n'],
      ['two hosts', 'Host: evil.example\r\nContent-Length: 0\r\n\r\n'],
    ])('answers %s with 400 alone, closes, and never reads what follows', async (_name, rest) => {
      const before = await tracesOf(program);
      const received = await sendRaw(program.port, `POST /api/links HTTP/1.1\r\n${host()}${json}${rest}${smuggled()}`);
      expect(statusesIn(received)).toEqual([400]);
      expect(received).toMatch(/^connection: close$/im);
      expect(await tracesOf(program)).toEqual(before);
    });

    it('does not take the body of a GET for the next request', async () => {
      const before = await tracesOf(program);
      const body = smuggled();
      const received = await sendRaw(
        program.port,
        `GET /livez HTTP/1.1\r\n${host()}Content-Length: ${body.length}\r\n\r\n${body}` +
          `GET /livez HTTP/1.1\r\n${host()}Connection: close\r\n\r\n`,
      );
      expect(statusesIn(received)).toEqual([200, 200]);
      expect(await tracesOf(program)).toEqual(before);
    });

    it('does not take the body of a redirected GET for the next request, and counts one visit', async () => {
      const before = await tracesOf(program);
      const body = smuggled();
      const received = await sendRaw(
        program.port,
        `GET /known HTTP/1.1\r\n${host()}Content-Length: ${body.length}\r\n\r\n${body}` +
          `GET /livez HTTP/1.1\r\n${host()}Connection: close\r\n\r\n`,
      );
      expect(statusesIn(received)).toEqual([302, 200]);
      const after = await tracesOf(program);
      expect(after).toMatchObject({ links: before.links, visits: before.visits + 1, serverErrors: 0 });
    });

    it('gives one answer to each request of a pipeline, in order, each visit counted once', async () => {
      const before = await tracesOf(program);
      const requests = Array.from({ length: 50 }, (_, index) => {
        const close = index === 49 ? 'Connection: close\r\n' : '';
        return `GET /${index % 2 === 0 ? 'known' : 'unknown'} HTTP/1.1\r\n${host()}${close}\r\n`;
      });
      const received = await sendRaw(program.port, requests.join(''));
      expect(statusesIn(received)).toEqual(Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? 302 : 404)));
      expect((await tracesOf(program)).visits).toBe(before.visits + 25);
    });

    it('ignores what follows a request that closes its connection', async () => {
      const before = await tracesOf(program);
      for (const first of [
        `GET /livez HTTP/1.1\r\n${host()}Connection: close\r\n\r\n`,
        `GET /api/tags HTTP/1.1\r\n${host()}Connection: close\r\n\r\n`,
        `HEAD /known HTTP/1.1\r\n${host()}Connection: close\r\n\r\n`,
        `GET /livez HTTP/1.0\r\n${host()}\r\n`,
      ]) {
        const visit = `GET /known HTTP/1.1\r\n${host()}\r\n`;
        const received = await sendRaw(program.port, `${first}${visit}${smuggled()}`);
        expect(statusesIn(received)).toHaveLength(1);
      }
      expect(await tracesOf(program)).toEqual(before);
    });

    it('answers an upgrade as the plain request that it is', async () => {
      const received = await sendRaw(
        program.port,
        `GET /livez HTTP/1.1\r\n${host()}Connection: Upgrade, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n`,
      );
      expect(statusesIn(received)).toEqual([200]);
    });
  });

  it('S19 closes slow connections within 15 s, and good requests go on meanwhile', async () => {
    const slow: { socket: Socket; received: Promise<string> }[] = [];
    const openSlow = async (bytes: string) => {
      const socket = await openSocket(program.port);
      socket.on('error', () => {});
      slow.push({ socket, received: receivedBy(socket) });
      socket.write(bytes);
    };
    const kinds = [
      'GET /known HTTP/1.1\r\nHost: loc',
      `GET /known HTTP/1.1\r\n${host()}X-Slow: `,
      `POST /api/links HTTP/1.1\r\n${host()}${json}Content-Length: 1000\r\n\r\n{"url":"`,
      `POST /api/links HTTP/1.1\r\n${host()}${json}Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n`,
      `POST / HTTP/1.1\r\n${host()}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\nurl=`,
      '',
    ];
    const before = await tracesOf(program);
    const startedAt = performance.now();
    for (let index = 0; index < 240; index++) await openSlow(kinds[index % kinds.length] ?? '');

    // Drips: a byte now and then must not buy a connection more time.
    const dripping = setInterval(() => {
      for (const { socket } of slow) if (socket.writable && socket.bytesWritten > 0) socket.write('a');
    }, 500);
    const durations: number[] = [];
    let closed = false;
    const allClosed = Promise.all(slow.map(({ received }) => received)).then((texts) => {
      closed = true;
      return texts;
    });
    while (!closed) {
      const sentAt = performance.now();
      expect((await call(program.port, { path: '/known' })).status).toBe(302);
      durations.push(performance.now() - sentAt);
      if (performance.now() - startedAt > 20_000) break;
    }
    clearInterval(dripping);
    const texts = await allClosed;
    expect(performance.now() - startedAt).toBeLessThan(15_000);
    // What drips into a chunk's size becomes nonsense (400) before the time is over (408).
    for (const text of texts) expect(statusesIn(text).every((status) => status === 408 || status === 400)).toBe(true);

    durations.sort((left, right) => left - right);
    expect(durations.length).toBeGreaterThan(100);
    expect(durations[Math.floor(durations.length * 0.99)]).toBeLessThan(500);
    const after = await tracesOf(program);
    expect(after).toMatchObject({ links: before.links, visits: before.visits + durations.length });
    expect(after.serverErrors).toBe(before.serverErrors);
  }, 40_000);

  it('S20 goes on after a flood of 3,000 connections, and keeps none of their descriptors', async () => {
    const descriptors = async () => {
      const { text } = await call(program.port, { path: '/metrics' });
      return Number(/^process_open_fds (\d+)/m.exec(text)?.[1] ?? 0);
    };
    const before = await descriptors();
    const sockets: Socket[] = [];
    for (let batch = 0; batch < 15; batch++) {
      const opened = await Promise.all(Array.from({ length: 200 }, () => openSocket(program.port)));
      for (const socket of opened) socket.on('error', () => {});
      sockets.push(...opened);
    }
    expect((await call(program.port, { path: '/known' })).status).toBe(302);
    for (const socket of sockets) socket.destroy();
    const deadline = performance.now() + 10_000;
    while ((await descriptors()) > before + 50) {
      if (performance.now() > deadline) throw new Error(`descriptors stay open: ${await descriptors()}`);
    }
    expect((await call(program.port, { path: '/known' })).status).toBe(302);
  });
});
