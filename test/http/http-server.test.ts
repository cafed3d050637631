import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type HttpHarness, startHttp } from '../support/http-harness.ts';

const head = 'Host: localhost:3000\r\n';

/** A bare connection, for what no HTTP client would send. */
function open(http: HttpHarness) {
  const socket: Socket = connect(http.port, '127.0.0.1');
  let text = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    text += chunk;
  });
  socket.on('error', () => {});
  return {
    socket,
    text: () => text,
    send: (request: string) => socket.write(request, 'latin1'),
    async until(pattern: RegExp) {
      while (!pattern.test(text)) await once(socket, 'data');
    },
    /** Everything that was answered, when the server has closed the connection. */
    async closed() {
      if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
      return text;
    },
  };
}

const answersIn = (text: string) => text.match(/HTTP\/1\.1 \d{3}/g)?.map((line) => Number(line.slice(9))) ?? [];

describe('the server', () => {
  let http: HttpHarness;
  afterEach(() => http.close());

  describe('S18 request smuggling', () => {
    it.each([
      ['two lengths', 'Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello'],
      ['a length and chunks', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
      ['chunks that are not the last encoding', 'Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n'],
      ['a malformed encoding', 'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n'],
      ['a negative length', 'Content-Length: -1\r\n\r\n'],
      ['a length with a sign', 'Content-Length: +5\r\n\r\nhello'],
      ['a length in hexadecimal', 'Content-Length: 0x5\r\n\r\nhello'],
      ['a space before a colon', 'Content-Length : 5\r\n\r\nhello'],
      ['a folded header', 'X-A: b\r\n c\r\n\r\n'],
      ['a NUL in a header', 'X-A: b\0c\r\n\r\n'],
      ['a chunk size that is none', 'Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n'],
      ['two hosts', 'Host: evil.example\r\nContent-Length: 0\r\n\r\n'],
    ])('answers %s with one 400 and closes', async (_name, rest) => {
      http = await startHttp();
      const client = open(http);
      client.send(
        `POST /api/links HTTP/1.1\r\n${head}Content-Type: application/json\r\n${rest}GET /livez HTTP/1.1\r\n${head}\r\n`,
      );
      const text = await client.closed();
      expect(answersIn(text)).toEqual([400]);
      expect(text).toMatch(/^x-request-id: /im);
      expect(text).toContain('/api/problems/malformed-request');
      expect(http.fake.commandsCalled).toEqual([]);
    });

    it('answers requests that come at once one after the other', async () => {
      http = await startHttp();
      const client = open(http);
      client.send(`GET /livez HTTP/1.1\r\n${head}\r\nGET /nothere/x HTTP/1.1\r\n${head}Connection: close\r\n\r\n`);
      expect(answersIn(await client.closed())).toEqual([200, 404]);
    });

    it('answers a request by itself when what comes behind it cannot be read', async () => {
      http = await startHttp();
      let openGate = () => {};
      const gate = new Promise<void>((resolve) => {
        openGate = resolve;
      });
      const broken = new Promise((resolve) => http.server.once('clientError', resolve));
      http.fake.beforeCommand = () => gate;
      const client = open(http);
      const body = '{"url":"https://example.com/"}';
      const start = `POST /api/links HTTP/1.1\r\n${head}Content-Type: application/json\r\n`;
      client.send(`${start}Content-Length: ${body.length}\r\n\r\n${body}`);
      client.send('nonsense\r\n\r\n');
      await broken;
      openGate();
      expect(answersIn(await client.closed())).toEqual([201]);
    });

    it.each([
      ['http://localhost:3000/livez', 'localhost:3000', 200],
      ['http://localhost:3000/api/tags', 'evil.example', 200],
      ['http://evil.example/api/tags', 'localhost:3000', 421],
      ['http:///api/tags', 'localhost:3000', 421],
    ])('goes by the host of the target %s, not by the Host %s', async (target, host, status) => {
      http = await startHttp();
      const client = open(http);
      client.send(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      expect(answersIn(await client.closed())).toEqual([status]);
    });

    it('refuses a request without Host', async () => {
      http = await startHttp();
      const client = open(http);
      client.send('GET /api/tags HTTP/1.1\r\n\r\n');
      expect(answersIn(await client.closed())).toEqual([400]);
    });
  });

  describe('S11 and S17 what no client sends', () => {
    it.each([
      ['headers of 20 KB', `GET /livez HTTP/1.1\r\n${head}X-A: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
      ['a target of 20 KB', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\n${head}\r\n`, 431],
      ['a method of its own', `BREW /livez HTTP/1.1\r\n${head}\r\n`, 501],
      ['a proxy request', 'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n', 405],
      ['a trace', `TRACE /api/tags HTTP/1.1\r\n${head}Connection: close\r\n\r\n`, 405],
      ['another protocol', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
      ['another expectation', `POST /api/links HTTP/1.1\r\n${head}Expect: gold\r\nContent-Length: 0\r\n\r\n`, 417],
    ])('answers %s, closes, and stays up', async (_name, request, status) => {
      http = await startHttp();
      const client = open(http);
      client.send(request);
      const text = await client.closed();
      expect(answersIn(text)).toEqual([status]);
      expect(text).toMatch(/^x-request-id: /im);
      expect((await http.request('get', '/livez')).status).toBe(200);
    });
  });

  describe('S19 slow clients', () => {
    const limits = { headersTimeoutMs: 50, requestTimeoutMs: 100, checkIntervalMs: 10 };

    it('closes a connection whose headers do not come, with 408', async () => {
      http = await startHttp({ limits });
      const client = open(http);
      client.send('GET /livez HTTP/1.1\r\nHost: loc');
      const text = await client.closed();
      expect(answersIn(text)).toEqual([408]);
      expect(text).toContain('/api/problems/request-timeout');
    });

    it('closes a connection whose body does not come, and calls no command', async () => {
      http = await startHttp({ limits });
      const client = open(http);
      client.send(
        `POST /api/links HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"url":`,
      );
      expect(answersIn(await client.closed())).toEqual([408]);
      expect(http.fake.commandsCalled).toEqual([]);
    });

    it('keeps good clients going beside 200 slow ones, whose connections all end', async () => {
      http = await startHttp({ limits });
      const slow = Array.from({ length: 200 }, () => open(http));
      for (const client of slow) client.send('GET /livez HTTP/1.1\r\nX-Slow: ');
      expect((await http.request('get', '/livez')).status).toBe(200);
      await Promise.all(slow.map((client) => client.closed()));
      expect((await http.request('get', '/livez')).status).toBe(200);
    });
  });

  it('asks the door first and Express for the rest', async () => {
    const asked: string[] = [];
    http = await startHttp({
      app: {
        door: (request, response) => {
          asked.push(String(request.url));
          if (request.url !== '/abc') return false;
          response.writeHead(302, { Location: 'https://example.com/' }).end();
          return true;
        },
      },
    });
    const client = open(http);
    client.send(`GET /abc HTTP/1.1\r\n${head}\r\nGET /livez HTTP/1.1\r\n${head}Connection: close\r\n\r\n`);
    expect(answersIn(await client.closed())).toEqual([302, 200]);
    expect(asked).toEqual(['/abc', '/livez']);
  });

  it('closes connections after their answer while it drains, and goes on serving', async () => {
    http = await startHttp();
    const client = open(http);
    client.send(`GET /livez HTTP/1.1\r\n${head}\r\n`);
    await client.until(/"ok"/);
    http.http.drain();
    client.send(`GET /livez HTTP/1.1\r\n${head}\r\n`);
    const text = await client.closed();
    expect(answersIn(text)).toEqual([200, 200]);
    expect(text.match(/connection: (keep-alive|close)/gi)).toEqual(['Connection: keep-alive', 'Connection: close']);
    expect((await http.request('get', '/livez')).status).toBe(200);
  });

  it('lets a running request end when it closes, and takes no new ones', async () => {
    http = await startHttp();
    let openGate = () => {};
    const gate = new Promise<void>((resolve) => {
      openGate = resolve;
    });
    let entered = () => {};
    const inside = new Promise<void>((resolve) => {
      entered = resolve;
    });
    http.fake.beforeCommand = () => {
      entered();
      return gate;
    };
    const idle = open(http);
    const answer = http
      .request('post', '/api/links')
      .send({ url: 'https://example.com/' })
      .then((it) => it);
    await inside;
    const closing = http.close();
    await idle.closed();
    openGate();
    expect((await answer).status).toBe(201);
    await closing;
    const late = open(http);
    expect(await late.closed()).toBe('');
  });

  it('sends a long answer to its end when it closes meanwhile', async () => {
    http = await startHttp();
    const client = open(http);
    client.send(`GET /api/docs/swagger-ui-bundle.js HTTP/1.1\r\n${head}\r\n`);
    await client.until(/content-length: \d+/i);
    client.socket.pause();
    const closing = http.close();
    client.socket.resume();
    const text = await client.closed();
    const length = Number(/content-length: (\d+)/i.exec(text)?.[1]);
    expect(text.length - text.indexOf('\r\n\r\n') - 4).toBe(length);
    expect(length).toBeGreaterThan(1_000_000);
    await closing;
  });

  it('cuts what still runs when the grace is over', async () => {
    http = await startHttp({ limits: { closeGraceMs: 30 } });
    let entered = () => {};
    const inside = new Promise<void>((resolve) => {
      entered = resolve;
    });
    http.fake.beforeCommand = () => {
      entered();
      return new Promise<void>(() => {});
    };
    const answer = http.request('post', '/api/links').send({ url: 'https://example.com/' });
    const failure = answer.then(
      () => 'answered',
      () => 'cut',
    );
    await inside;
    await http.close();
    expect(await failure).toBe('cut');
  });

  it('tells when the address is taken', async () => {
    http = await startHttp();
    const other = await startHttp();
    await other.close();
    await expect(other.http.listen(http.port, '127.0.0.1')).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});
