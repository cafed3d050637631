/**
 * A wall clock that jumps: numbers, limits and links do not care; only what is about time itself follows it. The clock is
 * libfaketime's, moved under the running program.
 */
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { removeFolder, temporaryDataFolder } from '../support/data-folder.ts';
import { type FakeTime, openFakeTime } from '../support/fake-time.ts';
import { botAgent, createProgramClient, type ProgramLink } from '../support/program-client.ts';
import { type RunningProgram, startProgram } from '../support/running-program.ts';
import { createVisitors, sumOf } from '../support/visitors.ts';

jest.setTimeout(90_000);

const hour = 3_600;
const day = 24 * hour;

describe('a wall clock that jumps', () => {
  let folder: string;
  let time: FakeTime;
  let program: RunningProgram;
  let user: ReturnType<typeof createProgramClient>;

  beforeEach(async () => {
    folder = await temporaryDataFolder();
    time = openFakeTime(join(folder, 'offset'));
    program = await startProgram({ dataDir: folder, env: { ...time.env, DRAIN_MS: '0' } });
    user = createProgramClient(program);
  });
  afterEach(async () => {
    await program.dispose();
    await removeFolder(folder);
  });

  it('moves the time of the program and nothing else of these tests', async () => {
    time.jump(2 * day);
    const { code } = await user.create({ url: 'https://example.org/when' });
    const { createdAt } = await user.expectApi<ProgramLink & { createdAt: string }>(200, 'GET', `/api/links/${code}`);
    expect(Math.abs(Date.parse(createdAt) - (Date.now() + 2 * day * 1_000))).toBeLessThan(60_000);
  });

  it('by hours and days, forwards and back, under load loses and repeats no visit, also over kill -9', async () => {
    const codes = await Promise.all(
      Array.from({ length: 4 }, async (_, index) => (await user.create({ url: `https://example.org/${index}` })).code),
    );
    let visits = 0;
    const visitors = createVisitors({
      port: program.port,
      visitors: 8,
      nextCode: () => codes[visits++ % codes.length] ?? null,
    });
    let highest = 0;
    const readOne = async () => {
      const answer = await user.api<ProgramLink>('GET', `/api/links/${codes[0]}`);
      if (answer.status !== 200) return;
      expect(answer.body.visits.total).toBeGreaterThanOrEqual(highest);
      highest = answer.body.visits.total;
    };
    visitors.resume();
    for (const offset of [hour, -hour, day, -day, 40 * day, -40 * day, 0]) {
      time.jump(offset);
      await visitors.reached(visitors.count() + 250);
      await readOne();
      if (offset === 40 * day) {
        await visitors.pause();
        await program.kill9();
        await program.restart();
        visitors.resume();
      }
    }
    await visitors.pause();
    await user.caughtUp();
    expect(sumOf(visitors.unknown)).toBe(0);
    expect([...visitors.refused]).toEqual([]);
    for (const code of codes) {
      const answered = visitors.answered.get(code) ?? 0;
      expect((await user.link(code)).visits.total).toBe(answered);
      // All of it lies in some bucket, on whatever day its clock said.
      const range = `from=${dateOf(-50)}&to=${dateOf(50)}&interval=day`;
      const statistics = await user.expectApi<{ total: number; series: { total: number }[] }>(
        200,
        'GET',
        `/api/links/${code}/stats?${range}`,
      );
      expect(statistics.total).toBe(answered);
      expect(statistics.series.reduce((sum, bucket) => sum + bucket.total, 0)).toBe(answered);
    }
  });

  it('lets no visit beyond the limit of a link through', async () => {
    const { code } = await user.create({ url: 'https://example.org/limited', maxVisits: 5 });
    let redirects = 0;
    for (const offset of [0, day, -day, 3 * day, -3 * day]) {
      time.jump(offset);
      const answers = await Promise.all(Array.from({ length: 4 }, () => user.follow(code)));
      redirects += answers.filter(({ status }) => status === 302).length;
      await user.follow(code, { headers: { 'user-agent': botAgent } });
      if (offset === -day) await program.restart();
    }
    expect(redirects).toBe(5);
  });

  it('does not give a kept answer to another request, and keeps the answer it has', async () => {
    const body = { url: 'https://example.org/once', unique: true };
    const post = () => user.api<ProgramLink>('POST', '/api/links', body, { 'idempotency-key': 'over-time' });
    const first = await post();
    for (const offset of [hour, -day, 0]) {
      time.jump(offset);
      expect((await post()).body.code).toBe(first.body.code);
    }
  });
});

function dateOf(daysFromNow: number): string {
  return new Date(Date.now() + daysFromNow * day * 1_000).toISOString().slice(0, 10);
}
