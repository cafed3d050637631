import { setTimeout as delay } from 'node:timers/promises';
import { formatPosition } from '../../../src/adapters/redis/position-text.ts';
import { openRedisConnection, type RedisConnection } from '../../../src/adapters/redis/redis-connection.ts';
import { createRedisKeys } from '../../../src/adapters/redis/redis-keys.ts';
import { createRedisVisitLimits, type RedisVisitLimits } from '../../../src/adapters/redis/redis-visit-limits.ts';
import { systemClock } from '../../../src/adapters/system/system-clock.ts';
import { systemRandom } from '../../../src/adapters/system/system-random.ts';
import { eventually } from '../../support/eventually.ts';
import { createQuietLogger } from '../../support/quiet-logger.ts';
import { type RedisServer, startRedisServer } from '../../support/redis-server.ts';
import { chosenSeed, createSeededRandom } from '../../support/seeded-random.ts';

const keys = createRedisKeys();
const logId = 'log-1';
const code = 'abc1234';
const maxVisits = 15;
const seedAttemptsMax = 3;

let server: RedisServer;
let connections: RedisConnection[];
const open: RedisVisitLimits[] = [];

beforeAll(async () => {
  server = await startRedisServer();
  const logger = createQuietLogger();
  connections = [1, 2, 3].map(() => openRedisConnection({ url: server.url, logger, random: systemRandom }));
  await eventually(() => connections.every((connection) => connection.isReady()), 'Redis can be asked');
});
afterEach(async () => {
  for (const limits of open.splice(0)) await limits.close();
});
afterAll(async () => {
  for (const connection of connections) connection.close();
  await server.dispose();
});

/**
 * What the follower does when it finds Redis empty: nothing of the generation before is valid.
 * @returns the reservations that stood there in the moment of the flush, null when there were none
 */
async function beginGeneration(generation: string): Promise<number | null> {
  const position = { partition: 0, nextOffset: 1, streamTimeMs: 0, logId, generation };
  const [reservations] =
    (await server.client
      .multi()
      .get(keys.limit(0, code))
      .flushall()
      .set(keys.position(0), formatPosition(position))
      .exec()) ?? [];
  const used = Number(String(reservations?.[1] ?? '').split(' ')[2]);
  return Number.isNaN(used) ? null : used;
}

/** Instances over one log. A visit that was answered is folded when `fold` is called. */
function createWorld(folded: number) {
  const world = { folded, inFlight: 0, learnt: 0, learning: Promise.resolve() as Promise<unknown> };
  const clockAheadMs = { value: 0 };
  const clock = { nowMs: systemClock.nowMs, monotonicMs: () => systemClock.monotonicMs() + clockAheadMs.value };
  const instances = connections.map((connection) => {
    const limits = createRedisVisitLimits({
      connection,
      keys,
      logId,
      partitionOf: () => 0,
      async learn() {
        world.learnt += 1;
        const number = world.folded;
        await world.learning;
        return number;
      },
      clock,
      logger: createQuietLogger(),
      random: systemRandom,
    });
    open.push(limits);
    return limits;
  });
  const fold = (): void => {
    world.folded += world.inFlight;
    world.inFlight = 0;
  };

  /** What the redirect door does. */
  async function visit(instance: number, isHuman = true): Promise<'answered' | 'used-up' | 'unavailable'> {
    const limits = instances[instance % instances.length];
    if (limits === undefined) throw new Error('no instance');
    for (let attempt = 0; attempt <= seedAttemptsMax; attempt++) {
      const answered = isHuman ? limits.take(code, maxVisits) : limits.look(code, maxVisits);
      if (answered === 'used-up') return 'used-up';
      if (answered !== 'seeding') {
        if (isHuman) world.inFlight += 1;
        return 'answered';
      }
      try {
        await limits.seed(code, maxVisits, isHuman ? 'take' : 'look');
      } catch {
        return 'unavailable';
      }
    }
    return 'unavailable';
  }

  return { ...world, world, instances, visit, fold, clockAheadMs };
}

const countOf = (outcomes: readonly string[], outcome: string) => outcomes.filter((other) => other === outcome).length;

describe('the visits of a limited link, counted for three instances', () => {
  beforeEach(async () => {
    await beginGeneration('g1');
  });

  it('are five of two hundred at once when five are left', async () => {
    const { visit, world } = createWorld(10);
    const outcomes = await Promise.all(Array.from({ length: 200 }, (_, request) => visit(request)));
    expect(countOf(outcomes, 'answered')).toBe(5);
    expect(countOf(outcomes, 'used-up')).toBe(195);
    expect(world.learnt).toBeLessThan(10);
  });

  it('are used up by humans alone, while others are refused with them', async () => {
    const { visit } = createWorld(13);
    const looks = await Promise.all(Array.from({ length: 20 }, (_, request) => visit(request, false)));
    expect(countOf(looks, 'answered')).toBe(20);
    const visits = await Promise.all(Array.from({ length: 20 }, (_, request) => visit(request)));
    expect(countOf(visits, 'answered')).toBe(2);
    expect(await visit(0, false)).toBe('used-up');
  });

  it('follow a limit that was raised at once', async () => {
    const { visit, instances } = createWorld(15);
    expect(await visit(0)).toBe('used-up');
    await instances[0]?.seed(code, 16, 'take');
    expect(instances[0]?.take(code, 16)).toBe('taken');
  });

  it('can be taken by another instance when they were given back', async () => {
    const { visit, instances } = createWorld(14);
    expect(await visit(0)).toBe('answered');
    expect(await visit(1)).toBe('used-up');
    instances[0]?.giveBack(code);
    await eventually(async () => (await server.client.get(keys.limit(0, code)))?.endsWith(' 14'), 'the visit is back');
    expect(await visit(2)).toBe('answered');
    expect(await visit(2)).toBe('used-up');
  });

  it('are given back when they were reserved and nobody took them', async () => {
    const { instances, clockAheadMs } = createWorld(14);
    await instances[0]?.seed(code, maxVisits, 'take');
    expect(await server.client.get(keys.limit(0, code))).toMatch(/ 15$/);
    clockAheadMs.value = 5_000;
    await eventually(async () => (await server.client.get(keys.limit(0, code)))?.endsWith(' 14'), 'the visit is back');
    expect(instances[0]?.take(code, maxVisits)).toBe('seeding');
  });

  it('are never more than the limit and what was in flight when Redis was flushed between', async () => {
    const seed = chosenSeed();
    const random = createSeededRandom(seed);
    for (let round = 0; round < 20; round++) {
      await beginGeneration(`g-${round}`);
      const { visit, world, fold } = createWorld(10);
      const before = await Promise.all(Array.from({ length: random.below(8) }, (_, request) => visit(request)));
      if (random.below(2) === 0) fold();
      const folded = world.folded;
      const running = Array.from({ length: 50 }, (_, request) => visit(request));
      await delay(random.below(3));
      const inFlight = ((await beginGeneration(`g-${round}-again`)) ?? folded) - folded;
      const outcomes = await Promise.all([...running, ...Array.from({ length: 50 }, (_, request) => visit(request))]);
      const answered = countOf([...before, ...outcomes], 'answered');
      expect({ seed, round, isWithin: answered <= 5 + inFlight }).toEqual({ seed, round, isWithin: true });
    }
  });

  it('are learnt anew, and nothing taken in between, when Redis is flushed while the number is learnt', async () => {
    const { visit, world } = createWorld(10);
    let learnt = (): void => undefined;
    world.learning = new Promise<void>((resolve) => {
      learnt = resolve;
    });
    const waiting = visit(0);
    await eventually(() => world.learnt === 1, 'the number is being learnt');
    // The visits of another generation are taken and folded while the first instance still learns.
    await beginGeneration('g2');
    world.folded = 15;
    learnt();
    expect(await waiting).toBe('used-up');
    expect(world.learnt).toBe(2);
  });

  it('are refused when Redis has lost where it stands, since nobody knows what else it lost', async () => {
    const { visit } = createWorld(10);
    expect(await visit(0)).toBe('answered');
    await server.client.flushall();
    expect(await visit(0)).toBe('unavailable');
    await beginGeneration('g2');
    expect(await visit(0)).toBe('answered');
  });

  it('are refused when the number cannot be learnt', async () => {
    const { visit, world } = createWorld(10);
    world.learning = Promise.reject(new Error('the fold is behind'));
    world.learning.catch(() => undefined);
    expect(await visit(0)).toBe('unavailable');
    world.learning = Promise.resolve();
    expect(await visit(0)).toBe('answered');
  });

  it.each([
    ['a list', (key: string) => server.client.rpush(key, 'x')],
    ['a text of somebody else', (key: string) => server.client.set(key, 'hello')],
    ['a number that is none', (key: string) => server.client.set(key, 'g1 seed -4')],
  ])('are learnt anew where %s was planted', async (_, plant) => {
    await plant(keys.limit(0, code));
    const { visit } = createWorld(10);
    const outcomes = await Promise.all(Array.from({ length: 20 }, (__, request) => visit(request)));
    expect(countOf(outcomes, 'answered')).toBe(5);
  });
});
