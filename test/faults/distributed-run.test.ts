/**
 * The promises of many instances under everything at once: three brokers, three instances and Redis under a steady load of
 * visits, new links and reads; each broker is killed and started again in turn, one instance is killed, Redis is emptied. Afterwards
 * each answered visit is counted once, no number has fallen on the way, and all views agree with the raw log.
 */
import { jest } from '@jest/globals';
import { createBalancedVisitors } from '../support/balanced-visitors.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { emptyRedis } from '../support/empty-redis.ts';
import { compareLedger, countedBy } from '../support/ledger.ts';
import { createLinkMaker } from '../support/link-maker.ts';
import { createNumberWatch } from '../support/number-watch.ts';
import { chosenSeed, createSeededRandom } from '../support/seeded-random.ts';
import { type Services, startOwnServices } from '../support/services.ts';
import { driftOf, runVerify } from '../support/verify-run.ts';
import { sumOf } from '../support/visitors.ts';

const perSecond = 500;
const firstLinks = 40;
/** Visits between one fault and the next. */
const between = 2_500;

jest.setTimeout(420_000);

describe('three instances on three brokers', () => {
  let services: Services;
  let cluster: Cluster;

  beforeAll(async () => {
    services = await startOwnServices({ brokers: 3 });
    cluster = await startCluster({
      env: { KAFKA_BROKERS: services.kafkaBrokers.join(','), REDIS_URL: services.redisUrl },
    });
  }, 300_000);
  afterAll(async () => {
    await cluster?.dispose();
    await services?.stop();
  });

  it('lose and double no visit when brokers, an instance and what Redis holds go away under load', async () => {
    const random = createSeededRandom(chosenSeed());
    const { instances } = cluster;
    const users = instances.map(({ user }) => user);
    const maker = createLinkMaker(users, `run-${random.seed}`);
    while (maker.targets.size < firstLinks) await maker.makeOne();
    let codes = [...maker.targets.keys()];
    const visitors = createBalancedVisitors({
      ports: instances.map(({ port }) => port),
      perSecond,
      // Some links are far more popular than others.
      nextCode: () => codes[Math.floor(codes.length * random.next() ** 3)] ?? '',
    });
    const watches = users.map((user) => createNumberWatch(user, () => random.pick(codes)));
    visitors.start();
    maker.start();
    for (const watch of watches) watch.start();
    const goOn = async (visits = between) => {
      await visitors.more(visits);
      codes = [...maker.targets.keys()];
    };

    await goOn();
    for (const broker of services.brokers) {
      await broker.kill();
      await goOn();
      await broker.restart();
      await goOn();
    }
    const victim = random.pick(instances);
    await victim.kill9();
    await goOn();
    await victim.restart();
    await goOn();
    await emptyRedis(services.redisUrl);
    await goOn();

    await visitors.stop();
    await maker.stop();
    for (const watch of watches) await watch.stop();
    await cluster.inService();
    await cluster.forwarded();

    const counted = await countedBy(random.pick(users), maker.targets.keys());
    const ledger = compareLedger(visitors, counted);
    const fallen = watches.flatMap((watch) => watch.fallen);
    process.stdout.write(
      `distributed run: SEED=${random.seed} answered ${ledger.answered}, unknown ${ledger.unknown} ` +
        `${JSON.stringify([...visitors.errors])}, counted ${ledger.counted}, lost ${ledger.lost}, ` +
        `duplicated ${ledger.duplicated}, longest gap ${Math.round(visitors.longestGapMs)} ms, ` +
        `other answers ${JSON.stringify([...visitors.refused])}, not sent ${visitors.notSent}, ` +
        `links ${maker.targets.size} ${JSON.stringify([...maker.statuses])}, ` +
        `numbers read ${watches.map((watch) => watch.reads())}, fallen ${fallen.length}\n`,
    );
    expect({ ...ledger, wrongLinks: maker.wrong, fallen: fallen.slice(0, 10) }).toMatchObject({
      lost: 0,
      duplicated: 0,
      wrong: [],
      wrongLinks: [],
      fallen: [],
    });
    expect([...visitors.refused.keys()].filter((status) => status !== 503)).toEqual([]);
    expect(sumOf(visitors.answered)).toBeGreaterThanOrEqual(between * 10);

    const run = await runVerify(['--json', ...instances.map(({ baseUrl }) => `--url=${baseUrl}`)], cluster.settings);
    if (run.code === 2) throw new Error(run.output);
    expect({ code: run.code, drift: driftOf(run) }).toEqual({ code: 0, drift: {} });
    const views = new Map(run.result?.views.map(({ view, compared }) => [view, compared]));
    for (const view of ['raw log', 'changelog', 'Redis rows', 'statistics', 'stores'])
      expect([view, views.get(view)]).toEqual([view, expect.any(Number)]);
    expect(run.result?.visits).toMatchObject({ gaps: 0, notCountable: 0 });
  });
});
