import { call, postJson, sendRaw, statusesIn } from '../support/http-client.ts';
import { payloads, plantPayloads } from '../support/markup-payloads.ts';
import { type RunningProgram, startProgram } from '../support/running-program.ts';

/** The pages themselves are looked at by `test/browser/s25-s26-markup.test.ts`. */
describe('hostile text in answers for programs', () => {
  let program: RunningProgram;
  beforeAll(async () => {
    program = await startProgram();
    await plantPayloads(program.port);
  });
  afterAll(() => program.dispose());

  it('S25 gives the same texts as JSON and CSV that no browser takes for a page', async () => {
    for (const path of [
      '/api/links',
      '/api/links/hostile-0',
      '/api/links/hostile-0/stats',
      '/api/links/hostile-0/stats.csv',
      '/api/links/hostile-0/history',
      '/api/tags',
      '/api/links/hostile-0/qr.svg',
      `/api/links?${encodeURIComponent(payloads[0])}=1`,
      `/api/aliases/${encodeURIComponent(payloads[0])}`,
    ]) {
      const answer = await call(program.port, { path, headers: { Accept: 'text/html,*/*;q=0.1' } });
      expect(answer.headers['content-type']).toMatch(/json|csv|svg/);
      expect(answer.headers['x-content-type-options']).toBe('nosniff');
      expect(answer.headers['content-security-policy']).toContain("default-src 'none'");
    }
  });

  it('S25 keeps of a hostile referrer no more than a host, of a hostile agent no markup', async () => {
    const { text } = await call(program.port, { path: '/api/links/hostile-0/stats' });
    const statistics = JSON.parse(text) as Record<string, readonly { readonly name: string }[]>;
    for (const dimension of ['referrers', 'crawlers', 'browsers', 'os', 'devices', 'languages', 'countries']) {
      for (const { name } of statistics[dimension] ?? []) expect(name).toMatch(/^[\w .()/-]*$/);
    }
    // A campaign is free text: it is shown, as text.
    expect(statistics['campaigns']?.map(({ name }) => name)).toContain(`${payloads[1]} / ${payloads[1]}`);
  });

  it('S27 begins no cell of an export like a formula', async () => {
    const formulas = ['=1+1', '+1', '-1+1', '@SUM(A1)', '\t=1', '=cmd|"/C calc"!A0', '%0d=1', '%00=1'];
    for (const formula of formulas) {
      await call(program.port, { path: `/hostile-0?utm_campaign=${encodeURIComponent(formula)}` });
    }
    for (const headers of [{ Accept: 'text/csv' }, {}]) {
      const path = 'Accept' in headers ? '/api/links/hostile-0/stats' : '/api/links/hostile-0/stats.csv';
      const answer = await call(program.port, { path, headers });
      expect(answer.headers['content-type']).toMatch(/^text\/csv/);
      expect(answer.headers['content-disposition']).toMatch(/^attachment; filename="[\w.-]+"$/);
      for (const cell of answer.text.split(/[,\r\n]/)) expect(cell).not.toMatch(/^"?[=+\-@\t\r\0]/);
    }
  });
});

describe('hostile text in the log of the program', () => {
  it('S28 leaves one JSON object a line, in visible characters, without what was sent', async () => {
    const program = await startProgram({ env: { LOG_LEVEL: 'trace' } });
    const { port } = program;
    const hostile = 'canary\u001b[31m\u009b2J{"level":"fatal","message":"forged"}\u2028';
    const latin = Buffer.from(hostile, 'utf8')
      .toString('latin1')
      .replace(/[^\x20-\x7e\x80-\xff]/g, '');
    const encoded = encodeURIComponent(hostile);
    await postJson(port, '/api/links', { url: 'https://example.com/', alias: 'plain', note: 'x', tags: ['y'] });
    await postJson(port, '/api/links', {
      url: hostile,
      alias: hostile,
      note: hostile,
      tags: [hostile],
      [hostile]: hostile,
    });
    await postJson(port, '/api/links', hostile);
    await postJson(port, '/api/links', { url: 'https://example.com/' }, { 'Idempotency-Key': latin });
    for (const path of [
      `/plain?${encoded}`,
      `/${encoded}`,
      `/api/links/${encoded}`,
      `/links?q=${encoded}`,
      `/api/stream?codes=${encoded}`,
    ]) {
      await call(port, {
        path,
        headers: {
          'User-Agent': latin,
          Referer: `https://${latin}/`,
          'X-Forwarded-For': latin,
          'X-Request-Id': latin,
          'Accept-Language': latin,
        },
      });
    }
    const close = `Host: localhost:${port}\r\nConnection: close\r\n`;
    for (const bytes of [
      `GET /plain\r\n{"level":"fatal"} HTTP/1.1\r\n${close}\r\n`,
      `{"level":"fatal","message":"forged"}\r\n\r\n`,
      `GET /plain HTTP/1.1\r\nHost: canary-host\u001b\r\n${close}\r\n`,
      `GET http://canary-host/plain HTTP/1.1\r\n${close}\r\n`,
    ]) {
      for (const status of statusesIn(await sendRaw(port, bytes))) expect(status).toBeGreaterThanOrEqual(400);
    }
    await program.stop();
    const lines = program.output.split('\n').filter((line) => line !== '');
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) {
      const entry = JSON.parse(line) as { level: string; message: string; time: string };
      expect(entry).toMatchObject({ level: expect.any(String), message: expect.any(String), time: expect.any(String) });
      expect(line).not.toMatch(/[^\x20-\x7e]/);
      expect(entry.level).not.toBe('fatal');
      expect(entry.message).not.toBe('forged');
    }
    expect(program.output).not.toContain('canary');
    await program.dispose();
  });
});
