/** A request that is sent again has one effect and one answer, whatever happened to the program meanwhile. */

import { modeStartTimeoutMs, modes, startProgramIn } from '../support/modes.ts';
import { createProgramClient, type ProgramLink } from '../support/program-client.ts';
import type { RunningProgram } from '../support/running-program.ts';

describe.each(modes)('a request with an Idempotency-Key (%s)', (mode) => {
  let program: RunningProgram;
  let user: ReturnType<typeof createProgramClient>;

  beforeAll(async () => {
    program = await startProgramIn(mode);
    user = createProgramClient(program);
  }, modeStartTimeoutMs);
  afterAll(() => program.dispose());

  const post = (key: string, body: object) =>
    user.api<ProgramLink>('POST', '/api/links', body, { 'idempotency-key': key });

  it.each([
    ['a restart', () => program.restart()],
    [
      'kill -9',
      async () => {
        await program.kill9();
        await program.restart();
      },
    ],
  ])('gets the first answer again after %s', async (name, interrupt) => {
    const body = { url: `https://example.org/${encodeURIComponent(name)}`, unique: true };
    const first = await post(`key of ${name}`.replaceAll(' ', '-'), body);
    expect(first.status).toBe(201);
    await interrupt();
    const again = await post(`key of ${name}`.replaceAll(' ', '-'), body);
    expect(again.status).toBe(201);
    expect(again.body).toEqual(first.body);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    const { links } = await user.expectApi<{ links: ProgramLink[] }>(
      200,
      'GET',
      `/api/links?url=${encodeURIComponent(first.body.url)}`,
    );
    expect(links.map(({ code }) => code)).toEqual([first.body.code]);
  });

  it('makes one link of many requests at once, and of those cut off by kill -9', async () => {
    const body = { url: 'https://example.org/cut-off', unique: true };
    const first = await Promise.all(Array.from({ length: 10 }, () => post('at-once', body)));
    expect(new Set(first.map((answer) => answer.body.code)).size).toBe(1);

    for (let round = 0; round < 5; round += 1) {
      const cutOff = Array.from({ length: 5 }, (_, index) => post(`cut-off-${round}-${index}`, body).catch(() => null));
      // The fastest one is answered, the others are under way in whatever step.
      await Promise.race(cutOff);
      await program.kill9();
      await program.restart();
      const answersBefore = await Promise.all(cutOff);
      for (const [index, before] of answersBefore.entries()) {
        const after = await post(`cut-off-${round}-${index}`, body);
        expect(after.status).toBe(201);
        if (before !== null) expect(after.body.code).toBe(before.body.code);
        expect((await post(`cut-off-${round}-${index}`, body)).body).toEqual(after.body);
      }
    }
    // One of the first ten and one of each of the 25 keys.
    const { links } = await user.expectApi<{ links: ProgramLink[] }>(
      200,
      'GET',
      `/api/links?url=${encodeURIComponent(body.url)}&limit=100`,
    );
    expect(links).toHaveLength(26);
  });

  it('refuses another body under the same key, also after a restart', async () => {
    await post('reused', { url: 'https://example.org/x' });
    expect((await post('reused', { url: 'https://example.org/y' })).status).toBe(422);
    await program.restart();
    expect((await post('reused', { url: 'https://example.org/y' })).status).toBe(422);
  });
});
