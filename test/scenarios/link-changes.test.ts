/** What is done to a link, seen by its short link at once: each answer of the API is followed by one redirect. */

import { modeStartTimeoutMs, modes, startProgramIn } from '../support/modes.ts';
import { createProgramClient, type ProgramLink } from '../support/program-client.ts';
import type { RunningProgram } from '../support/running-program.ts';

describe.each(modes)('a changed link (%s)', (mode) => {
  let program: RunningProgram;
  let user: ReturnType<typeof createProgramClient>;

  beforeAll(async () => {
    program = await startProgramIn(mode);
    user = createProgramClient(program);
  }, modeStartTimeoutMs);
  afterAll(() => program.dispose());

  const change = (code: string, patch: object) =>
    user.expectApi<ProgramLink>(200, 'PATCH', `/api/links/${code}`, patch);

  it('leads to its new target, stops, comes back and goes back as soon as the API has answered', async () => {
    const { code } = await user.create({ url: 'https://example.org/first' });
    expect((await user.follow(code)).location).toBe('https://example.org/first');

    await change(code, { url: 'https://example.org/second' });
    expect((await user.follow(code)).location).toBe('https://example.org/second');

    await change(code, { status: 'disabled' });
    expect((await user.follow(code)).status).toBe(410);
    await change(code, { status: 'active' });
    expect((await user.follow(code)).location).toBe('https://example.org/second');

    await user.expectApi(204, 'DELETE', `/api/links/${code}`);
    expect((await user.follow(code)).status).toBe(410);
    await user.expectApi(410, 'GET', `/api/links/${code}`);
    await user.expectApi(200, 'POST', `/api/links/${code}/restore`);
    expect((await user.follow(code)).location).toBe('https://example.org/second');

    const back = await user.expectApi<ProgramLink>(200, 'POST', `/api/links/${code}/rollback`, { version: 1 });
    expect(back.url).toBe('https://example.org/first');
    expect((await user.follow(code)).location).toBe('https://example.org/first');

    const statistics = await user.statisticsAt(code, 5);
    expect(statistics.nonBots).toBe(5);
  });

  it('keeps its changes and its history over kill -9 and restart', async () => {
    const { code } = await user.create({ url: 'https://example.org/a' });
    await change(code, { url: 'https://example.org/b' });
    await program.kill9();
    await program.restart();
    expect((await user.follow(code)).location).toBe('https://example.org/b');
    const { events } = await user.expectApi<{ events: { type: string; effective: boolean }[] }>(
      200,
      'GET',
      `/api/links/${code}/history`,
    );
    expect(events.map(({ effective }) => effective)).toEqual([true, true]);
  });

  it('has one winner of many changes at once from the same version', async () => {
    const { code } = await user.create({ url: 'https://example.org/race' });
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        user.api<ProgramLink>(
          'PATCH',
          `/api/links/${code}`,
          { url: `https://example.org/race/${index}` },
          { 'if-match': '"1"' },
        ),
      ),
    );
    const winners = answers.filter(({ status }) => status === 200);
    expect(winners).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 412)).toHaveLength(19);
    expect((await user.follow(code)).location).toBe(winners[0]?.body.url);
  });

  it('expires at its time and not before', async () => {
    const expiresAt = new Date(Date.now() + 1_500);
    const { code } = await user.create({ url: 'https://example.org/soon', expiresAt: expiresAt.toISOString() });
    let redirects = 0;
    for (;;) {
      const sentMs = Date.now();
      const { status } = await user.follow(code);
      const answeredMs = Date.now();
      if (status === 410) {
        expect(answeredMs).toBeGreaterThanOrEqual(expiresAt.getTime());
        break;
      }
      expect(status).toBe(302);
      expect(sentMs).toBeLessThan(expiresAt.getTime());
      redirects += 1;
    }
    expect(await user.statisticsAt(code, redirects)).toMatchObject({ total: redirects });
    expect((await user.link(code)).status).toBe('expired');
  });

  it('never takes a target away that two people shortened at once: one creation, one code', async () => {
    const url = 'https://example.org/together';
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => user.api<ProgramLink>('POST', '/api/links', { url })),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(29);
    expect(new Set(answers.map(({ body }) => body.code)).size).toBe(1);
  });
});
