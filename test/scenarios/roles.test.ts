/** Instances of one role each: some answer and do not count, others count and do not answer, and together they are the whole. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openCuttableLine } from '../support/cuttable-line.ts';
import { eventually } from '../support/eventually.ts';
import { inService, installation, modeStartTimeoutMs } from '../support/modes.ts';
import { createProgramClient } from '../support/program-client.ts';
import { type RunningProgram, startProgram } from '../support/running-program.ts';

const readyTimeoutMs = 60_000;

describe('an instance that answers and one that counts', () => {
  let settings: Readonly<Record<string, string>>;
  let web: RunningProgram;
  let worker: RunningProgram;
  let user: ReturnType<typeof createProgramClient>;

  const start = (env: Readonly<Record<string, string>>) =>
    startProgram({ readyTimeoutMs, env: { ...settings, ...env } });

  beforeAll(async () => {
    settings = await installation();
    [web, worker] = await Promise.all([start({ ROLE: 'web' }), start({ ROLE: 'worker' })]);
    user = createProgramClient(web);
    await inService(web);
  }, modeStartTimeoutMs);
  afterAll(() => Promise.all([web?.dispose(), worker?.dispose()]));

  async function metric(program: RunningProgram, name: string): Promise<number> {
    const answer = await fetch(`${program.baseUrl}/metrics`);
    const values = [...(await answer.text()).matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))];
    if (values.length === 0) throw new Error(`${program.baseUrl} has no ${name}`);
    return values.reduce((sum, [, value]) => sum + Number(value), 0);
  }

  it('creates, redirects and tells the numbers at the one, from what the other has counted', async () => {
    const { code } = await user.create({ url: 'https://example.org/two-roles' });
    for (let visit = 1; visit <= 20; visit += 1) {
      expect(await user.follow(code)).toMatchObject({ status: 302, location: 'https://example.org/two-roles' });
    }
    const statistics = await user.statisticsAt(code, 20);
    expect(statistics.series.reduce((sum, { total }) => sum + total, 0)).toBe(20);
    expect((await user.list()).links).toContainEqual(
      expect.objectContaining({ code, visits: expect.objectContaining({ total: 20, nonBots: 20, bots: 0 }) }),
    );
    for await (const totals of user.liveTotals(code)) {
      expect(totals).toMatchObject({ total: 20 });
      break;
    }

    const folded = 'tallyhop_fold_records_total\\{outcome="folded"\\}';
    expect(await metric(web, folded)).toBe(0);
    await eventually(async () => (await metric(worker, folded)) >= 20, 'the worker tells what it has folded');
    const end = () => metric(worker, 'tallyhop_log_end_offset');
    await eventually(async () => (await end()) === 20, 'the worker has asked for the end of the log');
    expect(await metric(worker, 'tallyhop_applied_offset')).toBe(20);
    expect(await metric(worker, 'tallyhop_commit_duration_seconds_count')).toBeGreaterThan(0);
  });

  it.each([
    ['GET', '/'],
    ['GET', '/a-code'],
    ['HEAD', '/a-code'],
    ['POST', '/api/links'],
    ['GET', '/api/links'],
    ['GET', '/links'],
    ['GET', '/api/stream?codes=a-code'],
  ])('tells %s %s at the one that counts to go elsewhere, and not that there is no such link', async (method, path) => {
    const answer = await fetch(`${worker.baseUrl}${path}`, { method, ...(method === 'POST' && { body: '{}' }) });
    expect(answer.status).toBe(421);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    if (method !== 'HEAD')
      expect(await answer.json()).toMatchObject({ status: 421, detail: expect.stringContaining('ROLE is worker') });
  });

  it('answers probes and other instances at the one that counts, which has no links and no journal', async () => {
    const probe = (path: string, method = 'GET') => fetch(`${worker.baseUrl}${path}`, { method });
    expect(await (await probe('/livez')).json()).toEqual({ status: 'ok' });
    const ready = await probe('/readyz');
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({
      status: 'ok',
      checks: { kafka: 'ok', redis: 'ok', tasks: 'ok', statistics: 'ok' },
    });
    expect((await probe('/readyz', 'POST')).status).toBe(405);
    expect((await probe('/metrics?unknown=1')).status).toBe(422);
    expect((await probe('/internal/v1/positions', 'POST')).status).toBe(401);
    expect((await probe('/internal/v1/nothing', 'POST')).status).toBe(404);
    expect(existsSync(join(worker.dataDir, 'stores', 'links'))).toBe(false);
    expect(existsSync(join(worker.dataDir, 'journal'))).toBe(false);
    expect(existsSync(join(web.dataDir, 'stores', 'visit-statistics-0'))).toBe(false);
  });

  it('goes on redirecting while nobody counts, and counts all of it later', async () => {
    const { code } = await user.create({ url: 'https://example.org/nobody-counts' });
    await user.follow(code);
    await user.statisticsAt(code, 1);
    expect(await worker.stop()).toEqual({ code: 0, signal: null });
    await eventually(async () => {
      const { body } = await user.api<{ checks: { tasks: string } }>('GET', '/readyz');
      return /have no owner now/.test(body.checks.tasks);
    }, 'it is known that nobody counts');
    for (let visit = 1; visit <= 9; visit += 1) expect((await user.follow(code)).status).toBe(302);
    expect((await user.statistics(code)).total).toBe(1);
    await worker.restart();
    await user.statisticsAt(code, 10, 30_000);
  });

  it('reads the numbers from the one that counts while Redis is away', async () => {
    const redis = new URL(settings['REDIS_URL'] ?? '');
    const line = await openCuttableLine(Number(redis.port));
    redis.port = new URL(line.address).port;
    const other = await start({ ROLE: 'web', REDIS_URL: redis.href });
    try {
      const elsewhere = createProgramClient(other);
      const { code } = await user.create({ url: 'https://example.org/no-redis' });
      await user.follow(code);
      await elsewhere.statisticsAt(code, 1);
      await line.close();
      await eventually(async () => {
        const { body } = await elsewhere.api<{ checks: { redis: string } }>('GET', '/readyz');
        return /^away/.test(body.checks.redis);
      }, 'it knows that Redis is away');
      for (let visit = 1; visit <= 4; visit += 1) expect((await elsewhere.follow(code)).status).toBe(302);
      const statistics = await elsewhere.statisticsAt(code, 5);
      expect(statistics.series.reduce((sum, { total }) => sum + total, 0)).toBe(5);
    } finally {
      await other.dispose();
    }
  });

  it('forwards what an instance journaled while it answered, when it is started again to count alone', async () => {
    const { code } = await user.create({ url: 'https://example.org/other-role' });
    const other = await start({ ROLE: 'web' });
    try {
      const elsewhere = createProgramClient(other);
      expect((await elsewhere.follow(code)).status).toBe(302);
      await user.statisticsAt(code, 1);
      // Nothing listens there: what is journaled now stays on the disk.
      await other.restart({ KAFKA_BROKERS: '127.0.0.1:1' });
      for (let visit = 1; visit <= 6; visit += 1) expect((await elsewhere.follow(code)).status).toBe(302);
      expect(await metric(other, 'tallyhop_journal_backlog_visits')).toBe(6);
      await other.kill9();

      await other.restart({ ROLE: 'worker', KAFKA_BROKERS: settings['KAFKA_BROKERS'] });
      await user.statisticsAt(code, 7, 30_000);
      await eventually(
        async () => (await metric(other, 'tallyhop_journal_backlog_visits')) === 0,
        'nothing is left behind',
      );
    } finally {
      await other.dispose();
    }
  });
});
