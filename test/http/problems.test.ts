import type { Refusal } from '../../src/domain/refusal.ts';
import { csvOf } from '../../src/http/csv.ts';
import { createOwnOrigins } from '../../src/http/host-check.ts';
import { PageProblem, pageOfProblem, problemOfMiss } from '../../src/http/page-problem.ts';
import { problemOfError, problemOfRefusal } from '../../src/http/problem-table.ts';
import { problemTypes } from '../../src/http/problem-types.ts';
import type { RedirectMiss } from '../../src/http/redirect-miss.ts';
import { LogDamaged, LogUnavailable } from '../../src/ports/event-log.ts';
import { StoreDamaged } from '../../src/ports/state-store.ts';
import { StatisticsRebuilding, StatisticsUnavailable } from '../../src/ports/statistics-read-model.ts';
import { type HttpHarness, startHttp } from '../support/http-harness.ts';

describe('the table of problems', () => {
  const refusals: readonly [Refusal, number][] = [
    [{ refusal: 'invalid', errors: [] }, 422],
    [{ refusal: 'link-not-found', code: 'a' }, 404],
    [{ refusal: 'link-deleted', code: 'a', deletedAt: 0 }, 410],
    [{ refusal: 'link-not-deleted', code: 'a' }, 409],
    [{ refusal: 'alias-taken', alias: 'a' }, 409],
    [{ refusal: 'version-mismatch', expected: 1, actual: 2 }, 412],
    [{ refusal: 'lost-race', code: 'a' }, 409],
    [{ refusal: 'version-unknown', code: 'a', version: 9 }, 422],
  ];

  it.each(refusals)('answers the refusal %j with %i', (refusal, status) => {
    expect(problemOfRefusal(refusal).status).toBe(status);
  });

  it.each([
    [new LogUnavailable('x'), 503, '2'],
    [new StatisticsRebuilding({ fraction: 0.5, recordsDone: 1, recordsTotal: 2 }), 503, '2'],
    [new StatisticsUnavailable('x'), 503, '2'],
    [new StoreDamaged('x'), 503, '10'],
    [new LogDamaged('file', 1, 'x'), 500, undefined],
    [new TypeError('x'), 500, undefined],
    [Object.assign(new Error('x'), { status: 413 }), 413, undefined],
    [Object.assign(new Error('x'), { status: 415 }), 415, undefined],
    [Object.assign(new URIError('x'), { status: 400 }), 400, undefined],
    ['a thrown text', 500, undefined],
  ])('answers the error %s with %i', (error, status, retryAfter) => {
    const problem = problemOfError(error, 'request-1');
    expect(problem.status).toBe(status);
    expect(problem.members.headers?.['Retry-After']).toBe(retryAfter);
  });

  it.each([
    ['not-found', 404],
    ['deleted', 410],
    ['disabled', 410],
    ['expired', 410],
    ['used-up', 410],
    ['loop', 410],
    ['too-many-misses', 429],
    ['unavailable', 503],
    ['misdirected', 421],
  ] as readonly [RedirectMiss, number][])('answers the miss %s with %i', (miss, status) => {
    const problem = problemOfMiss(miss, 'abc', undefined, 3);
    expect(problem.status).toBe(status);
    const waits = status === 429 || status === 503;
    expect(problem.members.headers?.['Retry-After']).toBe(waits ? '3' : undefined);
    if (problem instanceof PageProblem) expect(pageOfProblem(problem)).toBe(problem.page);
  });
});

describe('problems over HTTP', () => {
  let http: HttpHarness;
  beforeEach(async () => {
    http = await startHttp();
  });
  afterEach(() => http.close());

  it('S40 answers a defect with the request id, tells nothing of its inside, and logs it', async () => {
    http.fake.queryFailure = new Error('secret at /home/x/file.ts');
    const answer = await http.request('get', '/api/links/code1');
    expect(answer.status).toBe(500);
    expect(answer.body.requestId).toBe(answer.get('X-Request-Id'));
    expect(answer.text).not.toMatch(/secret|file\.ts|node_modules|at /);
    expect(http.fake.logged).toMatchObject([{ fields: { requestId: answer.body.requestId } }]);
  });

  it('S40 takes no request id from a client and names no software', async () => {
    const answer = await http.request('get', '/livez').set('X-Request-Id', 'mine\u00e9');
    expect(answer.get('X-Request-Id')).toMatch(/^00000000-0000-7000-8000-/);
    expect(answer.get('X-Powered-By')).toBeUndefined();
    expect(answer.get('Server')).toBeUndefined();
  });

  it.each(['"><script>alert(1)</script>', '\u001b[31m', "'; DROP TABLE links--", '{{7*7}}'])(
    'S25 and S28 echo %j only as JSON that no browser takes for a page, and log nothing',
    async (text) => {
      const answers = [
        await http.request('get', `/api/links?${encodeURIComponent(text)}=1`),
        await http.request('get', `/api/aliases/${encodeURIComponent(text)}`),
        await http.request('get', `/api/stream?codes=${encodeURIComponent(text)}`),
        await http
          .request('post', '/api/links')
          .set('User-Agent', 'x')
          .send({ [text]: text }),
      ];
      for (const answer of answers) {
        expect(answer.status).toBeLessThan(500);
        expect(answer.get('Content-Type')).toMatch(/json/);
        expect(answer.get('X-Content-Type-Options')).toBe('nosniff');
        // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there.
        expect(answer.text).not.toMatch(/[\u0000-\u001f]/);
      }
      expect(http.fake.logged).toEqual([]);
    },
  );

  it('has a page for each type, as HTML and as JSON', async () => {
    for (const [slug, { status, title }] of Object.entries(problemTypes)) {
      const json = await http.request('get', `/api/problems/${slug}`).set('Accept', 'application/json');
      expect(json.body).toMatchObject({ type: `http://localhost:3000/api/problems/${slug}`, status, title });
      const page = await http.request('get', `/api/problems/${slug}`).set('Accept', 'text/html');
      expect(page.get('Content-Type')).toMatch('text/html');
      expect(page.text).toContain(`<h1>${title}</h1>`);
    }
  });

  it('hands the problem to the pages first, with its headers set', async () => {
    const told: unknown[] = [];
    const paged = await startHttp({
      app: {
        problemPage: (problem, _request, response) => {
          told.push(problem.status, problem.slug);
          response.status(problem.status).type('html').end('<h1>No</h1>');
          return true;
        },
      },
    });
    const answer = await (await import('supertest'))
      .default(paged.server)
      .put('/api/links')
      .set('Host', 'localhost:3000');
    expect(answer.text).toBe('<h1>No</h1>');
    expect(answer.get('Allow')).toBe('GET, HEAD, POST, OPTIONS');
    expect(told).toEqual([405, 'method-not-allowed']);
    await paged.close();
  });
});

describe('security headers', () => {
  it('promise https only where BASE_URL is https', async () => {
    const plain = await startHttp();
    const secure = await startHttp({ app: { baseUrl: 'https://short.example', baseUrlIsDefault: false } });
    const ofPlain = await plain.request('get', '/livez');
    const ofSecure = await secure.request('get', '/livez');
    expect(ofPlain.get('Content-Security-Policy')).toBe(
      "default-src 'none';script-src 'self';style-src 'self';img-src 'self' data:;connect-src 'self';form-action 'self';base-uri 'none';frame-ancestors 'none'",
    );
    expect(ofPlain.get('Strict-Transport-Security')).toBeUndefined();
    expect(ofPlain.get('Cross-Origin-Opener-Policy')).toBeUndefined();
    expect(ofSecure.get('Strict-Transport-Security')).toBe('max-age=31536000');
    expect(ofSecure.get('Referrer-Policy')).toBe('strict-origin-when-cross-origin');
    await Promise.all([plain.close(), secure.close()]);
  });
});

describe('our own hosts', () => {
  it('are only that of BASE_URL when it was given', () => {
    const origins = createOwnOrigins({ baseUrl: 'https://short.example', baseUrlIsDefault: false });
    expect(origins.isOwnHost('short.example')).toBe(true);
    expect(origins.isOwnHost('SHORT.example:443')).toBe(true);
    for (const host of ['localhost', '127.0.0.1', 'short.example:80', 'short.example.', 'x.short.example', undefined]) {
      expect(origins.isOwnHost(host)).toBe(false);
    }
    expect(origins.isOwnOrigin('https://short.example')).toBe(true);
    expect(origins.isOwnOrigin('http://short.example')).toBe(false);
  });
});

describe('S27 CSV', () => {
  it.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', '\n=1', '\0=1'])('neutralises %j', (text) => {
    expect(csvOf([[text]])).toBe(`"'${text}"\r\n`);
  });

  it.each([
    ['plain', 'plain'],
    ['a,b', '"a,b"'],
    ['say "hi"', '"say ""hi"""'],
    ['two\nlines', '"two\nlines"'],
    [-5, '-5'],
    [null, ''],
    ['2026-11-03T00:00:00+01:00', '2026-11-03T00:00:00+01:00'],
  ])('writes %j as %j', (cell, text) => {
    expect(csvOf([[cell]])).toBe(`${text}\r\n`);
  });
});
