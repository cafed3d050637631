/** `maxVisits` is exact: never one more, whatever comes at once, and whatever happens to the program in between. */

import { modeStartTimeoutMs, modes, startProgramIn } from '../support/modes.ts';
import { botAgent, createProgramClient, eventually } from '../support/program-client.ts';
import type { RunningProgram } from '../support/running-program.ts';
import { chosenSeed, createSeededRandom } from '../support/seeded-random.ts';
import { createVisitors, sumOf } from '../support/visitors.ts';

const visitorsAtOnce = 20;
const kills = 4;

describe.each(modes)('a link with a limit of visits (%s)', (mode) => {
  let program: RunningProgram;
  let user: ReturnType<typeof createProgramClient>;

  beforeAll(async () => {
    program = await startProgramIn(mode);
    user = createProgramClient(program);
  }, modeStartTimeoutMs);
  afterAll(() => program.dispose());

  const statusesOf = async (code: string, requests: number, headers = {}) => {
    const answers = await Promise.all(Array.from({ length: requests }, () => user.follow(code, { headers })));
    const statuses = answers.map(({ status }) => status);
    return { redirects: statuses.filter((status) => status === 302).length, statuses };
  };

  it('answers fifty requests at once, when five are left, with exactly five redirects and 45 times 410', async () => {
    const { code } = await user.create({ url: 'https://example.org/five', maxVisits: 5 });
    const { redirects, statuses } = await statusesOf(code, 50);
    expect(redirects).toBe(5);
    expect(statuses.filter((status) => status === 410)).toHaveLength(45);
    expect(await user.statisticsAt(code, 5)).toMatchObject({ total: 5, nonBots: 5 });
    expect((await user.link(code)).status).toBe('exhausted');
  });

  it('is not used up by bots, prefetches and HEAD, and is closed to them too when it is used up', async () => {
    const { code } = await user.create({ url: 'https://example.org/bots', maxVisits: 2 });
    expect((await statusesOf(code, 10, { 'user-agent': botAgent })).redirects).toBe(10);
    expect((await statusesOf(code, 10, { 'sec-purpose': 'prefetch' })).redirects).toBe(10);
    for (let time = 0; time < 10; time += 1) expect((await user.follow(code, { method: 'HEAD' })).status).toBe(302);
    expect((await statusesOf(code, 10)).redirects).toBe(2);
    expect((await user.follow(code, { headers: { 'user-agent': botAgent } })).status).toBe(410);
    expect((await user.follow(code, { method: 'HEAD' })).status).toBe(410);
    expect(await user.statisticsAt(code, 12)).toMatchObject({ nonBots: 2, bots: 10, prefetches: 10 });
  });

  it('remembers what is used up after a restart and after kill -9', async () => {
    const { code } = await user.create({ url: 'https://example.org/over-restarts', maxVisits: 6 });
    expect((await statusesOf(code, 2)).redirects).toBe(2);
    await program.restart();
    expect((await statusesOf(code, 2)).redirects).toBe(2);
    await program.kill9();
    await program.restart();
    expect((await statusesOf(code, 20)).redirects).toBe(2);
    await user.statisticsAt(code, 6);
  });

  it('opens again when the limit is raised', async () => {
    const { code } = await user.create({ url: 'https://example.org/raised', maxVisits: 1 });
    expect((await statusesOf(code, 3)).redirects).toBe(1);
    await user.expectApi(200, 'PATCH', `/api/links/${code}`, { maxVisits: 3 });
    expect((await statusesOf(code, 5)).redirects).toBe(2);
  });

  it('never lets more through than its limit over its whole life, with kill -9 in the middle of the rush', async () => {
    const random = createSeededRandom(chosenSeed());
    process.stdout.write(`visit limit: SEED=${random.seed}\n`);
    const maxVisits = 400;
    const { code } = await user.create({ url: 'https://example.org/rush', maxVisits });
    const visitors = createVisitors({ port: program.port, visitors: visitorsAtOnce, nextCode: () => code });
    visitors.resume();
    for (let kill = 0; kill < kills; kill += 1) {
      await visitors.reached(visitors.count() + 20 + random.below(60));
      await program.kill9();
      await program.restart();
      visitors.resume();
    }
    await eventually('the link is used up', async () => ((visitors.refused.get(410) ?? 0) > 0 ? true : undefined));
    await visitors.pause();

    const answered = sumOf(visitors.answered);
    const unknown = sumOf(visitors.unknown);
    // What an instance among many had reserved when it was killed is used up, though nobody followed the link.
    const leastVisits = mode === 'embedded' ? maxVisits : answered;
    const { total } = await eventually(
      'every number is told',
      async () => {
        const statistics = await user.statistics(code);
        return statistics.total >= leastVisits && statistics.position.lagMs < 50 ? statistics : undefined;
      },
      60_000,
    );
    expect(total).toBeGreaterThanOrEqual(leastVisits);
    expect(total).toBeLessThanOrEqual(Math.min(maxVisits, answered + unknown));
    expect(answered + unknown + visitorsAtOnce * kills).toBeGreaterThanOrEqual(maxVisits);
    expect((await user.follow(code)).status).toBe(410);
  }, 120_000);
});
