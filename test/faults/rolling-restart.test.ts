/** Three instances are restarted one after the other under load, as every upgrade does it: no visitor notices, no visit is lost. */
import { jest } from '@jest/globals';
import { createBalancedVisitors } from '../support/balanced-visitors.ts';
import { type Cluster, clusterStartTimeoutMs, startCluster } from '../support/cluster.ts';
import { compareLedger, countedBy } from '../support/ledger.ts';
import { chosenSeed, createSeededRandom } from '../support/seeded-random.ts';
import { sumOf } from '../support/visitors.ts';

const links = 30;
const perSecond = 300;

jest.setTimeout(180_000);

describe('a rolling restart of three instances', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    // As the load balancer's operator sets it: longer than readiness that is off goes unnoticed, on a busy machine too.
    cluster = await startCluster({ env: { DRAIN_MS: '5000', SHUTDOWN_TIMEOUT_MS: '30000' } });
  }, clusterStartTimeoutMs);
  afterAll(() => cluster?.dispose());

  it('under load fails no request and counts every answer once', async () => {
    const random = createSeededRandom(chosenSeed());
    const codes: string[] = [];
    for (let link = 0; link < links; link += 1) {
      const { user } = random.pick(cluster.instances);
      codes.push((await user.create({ url: `https://example.org/rolling/${link}` })).code);
    }
    const visitors = createBalancedVisitors({
      ports: cluster.instances.map(({ port }) => port),
      perSecond,
      nextCode: () => random.pick(codes),
    });
    visitors.start();
    await visitors.more(perSecond * 2);
    const exits: unknown[] = [];
    for (const instance of cluster.instances) {
      exits.push(await instance.stop());
      await instance.restart();
      await visitors.more(perSecond * 2);
    }
    await visitors.stop();
    await cluster.inService();
    await cluster.forwarded();

    const counted = await countedBy(random.pick(cluster.instances).user, codes);
    const ledger = compareLedger(visitors, counted);
    process.stdout.write(
      `rolling restart: SEED=${random.seed} answered ${ledger.answered}, unknown ${ledger.unknown} ` +
        `${JSON.stringify([...visitors.errors])}, refused ${sumOf(visitors.refused)}, not sent ${visitors.notSent}, ` +
        `counted ${ledger.counted}, lost ${ledger.lost}, duplicated ${ledger.duplicated}, ` +
        `longest gap ${Math.round(visitors.longestGapMs)} ms\n`,
    );
    expect(exits).toEqual(exits.map(() => ({ code: 0, signal: null })));
    expect([...visitors.refused]).toEqual([]);
    expect([...visitors.errors]).toEqual([]);
    expect(visitors.notSent).toBe(0);
    expect([...counted].filter(([, number]) => number > 0).sort()).toEqual([...visitors.answered].sort());
    for (const answered of visitors.answeredBy) expect(answered).toBeGreaterThan(0);
  });
});
