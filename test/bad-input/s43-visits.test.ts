import { call, postJson, type Reply } from '../support/http-client.ts';
import { type RunningProgram, startProgram } from '../support/running-program.ts';
import { humanAgent } from '../support/site.ts';

/** Clients that want to be counted more than once, not at all, as another, or at another time. */
describe('a visit whose client wants to decide how it is counted', () => {
  let program: RunningProgram;
  beforeAll(async () => {
    program = await startProgram();
  });
  afterAll(() => program.dispose());

  interface Numbers {
    readonly total: number;
    readonly nonBots: number;
    readonly bots: number;
    readonly prefetches: number;
    readonly firstVisitAt: string | null;
    readonly lastVisitAt: string | null;
  }

  async function makeLink(alias: string): Promise<void> {
    expect((await postJson(program.port, '/api/links', { url: 'https://example.com/', alias })).status).toBe(201);
  }

  const visit = (code: string, headers: Readonly<Record<string, string>> = {}, method = 'GET'): Promise<Reply> =>
    call(program.port, { method, path: `/${code}`, headers: { 'User-Agent': humanAgent, ...headers } });

  /** What is counted of a link, at least as fresh as all that was answered before. */
  async function numbersOf(code: string): Promise<Numbers> {
    const { text } = await call(program.port, { path: '/metrics' });
    const end = Number(/^tallyhop_log_end_offset\{topic="visits",[^}]*\} (\d+)/m.exec(text)?.[1]);
    for (;;) {
      const metrics = await call(program.port, { path: '/metrics' });
      if (Number(/^tallyhop_applied_offset\{[^}]*\} (\d+)/m.exec(metrics.text)?.[1]) >= end) break;
    }
    const answer = await call(program.port, { path: `/api/links/${code}/stats` });
    return JSON.parse(answer.text) as Numbers;
  }

  it.each([
    { 'X-Request-Id': 'same-id' },
    { 'Idempotency-Key': 'same-key' },
    { 'X-Visit-Id': '1', 'X-Producer-Id': 'p', 'X-Sequence': '1' },
    { 'If-None-Match': '*', 'If-Modified-Since': 'Sun, 01 Jan 2040 00:00:00 GMT' },
    { Cookie: 'visited=1; session=same' },
    { 'Cache-Control': 'only-if-cached, max-age=99999' },
    { Range: 'bytes=0-0' },
    { DNT: '1', 'Sec-GPC': '1' },
  ])('S43 is counted once a redirect under %j, five of five', async (headers) => {
    const code = `same-${JSON.stringify(headers)
      .replace(/[^a-z]/gi, '')
      .slice(0, 40)}`;
    await makeLink(code);
    const ids = new Set<string>();
    for (let times = 0; times < 5; times++) {
      const answer = await visit(code, headers);
      expect(answer.status).toBe(302);
      ids.add(String(answer.headers['x-request-id']));
    }
    // The identity of a visit is made here, anew for each.
    expect(ids.size).toBe(5);
    expect([...ids].join()).not.toMatch(/same/);
    expect(await numbersOf(code)).toMatchObject({ total: 5, nonBots: 5, bots: 0, prefetches: 0 });
  });

  it('S43 has the time of the program, whatever Date the client sends', async () => {
    await makeLink('dated');
    const beforeMs = Date.now();
    for (const date of ['Thu, 01 Jan 1970 00:00:00 GMT', 'Fri, 31 Dec 9999 23:59:59 GMT', 'nonsense']) {
      expect((await visit('dated', { Date: date, 'X-Timestamp': '0' })).status).toBe(302);
    }
    const { firstVisitAt, lastVisitAt, total } = await numbersOf('dated');
    expect(total).toBe(3);
    expect(Date.parse(firstVisitAt ?? '')).toBeGreaterThanOrEqual(beforeMs);
    expect(Date.parse(lastVisitAt ?? '')).toBeLessThanOrEqual(Date.now());
  });

  it('S43 is kept in its class and never dropped: humans, bots and prefetches apart', async () => {
    await makeLink('classes');
    for (const headers of [
      { 'User-Agent': 'Googlebot/2.1 (+http://www.google.com/bot.html)' },
      { 'User-Agent': 'curl/8.5.0' },
      { 'User-Agent': '' },
      { 'User-Agent': 'facebookexternalhit/1.1' },
    ]) {
      expect((await visit('classes', headers)).status).toBe(302);
    }
    for (const headers of [
      { 'Sec-Purpose': 'prefetch' },
      { Purpose: 'prefetch' },
      { 'X-Moz': 'prefetch' },
      { 'Sec-Purpose': 'prefetch;prerender' },
    ]) {
      expect((await visit('classes', headers)).status).toBe(302);
    }
    for (let times = 0; times < 3; times++) expect((await visit('classes')).status).toBe(302);
    expect(await numbersOf('classes')).toMatchObject({ total: 7, nonBots: 3, bots: 4, prefetches: 4 });
  });

  it('S43 is not had by HEAD, other methods, previews, other cases or codes that are no links', async () => {
    await makeLink('strict');
    await visit('strict', {}, 'HEAD');
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND']) await visit('strict', {}, method);
    for (const path of [
      'strict+',
      'STRICT',
      'strict%20',
      'strict/x',
      'strict%2f',
      'api/links/strict',
      'api/links/strict/qr.svg',
    ]) {
      await visit(path);
    }
    expect(await numbersOf('strict')).toMatchObject({ total: 0, bots: 0, prefetches: 0 });
  });

  it('S43 is not had by another Host, and none of a limited link is used up by bots', async () => {
    const body = { url: 'https://example.com/', alias: 'limited', maxVisits: 2 };
    expect((await postJson(program.port, '/api/links', body)).status).toBe(201);
    for (let times = 0; times < 5; times++) {
      expect((await visit('limited', { Host: 'evil.example' })).status).toBe(421);
      expect((await visit('limited', { 'User-Agent': 'Googlebot/2.1' })).status).toBe(302);
      expect((await visit('limited', { 'Sec-Purpose': 'prefetch' })).status).toBe(302);
    }
    expect([(await visit('limited')).status, (await visit('limited')).status, (await visit('limited')).status]).toEqual(
      [302, 302, 410],
    );
    expect(await numbersOf('limited')).toMatchObject({ total: 7, nonBots: 2, bots: 5, prefetches: 5 });
  });
});
