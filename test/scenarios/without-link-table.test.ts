/** An instance that keeps no links: it redirects to the right place all the same, and never calls a link unknown that there is. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type CuttableLine, openCuttableLine } from '../support/cuttable-line.ts';
import { eventually } from '../support/eventually.ts';
import { inService, installation, modeStartTimeoutMs } from '../support/modes.ts';
import { createProgramClient } from '../support/program-client.ts';
import { type RunningProgram, startProgram } from '../support/running-program.ts';

describe('an instance without a link table', () => {
  let whole: RunningProgram;
  let bare: RunningProgram;
  let redisLine: CuttableLine;
  let user: ReturnType<typeof createProgramClient>;
  let visitor: ReturnType<typeof createProgramClient>;

  beforeAll(async () => {
    const settings = await installation();
    const redis = new URL(settings['REDIS_URL'] ?? '');
    redisLine = await openCuttableLine(Number(redis.port));
    redis.port = new URL(redisLine.address).port;
    const start = (env: Readonly<Record<string, string>>) =>
      startProgram({ readyTimeoutMs: 60_000, env: { ...settings, ...env } });
    [whole, bare] = await Promise.all([start({}), start({ ROLE: 'web', LINK_TABLE: 'off', REDIS_URL: redis.href })]);
    [user, visitor] = [createProgramClient(whole), createProgramClient(bare)];
    await Promise.all([inService(whole), inService(bare)]);
  }, modeStartTimeoutMs);
  afterAll(() => Promise.all([whole?.dispose(), bare?.dispose(), redisLine?.close().catch(() => undefined)]));

  it('redirects to a link from the moment when it was made elsewhere, and counts', async () => {
    for (let index = 0; index < 20; index += 1) {
      const { code, url } = await user.create({ url: `https://example.org/bare/${index}` });
      expect(await visitor.follow(code)).toMatchObject({ status: 302, location: url });
      expect(await visitor.follow(code)).toMatchObject({ status: 302, location: url });
      if (index === 19) await user.statisticsAt(code, 2);
    }
    expect(existsSync(join(bare.dataDir, 'stores', 'links'))).toBe(false);
  });

  it('follows a change within a second, though it has just redirected', async () => {
    const { code } = await user.create({ url: 'https://example.org/before' });
    expect((await visitor.follow(code)).location).toBe('https://example.org/before');
    const changed = await user.api('PATCH', `/api/links/${code}`, { url: 'https://example.org/after' });
    expect(changed.status).toBe(200);
    await eventually(
      async () => (await visitor.follow(code)).location === 'https://example.org/after',
      'the change is seen',
      1_000,
    );
    expect((await user.api('DELETE', `/api/links/${code}`)).status).toBeLessThan(300);
    await eventually(async () => (await visitor.follow(code)).status === 410, 'the deletion is seen', 1_000);
  });

  it('tells of a code that nobody has that it is unknown', async () => {
    const answer = await visitor.api<{ type: string; detail: string }>('GET', '/no-such-code');
    expect(answer.status).toBe(404);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
  });

  it('lets pass over both instances as many as a link has left', async () => {
    const { code } = await user.create({ url: 'https://example.org/limited', maxVisits: 5 });
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, index) => (index % 2 === 0 ? user : visitor).follow(code)),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 302)).toHaveLength(5);
    expect(statuses.filter((status) => status === 410)).toHaveLength(25);
  });

  it.each([
    ['GET', '/'],
    ['GET', '/api/links'],
    ['POST', '/api/links'],
    ['GET', '/links'],
    ['GET', '/a-code+'],
    ['POST', '/a-code'],
  ])('tells %s %s to go elsewhere', async (method, path) => {
    const answer = await visitor.api<{ detail: string }>(method, path, method === 'POST' ? {} : undefined);
    expect(answer.status).toBe(421);
    expect(answer.body.detail).toContain('LINK_TABLE is off');
  });

  it('asks the other instance while Redis is away, and goes on with what it knows when both are', async () => {
    const known = await user.create({ url: 'https://example.org/known' });
    await redisLine.close();
    const made = await user.create({ url: 'https://example.org/made-without-redis' });
    for (const { code, url } of [known, made]) {
      expect(await visitor.follow(code)).toMatchObject({ status: 302, location: url });
    }
    expect((await visitor.follow('no-such-code')).status).toBe(404);

    const neverAsked = await user.create({ url: 'https://example.org/never-asked' });
    await whole.kill9();
    for (const { code, url } of [known, made]) {
      expect(await visitor.follow(code)).toMatchObject({ status: 302, location: url });
    }
    const unknown = await visitor.follow(neverAsked.code);
    expect(unknown.status).toBe(503);
    expect(unknown.headers.get('retry-after')).toBe('1');
    await whole.restart();
    await eventually(async () => (await visitor.follow(neverAsked.code)).status === 302, 'it is found again', 30_000);
    await user.statisticsAt(known.code, 2, 30_000);
  });
});
