/** Three instances are one service: whichever of them is asked, the answer is the same. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { type Cluster, clusterStartTimeoutMs, type Instance, startCluster } from '../support/cluster.ts';
import { emptyRedis } from '../support/empty-redis.ts';
import { inParallel } from '../support/in-parallel.ts';
import { botAgent, createProgramClient, eventually, humanAgent, type ProgramLink } from '../support/program-client.ts';
import { runRefusedProgram, startProgram } from '../support/running-program.ts';
import { type Services, startOwnServices } from '../support/services.ts';

const races = 1_000;
const racesAtOnce = 25;

jest.setTimeout(180_000);

describe('three instances', () => {
  let redis: Services;
  let cluster: Cluster;
  let instances: readonly Instance[];

  beforeAll(async () => {
    redis = await startOwnServices({ brokers: 0 });
    cluster = await startCluster({ env: { REDIS_URL: redis.redisUrl } });
    instances = cluster.instances;
  }, clusterStartTimeoutMs);
  afterAll(async () => {
    await cluster?.dispose();
    await redis?.stop();
  });

  /** The instance of this number, counted round and round. */
  const instance = (number: number): Instance => {
    const found = instances[number % instances.length];
    if (found === undefined) throw new Error('there are no instances');
    return found;
  };
  const orders = [
    [0, 1, 2],
    [1, 2, 0],
    [2, 0, 1],
    [0, 2, 1],
    [2, 1, 0],
    [1, 0, 2],
  ] as const;

  it.each(orders)('a link made by %i is followed, read, changed and deleted at once by %i and %i', async (...order) => {
    const [maker, second, third] = order.map((number) => instance(number).user);
    if (maker === undefined || second === undefined || third === undefined) throw new Error('there are too few');
    for (let round = 0; round < 20; round += 1) {
      const url = `https://example.org/${order.join('')}/${round}`;
      const { code } = await maker.create({ url });
      const [followed, read, previewed] = await Promise.all([
        second.follow(code),
        third.api<ProgramLink>('GET', `/api/links/${code}`),
        second.api<ProgramLink>('GET', `/${code}+`),
      ]);
      expect({ ...followed, headers: null }).toEqual({ status: 302, location: url, headers: null });
      expect([read.status, read.body.url, previewed.status]).toEqual([200, url, 200]);
      const changed = await second.api<ProgramLink>('PATCH', `/api/links/${code}`, { url: `${url}/changed` });
      expect([changed.status, changed.body.version]).toEqual([200, 2]);
      expect((await second.follow(code)).location).toBe(`${url}/changed`);
      const deleted = await third.api('DELETE', `/api/links/${code}`);
      expect(deleted.status).toBe(204);
      expect((await third.follow(code)).status).toBe(410);
      for (const user of [maker, second]) {
        await eventually('the deletion is seen', async () =>
          (await user.follow(code)).status === 410 ? true : undefined,
        );
      }
    }
  });

  it('a link is changed and deleted right after it was made, before any other instance was asked about it', async () => {
    for (let round = 0; round < 20; round += 1) {
      const { code } = await instance(round).user.create({ url: `https://example.org/unseen/${round}` });
      const changed = await instance(round + 1).user.api<ProgramLink>('PATCH', `/api/links/${code}`, {
        note: 'changed',
      });
      expect([changed.status, changed.body.version]).toEqual([200, 2]);
      expect((await instance(round + 2).user.api('DELETE', `/api/links/${code}`)).status).toBe(204);
    }
  });

  it(`${races.toLocaleString('en')} aliases that three instances are asked for at once have one winner each`, async () => {
    const winners = new Map<string, string>();
    const odd: string[] = [];
    await inParallel(
      racesAtOnce,
      Array.from({ length: races }, (_, race) => race),
      async (race) => {
        const alias = `race-${race}`;
        const answers = await Promise.all(
          instances.map(({ user }, index) =>
            user.api<ProgramLink>('POST', '/api/links', { url: `https://example.org/${race}/${index}`, alias }),
          ),
        );
        const won = answers.filter(({ status }) => status === 201);
        const lost = answers.filter(({ status }) => status === 409);
        const [winner] = won;
        if (won.length !== 1 || lost.length !== instances.length - 1 || winner === undefined) {
          odd.push(`${alias}: ${answers.map(({ status }) => status)}`);
        } else winners.set(alias, winner.body.url);
      },
    );
    expect(odd).toEqual([]);
    expect(winners.size).toBe(races);

    const disagreeing: string[] = [];
    await inParallel(racesAtOnce, winners, async ([alias, url]) => {
      for (const [index, { user }] of instances.entries()) {
        const { status, location } = await user.follow(alias, { method: 'HEAD' });
        if (status !== 302 || location !== url) disagreeing.push(`${alias} on ${index}: ${status} ${location}`);
      }
    });
    expect(disagreeing).toEqual([]);
  });

  it('a URL that three instances are asked to shorten at once becomes one link', async () => {
    for (let round = 0; round < 50; round += 1) {
      const url = `https://example.org/the-same/${round}`;
      const answers = await Promise.all(
        instances.map(({ user }) => user.api<ProgramLink>('POST', '/api/links', { url })),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 201]);
      expect(new Set(answers.map(({ body }) => body.code)).size).toBe(1);
    }
  });

  it('a request with an Idempotency-Key has one effect, at once or one after another at three instances', async () => {
    for (const isAtOnce of [true, false]) {
      const body = { url: `https://example.org/idempotent/${isAtOnce}`, unique: true };
      const key = { 'idempotency-key': `three-instances-${isAtOnce}` };
      const post = ({ user }: Instance) => user.api<ProgramLink>('POST', '/api/links', body, key);
      const answers = isAtOnce ? await Promise.all(instances.map(post)) : [];
      for (const each of instances) answers.push(await post(each));
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
      expect(new Set(answers.map((answer) => answer.body.code)).size).toBe(1);
    }
  });

  it('200 requests at once over three instances, when five visits are left, get exactly five redirects', async () => {
    for (let round = 0; round < 3; round += 1) {
      const { code } = await instance(round).user.create({ url: `https://example.org/five/${round}`, maxVisits: 5 });
      const answers = await Promise.all(Array.from({ length: 200 }, (_, number) => instance(number).user.follow(code)));
      const statuses = answers.map(({ status }) => status);
      expect(statuses.filter((status) => status === 302)).toHaveLength(5);
      expect(statuses.filter((status) => status === 410)).toHaveLength(195);
      for (const { user } of instances) {
        expect(await user.statisticsAt(code, 5)).toMatchObject({ total: 5, nonBots: 5 });
        expect((await user.follow(code)).status).toBe(410);
      }
    }
  });

  it('numbers, breakdowns and unique visitors are the same from every instance, whichever counts them', async () => {
    const agents = [humanAgent, humanAgent.replace('131', '132'), humanAgent.replace('131', '133')];
    const codes = await Promise.all(
      Array.from({ length: 12 }, async (_, index) => {
        const { code } = await instance(index).user.create({ url: `https://example.org/counted/${index}` });
        return code;
      }),
    );
    for (const [index, code] of codes.entries()) {
      for (let visit = 0; visit < 6 + index; visit += 1) {
        await instance(visit).user.follow(code, { headers: { 'user-agent': agents[visit % agents.length] ?? '' } });
      }
      await instance(index).user.follow(code, { headers: { 'user-agent': botAgent } });
    }
    for (const [index, code] of codes.entries()) {
      const told = await Promise.all(instances.map(({ user }) => user.statisticsAt(code, 7 + index)));
      const [first, ...others] = told.map(({ position: _position, ...numbers }) => numbers);
      expect(first).toMatchObject({ nonBots: 6 + index, bots: 1, uniqueVisitors: agents.length });
      for (const other of others) expect(other).toEqual(first);
      for (const { user } of instances)
        expect((await user.link(code)).visits).toMatchObject({ total: 7 + index, nonBots: 6 + index, bots: 1 });
    }
    const lists = await Promise.all(instances.map(({ user }) => user.list()));
    const [first, ...others] = lists.map(({ links }) => links.map(({ code, visits }) => [code, visits]));
    for (const other of others) expect(other).toEqual(first);
  });

  it('live totals come from whichever instance is asked', async () => {
    const { code } = await instance(0).user.create({ url: 'https://example.org/live' });
    const streams = instances.map(({ user }) => user.liveTotals(code));
    for (const stream of streams) expect((await stream.next()).value).toMatchObject({ total: 0 });
    for (let visit = 0; visit < 9; visit += 1) await instance(visit).user.follow(code);
    for (const stream of streams) {
      let total = 0;
      while (total < 9) {
        const next = await stream.next();
        if (next.done) throw new Error('the stream ended');
        expect(next.value.total).toBeGreaterThanOrEqual(total);
        total = next.value.total;
      }
      expect(total).toBe(9);
      await stream.return(undefined);
    }
  });

  it('a limit of visits holds when Redis is emptied in the middle of a rush: what was in flight may come on top', async () => {
    const maxVisits = 60;
    const inFlightMax = 24;
    const { code } = await instance(0).user.create({ url: 'https://example.org/flushed', maxVisits });
    let redirects = 0;
    let flushed: Promise<unknown> | null = null;
    const statuses = new Map<number, number>();
    await inParallel(
      inFlightMax,
      Array.from({ length: 400 }, (_, number) => number),
      async (number) => {
        if (redirects >= maxVisits / 2) flushed ??= emptyRedis(redis.redisUrl);
        const { status } = await instance(number).user.follow(code);
        if (status === 302) redirects += 1;
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      },
    );
    await flushed;
    expect(flushed).not.toBeNull();
    // Redis may have to be filled again first: then it cannot be told for a moment.
    await eventually('the limit is reached', async () => {
      const { status } = await instance(redirects).user.follow(code);
      if (status === 302) redirects += 1;
      return status === 410 ? true : undefined;
    });
    expect([...statuses.keys()].filter((status) => ![302, 410, 503].includes(status))).toEqual([]);
    expect(redirects).toBeGreaterThanOrEqual(maxVisits);
    expect(redirects).toBeLessThanOrEqual(maxVisits + inFlightMax);
    for (const { user } of instances) await user.statisticsAt(code, redirects);
    await cluster.inService();
  });

  it('an instance with another CODE_SECRET is refused by that name, also on a folder that it has', async () => {
    const env = { ...cluster.settings, CODE_SECRET: 'bW20-xRt55-qYu31-zNc76' };
    const refused = await runRefusedProgram({ env });
    expect(refused.code).toBe(1);
    expect(refused.output).toMatch(/CODE_SECRET/);
    expect(refused.output).not.toContain(env.CODE_SECRET);
  });

  it('a folder of the other mode is refused, either way, with what to do', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'tallyhop-'));
    try {
      const embedded = await startProgram({ dataDir });
      const { code } = await createProgramClient(embedded).create({ url: 'https://example.org/embedded' });
      await embedded.stop();
      const refused = await runRefusedProgram({ dataDir, env: cluster.settings });
      expect(refused.code).toBe(1);
      expect(refused.output).toContain(dataDir);
      expect(refused.output).toMatch(/DATA_DIR/);
      await embedded.restart();
      expect((await createProgramClient(embedded).follow(code)).status).toBe(302);
      await embedded.dispose();
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
    const { dataDir: used } = instance(2);
    await instance(2).stop();
    const refused = await runRefusedProgram({ dataDir: used });
    expect(refused.code).toBe(1);
    expect(refused.output).toMatch(/Kafka and Redis/);
    await instance(2).restart();
    await cluster.inService();
  });
});
