import { createServer, type Server } from 'node:net';
import { call, postForm, postJson, type Reply, sendRaw, statusesIn } from '../support/http-client.ts';
import { type RunningProgram, startProgram } from '../support/running-program.ts';
import { type Traces, tracesOf } from '../support/traces.ts';

/**
 * Targets that no link may have, through every door of the whole program: the API, the form, a change of a link, and the
 * question for statistics by URL. The rules themselves are tried at length in `test/domain/target-url.test.ts`.
 */
describe('a target that is refused', () => {
  let program: RunningProgram;
  let before: Traces;
  beforeAll(async () => {
    program = await startProgram();
    const victim = await postJson(program.port, '/api/links', { url: 'https://example.com/kept', alias: 'victim' });
    expect(victim.status).toBe(201);
  });
  afterAll(() => program.dispose());
  beforeEach(async () => {
    before = await tracesOf(program);
  });
  afterEach(async () => {
    expect(await tracesOf(program)).toEqual(before);
    expect(program.output).toBe('');
    const victim = await call(program.port, { method: 'HEAD', path: '/victim' });
    expect(victim.headers.location).toBe('https://example.com/kept');
  });

  interface ProblemBody {
    readonly status: number;
    readonly errors?: readonly { readonly field: string; readonly code: string }[];
  }

  function expectShortProblem(reply: Reply, code: string | undefined): void {
    expect(reply.status).toBe(422);
    expect(reply.headers['content-type']).toBe('application/problem+json');
    expect(reply.text.length).toBeLessThan(2_000);
    const problem = JSON.parse(reply.text) as ProblemBody;
    expect(problem.errors?.map(({ field }) => field)).toContain('url');
    if (code !== undefined) expect(problem.errors?.map((error) => error.code)).toContain(code);
  }

  /** The form completes a bare host, as it promises; for those the two doors differ. */
  async function expectRefusedEverywhere(url: string, code?: string, { form = true } = {}): Promise<void> {
    const { port } = program;
    expectShortProblem(await postJson(port, '/api/links', { url }), code);
    expectShortProblem(await postJson(port, '/api/links', { url, alias: 'planted' }), code);
    const change = JSON.stringify({ url });
    const headers = { 'Content-Type': 'application/merge-patch+json' };
    expectShortProblem(await call(port, { method: 'PATCH', path: '/api/links/victim', headers, body: change }), code);
    if (form) {
      const page = await postForm(port, { url });
      expect(page.status).toBe(422);
      expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
      expect(page.headers.location).toBeUndefined();
    }
    const encoded = encodeURIComponent(url);
    expect((await call(port, { path: `/api/stats?url=${encoded}` })).status).toBeLessThan(500);
    expect((await call(port, { path: `/api/links?url=${encoded}` })).status).toBeLessThan(500);
  }

  it.each([
    'javascript:alert(1)',
    'JaVaScRiPt:alert(document.cookie)',
    ' javascript:alert(1)',
    'javascript://example.com/%0aalert(1)',
    'javascript:https://example.com/',
    'data:text/html,<script>alert(1)</script>',
    'data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==',
    'vbscript:msgbox(1)',
    'blob:https://example.com/9115d58c-bcda-ff47-86e5-083e9a215304',
    'file:///etc/passwd',
    'filesystem:https://example.com/temporary/x.html',
    'intent://scan/#Intent;scheme=zxing;package=com.example;end',
    'view-source:https://example.com/',
    'about:blank',
    'ftp://example.com/',
    'ws://example.com/',
    'mailto:a@example.com',
    'tel:+4912345',
    'sms:+4912345',
    'chrome://settings/',
    'ms-word:ofe|u|https://example.com/x.doc',
    'httpx://example.com/',
  ])('S1 refuses active and foreign schemes: %s', (url) => expectRefusedEverywhere(url, 'scheme-not-allowed'));

  it.each([
    'java\tscript:alert(1)',
    'java\nscript:alert(1)',
    '\u0001javascript:alert(1)',
    'javascript\u0000:alert(1)',
    'javascript&colon;alert(1)',
    '&#106;avascript:alert(1)',
    '%6aavascript:alert(1)',
    'java script:alert(1)',
    '\u00a0javascript:alert(1)',
    'ｊａｖａｓｃｒｉｐｔ:alert(1)',
  ])('S1 is not taken in by hidden schemes: %j', (url) => expectRefusedEverywhere(url));

  it.each([
    '//example.com/',
    '///example.com/',
    '/path',
    '../path',
    '?query',
    '#fragment',
    '\\\\example.com\\share',
    'https:\\\\example.com',
    'https:/\\example.com',
    'http:example.com',
    'http:/example.com',
    'http:///example.com',
    'https://',
    'https:///',
    'https://?q',
    'word',
    '://example.com',
    'localhost:3000',
    'https://example.com:99999/',
    'https://exa mple.com/',
    'https://[::1',
  ])('S2 never completes or mends what is odd: %s', (url) => expectRefusedEverywhere(url));

  it.each(['example.com', 'example.com/path', 'example.com:8080/path'])(
    'S2 leaves completing a bare host to the form, the API refuses %s',
    (url) => expectRefusedEverywhere(url, 'not-absolute', { form: false }),
  );

  it.each([
    'https://user@example.com/',
    'https://user:password@example.com/',
    'https://:password@example.com/',
    'https://@example.com/',
    'https://example.com@evil.example/',
    'https://example.com:443@evil.example/',
    'https://a@b@c.example/',
    'https://example.com%40@evil.example/',
  ])('S3 refuses credentials: %s', (url) => expectRefusedEverywhere(url, 'credentials-not-allowed'));

  it.each([
    'https://example.com/\r\nSet-Cookie: a=b',
    'https://example.com/\nX-Injected: 1',
    'https://example.com/\r',
    'https://example.com/\t',
    'https://exam\tple.com/',
    'https://example.com/\u0000',
    'https://example.com/\u000b\u000c',
    'https://example.com/\u001b[31m',
    'https://example.com/\u007f',
    'https://example.com/\u0085',
    'https://example.com/\u2028',
    'https://example.com/\u2029',
    'https://example.com/\ufeff\u0000',
  ])('S4 refuses control characters: %j', (url) => expectRefusedEverywhere(url, 'characters-not-allowed'));

  it.each(['"https://example.com/\\ud800"', '"https://example.com/\\udc00\\ud800x"'])(
    'S4 refuses lone surrogates in JSON: %s',
    async (url) => {
      expectShortProblem(await postJson(program.port, '/api/links', `{"url":${url}}`), 'characters-not-allowed');
    },
  );

  it.each([
    ['the path', 'GET /victim\r\nX-Injected: 1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'],
    ['a bare CR in the path', 'GET /vic\rtim HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'],
    ['a NUL in the path', 'GET /vic\0tim HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'],
    ['a NUL in a header', 'GET /victim HTTP/1.1\r\nHost: localhost\r\nUser-Agent: a\0b\r\nConnection: close\r\n\r\n'],
    [
      'a bare CR in a header',
      'GET /victim HTTP/1.1\r\nHost: localhost\r\nReferer: a\rX-Injected: 1\r\nConnection: close\r\n\r\n',
    ],
    ['a DEL in the path', 'GET /vic\x7ftim HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'],
  ])('S4 answers controls in %s with 400 alone and injects no header', async (_name, bytes) => {
    const received = await sendRaw(program.port, bytes);
    expect(statusesIn(received)).toHaveLength(1);
    expect(statusesIn(received)[0]).toBeGreaterThanOrEqual(400);
    expect(statusesIn(received)[0]).toBeLessThan(500);
    expect(received.toLowerCase()).not.toContain('x-injected');
    expect(received).not.toMatch(/location:/i);
  });

  it.each([
    '/%0d%0aX-Injected:%201',
    '/victim%0d%0aX-Injected:%201',
    '/api/links/%0d%0aX-Injected:%201',
    '/api/links?cursor=%0d%0aX-Injected:%201',
    '/links?q=%0d%0aX-Injected:%201',
    '/stats/victim?zone=%0d%0aX-Injected:%201',
    '/api/aliases/%0d%0aX-Injected:%201',
    '/api/links/victim/qr.svg?%0d%0aX-Injected:%201',
    '/api/docs/%0d%0aX-Injected:%201',
    '/api/problems/%0d%0aX-Injected:%201',
    '/api/stream?codes=%0d%0aX-Injected:%201',
  ])('S4 writes no header out of %s', async (path) => {
    const reply = await call(program.port, { path });
    expect(reply.status).toBeLessThan(500);
    expect(reply.headers['x-injected']).toBeUndefined();
  });

  it.each([
    (port: number) => `http://localhost:${port}/victim`,
    (port: number) => `http://LOCALHOST:${port}/`,
    (port: number) => `http://localhost.:${port}/`,
    (port: number) => `http://127.0.0.1:${port}/victim`,
    (port: number) => `http://127.1:${port}/`,
    (port: number) => `http://0x7f000001:${port}/`,
    (port: number) => `http://2130706433:${port}/`,
    (port: number) => `http://[::1]:${port}/`,
    (port: number) => `http://[::ffff:127.0.0.1]:${port}/`,
    (port: number) => `https://localhost:${port}/`,
    (port: number) => `http://ｌｏｃａｌｈｏｓｔ:${port}/`,
  ])('S8 refuses our own host in every spelling (%#)', (spell) =>
    expectRefusedEverywhere(spell(program.port), 'own-host'),
  );

  it.each([
    'http://localhost/',
    'http://app.localhost/',
    'http://printer.local/',
    'http://metadata.google.internal/computeMetadata/v1/',
    'http://127.0.0.1:9200/',
    'http://127.1/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://0177.0.0.1/',
    'http://0/',
    'http://10.0.0.1/',
    'http://100.64.0.1/',
    'http://169.254.169.254/latest/meta-data/iam/',
    'http://0xa9fea9fe/',
    'http://172.16.0.1/',
    'http://192.168.1.1/',
    'http://[::]/',
    'http://[::1]/',
    'http://[fd00:ec2::254]/',
    'http://[fe80::1]/',
    'http://[::ffff:169.254.169.254]/',
    'http://[64:ff9b::a9fe:a9fe]/',
    'http://①②⑦.0.0.1/',
    'http://127。0。0。1/',
  ])('S10 refuses private, loopback and metadata targets: %s', (url) => expectRefusedEverywhere(url, 'private-target'));
});

/** Of addresses that parsers read differently, the one reading that is stored is the one that is sent. */
describe('a target that is taken', () => {
  let program: RunningProgram;
  beforeAll(async () => {
    program = await startProgram();
  });
  afterAll(() => program.dispose());

  const odd = [
    'HTTP://EXAMPLE.COM/',
    'https://example.com/a/../b/./c',
    'https://example.com/%2e%2e/x',
    'https://example.com/%00%0d%0aSet-Cookie:%20a=b',
    'https://example.com/%5c..%5c',
    'https://example.com/?a=1&a=2&next=https://user@other.example/#@evil.example',
    'https://example.com/<script>alert(1)</script>',
    'https://example.com/"\'`{}|^',
    'https://example.com/;jsessionid=1?x=<&y=>',
    'https://example.com//evil.example/%2f%2f',
    'https://example.com:443/x',
    'https://example.com:8443/x',
    'https://example.com./x',
    'https://bücher.example/straße?größe=ß#ü',
    'https://xn--bcher-kva.example/',
    'https://аррӏе.example/',
    'https://example.com/\u202ereversed',
    'https://пример.example/\u200d\u200b',
    'https://example.com/\u{1f600}?q=\u{1f680}#\u{1f4a9}',
    'https://example.com/%ff%fe%c0%af',
    'http://8.8.8.8/',
    'http://[2606:4700:4700::1111]/dns',
    `https://example.com/${'a'.repeat(2_028)}`,
    `https://${'a'.repeat(63)}.${'b'.repeat(63)}.example/`,
    'https://sub_domain.example/',
    'https://example.museum/~user/file.tar.gz?download=1#L10-L20',
  ];

  it.each(odd)('S5, S6 and S44 goes out byte for byte as it was parsed once, in one line of ASCII: %s', async (url) => {
    const { port } = program;
    const created = await postJson(port, '/api/links', { url, unique: true });
    expect(created.status).toBe(201);
    const link = JSON.parse(created.text) as { code: string; url: string };
    expect(link.url).toBe(new URL(url).href);

    const received = await sendRaw(
      port,
      `GET /${link.code} HTTP/1.1\r\nHost: localhost:${port}\r\nConnection: close\r\n\r\n`,
    );
    const [head = '', body] = received.split('\r\n\r\n');
    const locations = head.split('\r\n').filter((line) => /^location:/i.test(line));
    expect(locations).toEqual([`Location: ${new URL(url).href}`]);
    expect(head).toMatch(/^[\r\n\x20-\x7e]*$/);
    expect(head).not.toMatch(/^set-cookie:/im);
    // A body would be a second place for the target to do harm (S6).
    expect(body).toBe('');
    expect(head).toMatch(/^content-length: 0$/im);
  });

  it('S44 is nearly every address that people use: all of a thousand ordinary shapes', async () => {
    const hosts = ['example.com', 'www.example.co.uk', 'a.b.c.example.org', 'bücher.example', '93.184.216.34'];
    const ports = ['', ':8080'];
    const paths = ['', '/', '/a', '/a/b.html', '/ä/ö', '/%20x', '/a;b=c', '/(x)', '/~u/', '/a,b', '/@user', '/a+b'];
    const tails = ['', '?a=b', '?a=b&c=d%26', '?utm_source=x', '#frag', '?q=a+b#c', '?u=https://example.com/?x=y'];
    const urls = hosts.flatMap((host) =>
      ports.flatMap((port) => paths.flatMap((path) => tails.map((tail) => `https://${host}${port}${path}${tail}`))),
    );
    const refused: string[] = [];
    for (let start = 0; start < urls.length; start += 40) {
      const chunk = urls.slice(start, start + 40);
      const replies = await Promise.all(chunk.map((url) => postJson(program.port, '/api/links', { url })));
      replies.forEach((reply, index) => {
        if (reply.status !== 201 && reply.status !== 200) refused.push(chunk[index] ?? '');
      });
    }
    expect(urls.length).toBeGreaterThan(800);
    expect(refused).toEqual([]);
  });

  it('S7 is previewed with its encoded host when letters of two scripts could deceive', async () => {
    const created = await postJson(program.port, '/api/links', { url: 'https://аpple.example/', alias: 'mixed' });
    expect(created.status).toBe(201);
    const { text } = await call(program.port, { path: '/mixed+', headers: { Accept: 'text/html' } });
    expect(text).toContain(new URL('https://аpple.example/').host);
    expect(text).toContain('xn--');
  });

  it('S7 with marks that turn the direction of text shows them only encoded', async () => {
    await postJson(program.port, '/api/links', { url: 'https://example.com/\u202egpj.exe', alias: 'bidi' });
    for (const path of ['/bidi+', '/links', '/links/bidi', '/stats/bidi']) {
      const { text } = await call(program.port, { path, headers: { Accept: 'text/html' } });
      expect(text).not.toContain('\u202e');
    }
  });
});

describe('links that would lead in circles (S8)', () => {
  let program: RunningProgram;
  beforeAll(async () => {
    program = await startProgram({ env: { ALLOW_PRIVATE_TARGETS: 'on' } });
  });
  afterAll(() => program.dispose());

  it('S8 are refused at creation also where private targets are allowed', async () => {
    const before = await tracesOf(program);
    for (const host of ['localhost', '127.0.0.1', '0x7f.1', '[::1]', 'localhost.']) {
      const reply = await postJson(program.port, '/api/links', { url: `http://${host}:${program.port}/x` });
      expect(reply.status).toBe(422);
      expect(reply.text).toContain('own-host');
    }
    expect(await tracesOf(program)).toEqual(before);
  });

  it('S8 are not followed when BASE_URL has become the host of an older target', async () => {
    const created = await postJson(program.port, '/api/links', { url: 'http://later.example/abc', alias: 'looping' });
    expect(created.status).toBe(201);
    await program.restart({ BASE_URL: 'http://later.example' });
    const before = await tracesOf(program);
    const reply = await call(program.port, { path: '/looping', headers: { Host: 'later.example' } });
    expect(reply.status).toBe(410);
    expect(reply.headers.location).toBeUndefined();
    expect(await tracesOf(program)).toEqual(before);
  });
});

describe('outbound requests (S9)', () => {
  let program: RunningProgram;
  const canaries: { server: Server; port: number }[] = [];
  let contacts = 0;

  beforeAll(async () => {
    program = await startProgram({ env: { ALLOW_PRIVATE_TARGETS: 'on' } });
    for (let index = 0; index < 3; index++) {
      const server = createServer((socket) => {
        contacts += 1;
        socket.destroy();
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      canaries.push({ server, port: (server.address() as { port: number }).port });
    }
  });
  afterAll(async () => {
    await program.dispose();
    for (const { server } of canaries) await new Promise((resolve) => server.close(resolve));
  });

  it.each([
    (port: number) => `http://127.0.0.1:${port}/title`,
    (port: number) => `http://localhost:${port}/favicon.ico`,
    (port: number) => `http://2130706433:${port}/latest/meta-data/`,
    (port: number) => `http://[::ffff:127.0.0.1]:${port}/`,
    (port: number) => `https://127.0.0.1:${port}/tls`,
  ])('S9 are never made, whatever is done with the link (%#)', async (spell) => {
    const { port } = program;
    for (const canary of canaries) {
      const url = spell(canary.port);
      const created = await postJson(port, '/api/links', { url, unique: true });
      expect(created.status).toBe(201);
      const { code } = JSON.parse(created.text) as { code: string };
      const encoded = encodeURIComponent(url);
      const referer = `http://127.0.0.1:${canary.port}/referring-page`;
      expect((await call(port, { path: `/${code}`, headers: { Referer: referer } })).status).toBe(302);
      expect((await postForm(port, { url })).status).toBe(303);
      for (const path of [
        `/${code}+`,
        `/links/${code}`,
        `/stats/${code}`,
        '/links',
        `/api/links/${code}`,
        `/api/links/${code}/stats`,
        `/api/links/${code}/history`,
        `/api/links/${code}/qr.svg`,
        `/api/links/${code}/qr.png`,
        `/api/links?url=${encoded}`,
        `/api/stats?url=${encoded}`,
      ]) {
        const reply = await call(port, { path, headers: { Accept: 'text/html, application/json' } });
        expect([path, reply.status]).toEqual([path, 200]);
      }
    }
    expect(contacts).toBe(0);
  });
});
