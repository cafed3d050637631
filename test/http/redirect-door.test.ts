import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { Link } from '../../src/domain/link.ts';
import type { Visit } from '../../src/domain/visit.ts';
import { createClientAddress } from '../../src/http/client-address.ts';
import { createRedirectDoor, type RedirectOutcome } from '../../src/http/redirect-door.ts';
import { redirectMissStatus } from '../../src/http/redirect-miss.ts';
import { createVisitDescription } from '../../src/http/visit-description.ts';
import type { JournalCallback } from '../../src/ports/visit-journal.ts';
import type { VisitLimits } from '../../src/ports/visit-limits.ts';
import { decodeVisit, encodeVisit } from '../../src/serde/visit.ts';

const chrome =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.6099.71 Safari/537.36';
const nowMs = 1_790_000_000_000;

function linkTo(url: string, changes: Partial<Link> = {}): Link {
  return {
    code: 'abc1234',
    url,
    version: 1,
    kind: 'own',
    createdAt: 1,
    updatedAt: 1,
    expiresAt: null,
    maxVisits: null,
    tags: [],
    note: null,
    disabled: false,
    deletedAt: null,
    ordinal: 1,
    ...changes,
  };
}

/** A door on a loopback port with everything behind it in memory. */
class World {
  readonly links = new Map<string, Link>();
  readonly journaled: { code: string; value: string }[] = [];
  readonly outcomes: RedirectOutcome[] = [];
  readonly warnings: string[] = [];
  readonly misses = { left: Number.POSITIVE_INFINITY };
  limits: VisitLimits = {
    take: () => 'taken',
    look: () => 'left',
    seed: () => Promise.resolve(),
    giveBack: () => {},
  };
  /** What happens before a code is called unknown. */
  passBarrier: ((code: string) => Promise<void>) | null = null;
  journalError: Error | null = null;
  readError: Error | null = null;
  /** Holds the callbacks of the journal back until it is called. */
  heldBack: (() => void)[] | null = null;
  nowMs = nowMs;
  draining = false;
  passedOn = 0;
  server: Server = createServer();
  private sequence = 0;

  async open(): Promise<void> {
    const logger = {
      debug: () => {},
      info: () => {},
      warn: (_fields: object, message: string) => void this.warnings.push(message),
      error: (_fields: object, message: string) => void this.warnings.push(message),
      child: () => logger,
    };
    const door = createRedirectDoor({
      linkTable: {
        find: (code) => {
          if (this.readError !== null) throw this.readError;
          return this.links.get(code);
        },
      },
      barrier: { pass: (code) => this.passBarrier?.(code) ?? null },
      journal: { producerId: 'producer', append: (code, value, done) => this.append(code, value, done) },
      limits: {
        take: (code, max) => this.limits.take(code, max),
        look: (code, max) => this.limits.look(code, max),
        seed: (code, max, next) => this.limits.seed(code, max, next),
        giveBack: (code) => this.limits.giveBack(code),
      },
      description: createVisitDescription({ saltAt: () => 'salt' }),
      encodeVisit,
      clientAddress: createClientAddress({ hops: 0 }),
      clock: { nowMs: () => this.nowMs, monotonicMs: () => this.nowMs },
      logger,
      isReserved: (code) => ['api', 'links', 'stats'].includes(code.toLowerCase()),
      isOwnHost: (host) => host === this.host || host === 'tally.example',
      missLimiter: {
        take: () => {
          if (this.misses.left === 0) return 17;
          this.misses.left -= 1;
          return 0;
        },
      },
      answerMiss: (_request, response, miss, link, retryAfterSeconds) => {
        const headers = { 'Content-Type': 'text/plain', 'X-Miss': miss, 'X-Link': link?.code ?? '-' };
        const retry = retryAfterSeconds > 0 ? { 'Retry-After': retryAfterSeconds } : {};
        response.writeHead(redirectMissStatus[miss], { ...headers, ...retry });
        response.end(miss);
      },
      isDraining: () => this.draining,
      observe: (outcome) => void this.outcomes.push(outcome),
    });
    this.server.on('request', (request, response) => {
      if (door(request, response)) return;
      this.passedOn += 1;
      response.writeHead(299).end('passed on');
    });
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
  }

  private append(code: string, lent: Uint8Array, done: JournalCallback): void {
    const value = Buffer.from(lent).toString();
    const finish = (): void => {
      if (this.journalError !== null) {
        done(this.journalError, -1);
        return;
      }
      this.journaled.push({ code, value });
      done(null, this.sequence++);
    };
    if (this.heldBack === null) setImmediate(finish);
    else this.heldBack.push(finish);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  visits(): Visit[] {
    return this.journaled.map(({ code, value }) => decodeVisit(code, Buffer.from(value)));
  }

  /** Sends bytes as they are and returns all that comes back until the connection ends. */
  raw(request: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.port, '127.0.0.1', () => socket.write(Buffer.from(request, 'latin1')));
      const chunks: Buffer[] = [];
      socket.on('data', (chunk) => chunks.push(chunk));
      socket.on('error', reject);
      socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
    });
  }

  async request(
    method: string,
    target: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ status: number; headers: ReadonlyMap<string, string>; body: string }> {
    const all = { Host: this.host, 'User-Agent': chrome, Connection: 'close', ...headers };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    const answer = await this.raw(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`);
    const [head = '', body = ''] = answer.split(/\r\n\r\n(.*)/s);
    const [statusLine = '', ...headerLines] = head.split('\r\n');
    const pairs = headerLines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 2)];
    });
    return { status: Number(statusLine.split(' ')[1]), headers: new Map(pairs), body };
  }

  get(target: string, headers: Readonly<Record<string, string>> = {}) {
    return this.request('GET', target, headers);
  }
}

describe('the redirect door', () => {
  let world: World;
  beforeEach(async () => {
    world = new World();
    world.links.set('abc1234', linkTo('https://example.org/'));
    await world.open();
  });
  afterEach(() => new Promise((resolve) => world.server.close(resolve)));

  it('answers a known code with 302, no body and no permission to cache, after the visit is journaled', async () => {
    const answer = await world.get('/abc1234');
    expect(answer.status).toBe(302);
    expect(answer.body).toBe('');
    expect(Object.fromEntries(answer.headers)).toEqual({
      location: 'https://example.org/',
      'cache-control': 'private, no-store',
      'content-length': '0',
      'x-request-id': 'producer-0',
      date: expect.any(String),
      connection: 'close',
    });
    expect(world.visits()).toMatchObject([{ code: 'abc1234', at: nowMs, linkVersion: 1, class: 'human' }]);
    expect(world.outcomes).toEqual(['redirected']);
  });

  it('sees a link that another instance made a moment ago before it calls a code unknown', async () => {
    world.passBarrier = async (code) => void world.links.set(code, linkTo('https://example.org/new', { code }));
    expect((await world.get('/new1234')).headers.get('location')).toBe('https://example.org/new');
    expect(world.visits()).toMatchObject([{ code: 'new1234' }]);
  });

  it('answers 404 when the link is not there behind the barrier either, and asks once', async () => {
    let asked = 0;
    world.passBarrier = async () => void asked++;
    expect((await world.get('/new1234')).status).toBe(404);
    expect(asked).toBe(1);
    expect((await world.get('/abc1234')).status).toBe(302);
    expect(asked).toBe(1);
  });

  it('answers 503 and never 404 when it cannot be learned whether there is a link', async () => {
    world.passBarrier = () => Promise.reject(new Error('the log is away'));
    const answer = await world.get('/new1234');
    expect(answer.status).toBe(503);
    expect(world.outcomes).toEqual(['unavailable']);
    expect(world.warnings).toHaveLength(1);
  });

  it('writes nothing to the socket before the journal has the visit', async () => {
    const heldBack: (() => void)[] = [];
    world.heldBack = heldBack;
    const reached = new Promise<void>((resolve) => world.server.once('request', () => resolve()));
    let answered = false;
    const answer = world.get('/abc1234').then((result) => {
      answered = true;
      return result;
    });
    await reached;
    await new Promise((resolve) => setImmediate(resolve));
    expect(heldBack).toHaveLength(1);
    expect(answered).toBe(false);
    heldBack[0]?.();
    expect((await answer).status).toBe(302);
  });

  it.each([
    'https://example.org/',
    "https://example.org/a%0D%0ASet-Cookie:%20x=1?'q'=[1]&b={2}|^`~!*();:@&=+$,#frag%00",
    'https://xn--bcher-kva.example/%C3%A4?%E2%82%AC#%F0%9F%98%80',
    'http://example.org:8080//double//slash/y?a=b?c#d#e',
    'https://example.org/%3Cscript%3Ealert(1)%3C/script%3E',
    'https://example.org/%2e%2e/%252e%5C',
    `https://example.org/${'x'.repeat(2_000)}`,
  ])('gives the target byte for byte (S5, S6): %s', async (url) => {
    const { href } = new URL(url);
    world.links.set('abc1234', linkTo(href));
    const answer = await world.get('/abc1234');
    expect(answer.headers.get('location')).toBe(href);
    expect(answer.body).toBe('');
    expect([...answer.headers.keys()].sort()).toEqual([
      'cache-control',
      'connection',
      'content-length',
      'date',
      'location',
      'x-request-id',
    ]);
  });

  it.each(['/abc1234/', '/abc1234?x=1', '/abc1234/?utm_source=a', '/abc1234?'])('tolerates %s', async (target) => {
    expect((await world.get(target)).headers.get('location')).toBe('https://example.org/');
  });

  it('accepts the absolute form when its host is ours, whatever the header says', async () => {
    expect((await world.get('http://tally.example/abc1234', { Host: 'other.example' })).status).toBe(302);
    expect((await world.get('http://other.example/abc1234')).status).toBe(421);
  });

  it.each([
    '/',
    '//abc1234',
    '/abc1234//',
    '/abc1234/x',
    '/abc1234+',
    '/abc1234.html',
    '/abc%31234',
    '/%61bc1234',
    '/..%2fabc1234',
    '/%2e%2e/abc1234',
    '/abc1234%00',
    '/abc1234;x',
    '/abc1234\\',
    '/abc1234#x',
    '/%c0%afabc1234',
    '/abc1234%0d%0aX-Injected:1',
    '/ab\u00e91234',
    `/${'a'.repeat(65)}`,
    '/api',
    '/API',
    '/links/',
    '/stats?x',
  ])('leaves %s to others and journals nothing (S4, S16)', async (target) => {
    world.links.set('api', linkTo('https://evil.example/', { code: 'api' }));
    const answer = await world.get(target);
    expect([299, 400]).toContain(answer.status);
    expect(answer.headers.has('x-injected')).toBe(false);
    expect(world.journaled).toEqual([]);
  });

  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND'])(
    'leaves %s to others and journals nothing (S17)',
    async (method) => {
      const answer = await world.request(method, '/abc1234', {
        'X-HTTP-Method-Override': 'GET',
        'Content-Length': '0',
      });
      expect(answer.status).toBe(299);
      expect(world.passedOn).toBe(1);
      expect(world.journaled).toEqual([]);
    },
  );

  it('answers HEAD the same without a visit, and under a request id of its own (S17)', async () => {
    const ids = new Set<string | undefined>();
    for (let time = 0; time < 3; time++) {
      const answer = await world.request('HEAD', '/abc1234');
      expect(answer.status).toBe(302);
      expect(answer.headers.get('location')).toBe('https://example.org/');
      ids.add(answer.headers.get('x-request-id'));
    }
    expect(ids.size).toBe(3);
    expect(world.journaled).toEqual([]);
  });

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])('knows no code %s', async (code) => {
    const answer = await world.get(`/${code}`);
    expect(answer.status).toBe(404);
    expect(answer.headers.get('x-miss')).toBe('not-found');
  });

  it('never answers from a code in another case', async () => {
    expect((await world.get('/ABC1234')).status).toBe(404);
  });

  describe('with a link that does not redirect', () => {
    it.each([
      ['deleted', { deletedAt: 5 }],
      ['disabled', { disabled: true }],
      ['expired', { expiresAt: nowMs - 1 }],
    ])('answers 410: %s', async (miss, changes) => {
      world.links.set('abc1234', linkTo('https://example.org/', changes));
      for (const method of ['GET', 'HEAD']) {
        const answer = await world.request(method, '/abc1234');
        expect(answer.status).toBe(410);
        expect(answer.headers.get('x-miss')).toBe(miss);
        expect(answer.headers.has('location')).toBe(false);
      }
      expect(world.journaled).toEqual([]);
    });

    it('compares the expiry to the millisecond', async () => {
      world.links.set('abc1234', linkTo('https://example.org/', { expiresAt: nowMs }));
      world.nowMs = nowMs - 1;
      expect((await world.get('/abc1234')).status).toBe(302);
      world.nowMs = nowMs;
      expect((await world.get('/abc1234')).status).toBe(410);
    });

    it.each([
      'http://tally.example/other',
      'https://TALLY.example/',
      'https://tally.example./other',
      'https://tally.example:443/?a',
    ])('refuses a target that is on our own host by now: %s (S8)', async (url) => {
      world.links.set('abc1234', linkTo(new URL(url).href));
      const answer = await world.get('/abc1234');
      expect(answer.status).toBe(410);
      expect(answer.headers.get('x-miss')).toBe('loop');
      expect(world.journaled).toEqual([]);
    });

    it('tells a loop from a host that only begins like ours', async () => {
      world.links.set('abc1234', linkTo('https://tally.example.org/'));
      expect((await world.get('/abc1234')).status).toBe(302);
    });
  });

  describe('with a client that guesses codes (S22)', () => {
    it('answers 429 beyond the limit, the same for a code that is gone, and still redirects live links', async () => {
      world.links.set('expired', linkTo('https://example.org/', { code: 'expired', expiresAt: 1 }));
      world.misses.left = 2;
      expect((await world.get('/unknown')).status).toBe(404);
      expect((await world.get('/expired')).status).toBe(410);
      const unknown = await world.get('/unknown');
      const expired = await world.get('/expired');
      expect(unknown.status).toBe(429);
      expect(unknown.headers.get('retry-after')).toBe('17');
      expect(expired.body).toBe(unknown.body);
      const shape = (answer: { headers: ReadonlyMap<string, string> }) =>
        [...answer.headers].filter(([n]) => n !== 'date');
      expect(shape(expired)).toEqual(shape(unknown));
      expect((await world.get('/abc1234')).status).toBe(302);
    });
  });

  describe('with hostile headers', () => {
    it.each(['evil.example', 'tally.example.evil.example', 'tally.example:81', '', 'localhost'])(
      'answers 421 under the Host %j and journals nothing (S30)',
      async (host) => {
        expect((await world.get('/abc1234', { Host: host })).status).toBe(421);
        expect((await world.get('/abc1234')).status).toBe(302);
        expect((await world.get('/abc1234', { Host: host })).status).toBe(421);
        expect(world.journaled).toHaveLength(1);
      },
    );

    it('takes nothing for its answer from forwarded or odd headers (S30)', async () => {
      const plain = await world.get('/abc1234');
      const odd = await world.get('/abc1234', {
        'X-Forwarded-Host': 'evil.example',
        'X-Forwarded-Proto': 'https',
        'X-Original-URL': '/other',
        'X-Rewrite-URL': '/other',
        Accept: 'application/json;q=0.1, */*',
        'If-None-Match': '*',
        Range: 'bytes=0-1',
      });
      for (const same of ['location', 'cache-control', 'content-length']) {
        expect(odd.headers.get(same)).toBe(plain.headers.get(same));
      }
      expect(odd.status).toBe(302);
    });

    it('takes no id and no time from the client (S43)', async () => {
      await world.get('/abc1234?id=1&at=5&sequence=7', {
        'X-Request-Id': 'mine',
        'Idempotency-Key': 'mine',
        Date: 'Thu, 01 Jan 1970 00:00:00 GMT',
      });
      const again = await world.get('/abc1234', { 'X-Request-Id': 'mine', 'Idempotency-Key': 'mine' });
      expect(again.headers.get('x-request-id')).toBe('producer-1');
      expect(world.visits().map(({ at }) => at)).toEqual([nowMs, nowMs]);
    });

    it('records prefetches and bots in their class, never drops them (S43)', async () => {
      await world.get('/abc1234', { 'Sec-Purpose': 'prefetch;prerender' });
      await world.get('/abc1234', { 'User-Agent': 'Googlebot/2.1' });
      await world.get('/abc1234', { 'User-Agent': 'Googlebot/2.1', Purpose: 'prefetch' });
      await world.get('/abc1234');
      expect(world.visits().map((visit) => visit.class)).toEqual(['prefetch', 'bot', 'prefetch', 'human']);
    });

    it('survives headers of 12 KB each (S38)', async () => {
      const long = 'Mozilla/5.0 ('.repeat(300);
      const answer = await world.get(`/abc1234?utm_source=${'x'.repeat(3_000)}`, {
        'User-Agent': long,
        'Accept-Language': 'de,'.repeat(1_000),
        Referer: `https://${'a.'.repeat(1_000)}example/`,
      });
      expect(answer.status).toBe(302);
      expect((world.journaled[0]?.value ?? '').length).toBeLessThan(700);
    });

    it('journals no address, no full agent and no path or token of the referring page (S39)', async () => {
      await world.get('/abc1234?token=CANARYquery&utm_source=mail', {
        'User-Agent': `${chrome} CANARYagent/1.2.3 (CANARYcomment)`,
        Referer: 'https://referrer.example/CANARYpath?token=CANARYtoken#CANARYhash',
        'X-Forwarded-For': '198.51.100.77',
        Cookie: 'session=CANARYcookie',
        Authorization: 'Bearer CANARYbearer',
        'Accept-Language': 'de-CANARYregion',
      });
      const value = world.journaled[0]?.value ?? '';
      expect(value).toContain('referrer.example');
      expect(value).not.toMatch(/canary/i);
      expect(value).not.toContain('127.0.0.1');
      expect(value).not.toContain('198.51.100.77');
      expect(value).not.toContain('6099');
    });

    it('journals values with controls and markup as harmless text (S4, S28)', async () => {
      await world.get('/abc1234?utm_source=%0d%0aSet-Cookie:x%1b[31m&utm_campaign=%3Cscript%3E', {
        Referer: 'https://<script>.example/',
      });
      expect(world.visits()).toMatchObject([{ utmSource: 'Set-Cookie:x[31m', utmCampaign: '<script>', referrer: '' }]);
      expect(world.journaled[0]?.value).not.toMatch(/\p{Cc}/u);
    });
  });

  describe('with a limited link', () => {
    beforeEach(() => void world.links.set('abc1234', linkTo('https://example.org/', { maxVisits: 5 })));

    /** Counts in memory, known from the start unless `seeded` says otherwise. */
    function countedLimits(left: number, seeded = true) {
      const state = { left, seeded, seeds: 0 };
      world.limits = {
        take: () => {
          if (!state.seeded) return 'seeding';
          if (state.left === 0) return 'used-up';
          state.left -= 1;
          return 'taken';
        },
        look: () => {
          if (!state.seeded) return 'seeding';
          return state.left === 0 ? 'used-up' : 'left';
        },
        seed: async () => {
          state.seeds += 1;
          await new Promise((resolve) => setImmediate(resolve));
          state.seeded = true;
        },
        giveBack: () => {
          state.left += 1;
        },
      };
      return state;
    }

    it('answers five of fifty at once with 302 and the others with 410', async () => {
      countedLimits(5, false);
      const answers = await Promise.all(Array.from({ length: 50 }, () => world.get('/abc1234')));
      expect(answers.filter(({ status }) => status === 302)).toHaveLength(5);
      const others = answers.filter(({ status }) => status !== 302);
      expect(new Set(others.map(({ headers }) => headers.get('x-miss')))).toEqual(new Set(['used-up']));
      expect(world.journaled).toHaveLength(5);
    });

    it('lets bots, prefetches and HEAD use nothing up, and answers them 410 when all is used up', async () => {
      const state = countedLimits(1);
      const asked = () =>
        Promise.all([
          world.get('/abc1234', { 'User-Agent': 'Slackbot-LinkExpanding 1.0' }),
          world.get('/abc1234', { 'Sec-Purpose': 'prefetch' }),
          world.request('HEAD', '/abc1234'),
        ]);
      expect((await asked()).map(({ status }) => status)).toEqual([302, 302, 302]);
      expect(state.left).toBe(1);
      expect((await world.get('/abc1234')).status).toBe(302);
      expect((await asked()).map(({ status }) => status)).toEqual([410, 410, 410]);
    });

    it('learns for a take or for a look, with the limit that the link has', async () => {
      const asked: unknown[] = [];
      world.limits = {
        take: () => 'seeding',
        look: () => 'seeding',
        seed: async (...seed) => void asked.push(seed),
        giveBack: () => {},
      };
      await world.get('/abc1234');
      await world.request('HEAD', '/abc1234');
      expect(asked).toEqual([
        ...new Array(3).fill(['abc1234', 5, 'take']),
        ...new Array(3).fill(['abc1234', 5, 'look']),
      ]);
    });

    it('gives back what could not be journaled', async () => {
      const state = countedLimits(1);
      world.journalError = new Error('disk full');
      const failed = await world.get('/abc1234');
      expect(failed.status).toBe(503);
      expect(failed.headers.get('retry-after')).toBe('1');
      expect(state.left).toBe(1);
      world.journalError = null;
      expect((await world.get('/abc1234')).status).toBe(302);
    });

    it('answers 503 when what is used up cannot be known', async () => {
      countedLimits(5, false);
      world.limits.seed = () => Promise.reject(new Error('rebuilding'));
      const answer = await world.get('/abc1234');
      expect(answer.status).toBe(503);
      expect(answer.headers.get('retry-after')).toBe('1');
      expect((await world.get('/abc1234')).status).toBe(503);
      expect(world.warnings).toHaveLength(1);
      expect(world.journaled).toEqual([]);
    });

    it('answers 503 when the number is forgotten as fast as it is learnt', async () => {
      let seeds = 0;
      world.limits = {
        take: () => 'seeding',
        look: () => 'seeding',
        seed: async () => void seeds++,
        giveBack: () => {},
      };
      expect((await world.get('/abc1234')).status).toBe(503);
      expect(seeds).toBe(3);
    });

    it('decides anew after the number was learnt, because the link may have changed', async () => {
      const state = countedLimits(5, false);
      const { seed } = world.limits;
      world.limits.seed = async (code, maxVisits, next) => {
        await seed(code, maxVisits, next);
        world.links.set('abc1234', linkTo('https://example.org/', { maxVisits: 5, disabled: true }));
      };
      expect((await world.get('/abc1234')).status).toBe(410);
      expect(state.left).toBe(5);
    });
  });

  it('answers 503, neither 404 nor a crash, when links cannot be read, and says so once a minute', async () => {
    world.links.set('abc1234', linkTo('https://example.com/'));
    world.readError = new Error('a row fails its checksum');

    for (const path of ['/abc1234', '/unknown']) {
      const answer = await world.get(path);
      expect(answer.status).toBe(503);
      expect(answer.headers.get('retry-after')).toBe('1');
    }

    expect(world.warnings).toEqual(['links cannot be read: redirects are answered 503']);
    expect(world.journaled).toEqual([]);
    world.readError = null;
    expect((await world.get('/abc1234')).status).toBe(302);
  });

  it('answers 503 rather than an uncounted 302 when the journal fails', async () => {
    world.journalError = new Error('disk full');
    const answer = await world.get('/abc1234');
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(answer.headers.has('location')).toBe(false);
    expect(world.outcomes).toEqual(['unavailable']);
  });

  it('counts a visit whose client went away before the answer', async () => {
    const heldBack: (() => void)[] = [];
    world.heldBack = heldBack;
    const socket = connect(world.port, '127.0.0.1', () =>
      socket.write(`GET /abc1234 HTTP/1.1\r\nHost: ${world.host}\r\n\r\n`),
    );
    await new Promise<void>((resolve) =>
      world.server.once('request', (request) => {
        request.socket.once('close', () => resolve());
        socket.resetAndDestroy();
      }),
    );
    expect(heldBack).toHaveLength(1);
    heldBack[0]?.();
    expect(world.journaled).toHaveLength(1);
    world.heldBack = null;
    expect((await world.get('/abc1234')).status).toBe(302);
  });

  it('keeps connections until it drains, and then ends them with the answer', async () => {
    const request = `GET /abc1234 HTTP/1.1\r\nHost: ${world.host}\r\n\r\n`;
    world.server.keepAliveTimeout = 60_000;
    const socket = connect(world.port, '127.0.0.1');
    let received = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      received += chunk;
    });
    const ended = new Promise((resolve) => socket.on('close', resolve));
    const answers = (count: number) =>
      new Promise<void>((resolve) => {
        const look = () => (received.split('HTTP/1.1 302').length > count ? resolve() : socket.once('data', look));
        look();
      });
    socket.write(request);
    await answers(1);
    expect(received).toContain('Connection: keep-alive');
    world.draining = true;
    socket.write(request);
    await ended;
    expect(received.split('HTTP/1.1 302')).toHaveLength(3);
    expect(received.match(/Connection: close/g)).toHaveLength(1);
    // It comes back only because the server ends the connection.
    expect(await world.raw(request.replace('abc1234', 'unknown'))).toContain('HTTP/1.1 404');
  });

  it('answers every request of a pipeline in order, each with its own visit', async () => {
    const one = `GET /abc1234 HTTP/1.1\r\nHost: ${world.host}\r\n\r\n`;
    const last = `GET /abc1234 HTTP/1.1\r\nHost: ${world.host}\r\nConnection: close\r\n\r\n`;
    const received = await world.raw(`${one}${one}${last}`);
    expect([...received.matchAll(/X-Request-Id: (\S+)/g)].map(([, id]) => id)).toEqual([
      'producer-0',
      'producer-1',
      'producer-2',
    ]);
    expect(world.journaled).toHaveLength(3);
  });
});
