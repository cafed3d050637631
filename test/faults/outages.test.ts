/**
 * Three instances while Kafka or Redis is away, while one of them is frozen or has lost its folder, and started in any order: what
 * each outage does and does not do, and that nothing answered is lost by any.
 */
import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { jest } from '@jest/globals';
import { type BalancedVisitors, createBalancedVisitors } from '../support/balanced-visitors.ts';
import { type Cluster, clusterStartTimeoutMs, type Instance, startCluster } from '../support/cluster.ts';
import { compareLedger, countedBy } from '../support/ledger.ts';
import { eventually, type ProgramLink } from '../support/program-client.ts';
import { type RunningProgram, startProgram } from '../support/running-program.ts';
import { type OwnedBroker, type OwnedRedis, type Services, startOwnServices } from '../support/services.ts';

const perSecond = 100;
const kafkaAwayMs = 30_000;
const redisAwayMs = 20_000;
/** More than a session of the group lasts. */
const frozenMs = 30_000;
const settleMs = 90_000;

jest.setTimeout(300_000);

describe('three instances', () => {
  let services: Services;
  let broker: OwnedBroker;
  let redis: OwnedRedis;
  let cluster: Cluster;
  let instances: readonly Instance[];
  let codes: string[];

  beforeAll(async () => {
    services = await startOwnServices();
    const [first] = services.brokers;
    if (first === undefined || services.redis === undefined) throw new Error('these services are not our own');
    broker = first;
    redis = services.redis;
    const env = { KAFKA_BROKERS: services.kafkaBrokers.join(','), REDIS_URL: services.redisUrl };
    cluster = await startCluster({ env });
    instances = cluster.instances;
    codes = await Promise.all(
      Array.from({ length: 12 }, async (_, index) => {
        const { code } = await instance(index).user.create({ url: `https://example.org/outages/${index}` });
        return code;
      }),
    );
  }, clusterStartTimeoutMs);
  afterAll(async () => {
    await cluster?.dispose();
    await services?.stop();
  });

  const instance = (number: number): Instance => {
    const found = instances[number % instances.length];
    if (found === undefined) throw new Error('there are no instances');
    return found;
  };

  /** Visits of links made for this alone, so that what was counted before is no part of it. */
  async function visitorsOfNewLinks(name: string): Promise<{ visitors: BalancedVisitors; visited: string[] }> {
    const visited: string[] = [];
    for (let link = 0; link < 12; link += 1) {
      visited.push((await instance(link).user.create({ url: `https://example.org/${name}/${link}` })).code);
    }
    let turn = 0;
    const ports = instances.map(({ port }) => port);
    // The popular ones stand in front.
    const nextCode = () => visited[turn++ % 3 === 0 ? 0 : turn % visited.length] ?? '';
    const visitors = createBalancedVisitors({ ports, perSecond, nextCode });
    return { visitors, visited };
  }

  async function expectExact(name: string, visitors: BalancedVisitors, visited: readonly string[]): Promise<void> {
    await cluster.forwarded();
    for (const [index, { user }] of instances.entries()) {
      const ledger = compareLedger(visitors, await countedBy(user, visited, settleMs));
      process.stdout.write(
        `${name}, told by ${index}: answered ${ledger.answered}, unknown ${ledger.unknown}, counted ${ledger.counted}, ` +
          `lost ${ledger.lost}, duplicated ${ledger.duplicated}, other answers ${JSON.stringify([...visitors.refused])}, ` +
          `longest gap ${Math.round(visitors.longestGapMs)} ms\n`,
      );
      expect({ ...ledger, wrong: ledger.wrong }).toMatchObject({ lost: 0, duplicated: 0, wrong: [] });
    }
  }

  /** A code that nobody made. */
  const unknownCode = (number: number) => `nobody-${number}`;

  it('redirect what they know while Kafka is away, call no code unknown, refuse changes, and count all visits later', async () => {
    const { visitors, visited } = await visitorsOfNewLinks('kafka-away');
    await Promise.all(
      instances.map(({ user }) => Promise.all(visited.map((code) => user.follow(code, { method: 'HEAD' })))),
    );
    visitors.start();
    await visitors.more(perSecond);
    await broker.kill();
    const backAtMs = performance.now() + kafkaAwayMs;
    const odd: string[] = [];
    for (let round = 0; performance.now() < backAtMs; round += 1) {
      const { user } = instance(round);
      const [known, unknown, created, deleted] = await Promise.all([
        user.follow(visited[round % visited.length] ?? '', { method: 'HEAD' }),
        user.follow(unknownCode(round)),
        user.api('POST', '/api/links', { url: `https://example.org/away/${round}` }),
        user.api('DELETE', `/api/links/${codes[0]}`),
      ]);
      const statuses = [known.status, unknown.status, created.status, deleted.status];
      if (`${statuses}` !== '302,503,503,503') odd.push(`round ${round}: ${statuses}`);
      if (!unknown.headers.has('retry-after') || !created.headers.has('retry-after'))
        odd.push(`round ${round}: no Retry-After`);
      await delay(500);
    }
    for (const { user } of instances) {
      const ready = await user.api<{ status: string; checks: Record<string, string> }>('GET', '/readyz');
      if (ready.status !== 200 || ready.body.checks['kafka'] === 'ok')
        odd.push(`readiness: ${JSON.stringify(ready.body)}`);
    }
    await broker.restart();
    await visitors.more(perSecond);
    await visitors.stop();
    expect(odd).toEqual([]);
    expect([...visitors.refused]).toEqual([]);
    await cluster.inService();
    await expectExact('Kafka away', visitors, visited);
    for (const { user } of instances) expect((await user.follow(unknownCode(0))).status).toBe(404);
    const { code } = await instance(0).user.create({ url: 'https://example.org/after-kafka' });
    for (const { user } of instances) expect((await user.follow(code)).status).toBe(302);
  });

  it('lack nothing but limits of visits while Redis is away, and these are exact afterwards', async () => {
    const { visitors, visited } = await visitorsOfNewLinks('redis-away');
    const limited = await instance(0).user.create({ url: 'https://example.org/limited', maxVisits: 5 });
    for (let visit = 0; visit < 2; visit += 1)
      expect((await instance(visit).user.follow(limited.code)).status).toBe(302);
    for (const { user } of instances) await user.statisticsAt(limited.code, 2);
    visitors.start();
    await visitors.more(perSecond);
    await redis.kill();
    const backAtMs = performance.now() + redisAwayMs;
    const odd: string[] = [];
    for (let round = 0; performance.now() < backAtMs; round += 1) {
      const [maker, other] = [instance(round).user, instance(round + 1).user];
      const created = await maker.api<ProgramLink>('POST', '/api/links', {
        url: `https://example.org/no-redis/${round}`,
      });
      const [followed, changed, unknown, withLimit, statistics, list] = await Promise.all([
        other.follow(created.body.code, { method: 'HEAD' }),
        other.api('PATCH', `/api/links/${created.body.code}`, { note: 'changed' }),
        other.follow(unknownCode(round)),
        maker.follow(limited.code),
        other.expectApi<{ total: number }>(200, 'GET', `/api/links/${limited.code}/stats`),
        other.expectApi<{ links: unknown[] }>(200, 'GET', '/api/links'),
      ]);
      const statuses = [created, followed, changed, unknown, withLimit].map(({ status }) => status);
      if (`${statuses}` !== '201,302,200,404,503') odd.push(`round ${round}: ${statuses}`);
      if (!withLimit.headers.has('retry-after')) odd.push(`round ${round}: no Retry-After`);
      if (statistics.total !== 2 || list.links.length === 0) odd.push(`round ${round}: ${statistics.total} visits`);
      await delay(500);
    }
    await redis.restart({ empty: true });
    await visitors.more(perSecond);
    await visitors.stop();
    expect(odd).toEqual([]);
    expect([...visitors.refused]).toEqual([]);
    await cluster.inService();
    await expectExact('Redis away', visitors, visited);
    const statuses: number[] = [];
    for (let visit = 0; visit < 9; visit += 1) {
      statuses.push(
        await eventually('the limit is known again', async () => {
          const { status } = await instance(visit).user.follow(limited.code);
          return status === 503 ? undefined : status;
        }),
      );
    }
    expect(statuses).toEqual([302, 302, 302, 410, 410, 410, 410, 410, 410]);
  });

  it('redirect and journal with both away, and count it all when they are back', async () => {
    const { visitors, visited } = await visitorsOfNewLinks('both-away');
    await Promise.all(
      instances.map(({ user }) => Promise.all(visited.map((code) => user.follow(code, { method: 'HEAD' })))),
    );
    await Promise.all([redis.kill(), broker.kill()]);
    visitors.start();
    await visitors.more(perSecond * 5);
    // One of them ends meanwhile, and comes back on its folder alone.
    await instance(1).kill9();
    await instance(1).restart();
    await visitors.more(perSecond * 5);
    for (const { user } of instances) {
      for (const code of visited) expect((await user.follow(code, { method: 'HEAD' })).status).toBe(302);
    }
    await visitors.stop();
    await Promise.all([redis.restart({ empty: true }), broker.restart()]);
    expect([...visitors.refused]).toEqual([]);
    await cluster.inService();
    await expectExact('both away', visitors, visited);
  });

  it('count on when one is frozen, whose tasks go to others, and it does no harm when it wakes up', async () => {
    const { visitors, visited } = await visitorsOfNewLinks('frozen');
    visitors.start();
    await visitors.more(perSecond);
    const frozen = instance(2);
    const others = [instance(0), instance(1)];
    process.kill(frozen.pid, 'SIGSTOP');
    try {
      const wakesAtMs = performance.now() + frozenMs;
      const before = await others[0]?.user.statistics(visited[0] ?? '');
      await delay(wakesAtMs - performance.now());
      // Its tasks have new owners: what the others have answered since is counted.
      for (const { user } of others) {
        await eventually(
          'every task has an owner',
          async () => {
            const { body } = await user.api<{ checks: Record<string, string> }>('GET', '/readyz');
            return body.checks['tasks'] === 'ok' ? true : undefined;
          },
          settleMs,
        );
        const now = await eventually('numbers go on', async () => {
          const statistics = await user.statistics(visited[0] ?? '');
          return statistics.total > (before?.total ?? 0) ? statistics : undefined;
        });
        expect(now.total).toBeGreaterThan(before?.total ?? 0);
      }
    } finally {
      process.kill(frozen.pid, 'SIGCONT');
    }
    await visitors.more(perSecond * 5);
    await visitors.stop();
    expect([...visitors.refused.keys()].filter((status) => status !== 503)).toEqual([]);
    await cluster.inService();
    await expectExact('frozen', visitors, visited);
  });

  it('tell the same numbers after one has lost its folder while it was down', async () => {
    const { visitors, visited } = await visitorsOfNewLinks('lost-folder');
    visitors.start();
    await visitors.more(perSecond * 2);
    const victim = instance(1);
    // What it has journaled and not forwarded must not be lost with the folder: a clean stop forwards it.
    await victim.stop();
    await rm(victim.dataDir, { recursive: true, force: true });
    await visitors.more(perSecond * 2);
    await victim.restart();
    await visitors.more(perSecond * 2);
    await visitors.stop();
    expect([...visitors.errors].filter(([error]) => error !== 'ECONNRESET')).toEqual([]);
    await cluster.inService();
    await expectExact('lost folder', visitors, visited);
  });
});

describe('instances that start before Kafka', () => {
  it('are alive and not ready, say so, and get ready by themselves; one that has its folder redirects meanwhile', async () => {
    const services = await startOwnServices();
    const [broker] = services.brokers;
    if (broker === undefined) throw new Error('this broker is not our own');
    const programs: RunningProgram[] = [];
    try {
      const cluster = await startCluster({
        instances: 1,
        env: { KAFKA_BROKERS: services.kafkaBrokers.join(','), REDIS_URL: services.redisUrl },
      });
      const [known] = cluster.instances;
      if (known === undefined) throw new Error('there is no instance');
      programs.push(known);
      const { code } = await known.user.create({ url: 'https://example.org/before-kafka' });
      await known.stop();
      await broker.kill();

      const fresh = await startProgram({ env: cluster.settings, startedWhen: '/livez' });
      programs.push(fresh);
      await known.restart();
      const follow = async (program: RunningProgram) => {
        const answer = await fetch(`${program.baseUrl}/${code}`, { redirect: 'manual' });
        await answer.arrayBuffer();
        return answer;
      };
      const statusOf = async (program: RunningProgram, path: string) =>
        (await fetch(`${program.baseUrl}${path}`)).status;
      expect(await statusOf(fresh, '/livez')).toBe(200);
      expect(await statusOf(fresh, '/readyz')).toBe(503);
      const refused = await follow(fresh);
      expect([refused.status, refused.headers.has('retry-after')]).toEqual([503, true]);
      expect(await statusOf(known, '/readyz')).toBe(200);
      const followed = await follow(known);
      expect([followed.status, followed.headers.get('location')]).toEqual([302, 'https://example.org/before-kafka']);

      await broker.restart();
      await eventually(
        'it is ready',
        async () => ((await statusOf(fresh, '/readyz')) === 200 ? true : undefined),
        settleMs,
      );
      expect((await follow(fresh)).status).toBe(302);
      await cluster.inService();
      await known.user.statisticsAt(code, 2, settleMs);
    } finally {
      for (const program of programs) await program.dispose();
      await services.stop();
    }
  });
});
