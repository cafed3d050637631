/**
 * How many human visits of each limited link are used up, counted in Redis for all instances: one call reserves a visit, and
 * the next `take` in this process consumes it. The number begins with the folded one, learnt anew when Redis lost it; then at
 * most what was in flight is let through above the limit. What cannot be known is refused.
 */
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Random } from '../../ports/random.ts';
import type { VisitLimits } from '../../ports/visit-limits.ts';
import type { RedisConnection } from './redis-connection.ts';
import type { RedisKeys } from './redis-keys.ts';
import { listOf, numberOf, textOf } from './redis-reply.ts';
import { RedisUnavailable } from './redis-unavailable.ts';

export interface RedisVisitLimitsOptions {
  readonly connection: RedisConnection;
  readonly keys: RedisKeys;
  readonly logId: string;
  readonly partitionOf: (code: string) => number;
  /**
   * The human visits of a link, folded from all that was journaled before the call; what other instances have journaled and not
   * shipped is in flight. Rejects when it cannot be known in time.
   */
  readonly learn: (code: string) => Promise<number>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Pick<Random, 'id'>;
}

export interface RedisVisitLimits extends VisitLimits {
  /** Gives back what was reserved and not taken. */
  close(): Promise<void>;
}

/** How long a refusal is remembered: a visit given back, or a higher limit, is seen after that. */
const usedUpMemoryMs = 1_000;
/** A reservation that nobody took after so long is given back. */
const grantMs = 1_000;
const seedAttemptsMax = 3;
/** How long the first who asks may take to learn the number before it is asked for anew. */
const learnMaxMs = 10_000;
const reservationsTtlSeconds = 30 * 24 * 60 * 60;
/** A visit is given back within this time after it was taken. */
const giveBackMaxMs = 60_000;
/** Links remembered; those asked for longest ago are forgotten first. */
const linksMax = 100_000;

interface Grant {
  readonly seed: string | null;
  readonly endMs: number;
}

export function createRedisVisitLimits(options: RedisVisitLimitsOptions): RedisVisitLimits {
  const { connection, keys, logId, partitionOf, clock, logger, random } = options;
  /** What was reserved, or seen to be left, for the takes and looks that follow at once. */
  const taken = new Map<string, Grant[]>();
  const left = new Map<string, Grant[]>();
  const usedUp = new Map<string, { readonly used: number; readonly endMs: number }>();
  /** Under which seed a link's visits are taken, and from when on no visit of an earlier seed can come back. */
  const seeds = new Map<string, { readonly seed: string; readonly soleFromMs: number }>();
  const learning = new Map<string, Promise<number>>();

  const sweeps = setInterval(sweep, grantMs);
  sweeps.unref();

  function consume(grants: Map<string, Grant[]>, code: string): boolean {
    const ofCode = grants.get(code);
    if (ofCode === undefined) return false;
    const grant = ofCode.shift();
    if (ofCode.length === 0) grants.delete(code);
    return grant !== undefined;
  }

  function isUsedUp(code: string, maxVisits: number): boolean {
    const memory = usedUp.get(code);
    return memory !== undefined && clock.monotonicMs() < memory.endMs && memory.used >= maxVisits;
  }

  function grant(grants: Map<string, Grant[]>, code: string, seed: string | null): void {
    const given = { seed, endMs: clock.monotonicMs() + grantMs };
    const ofCode = grants.get(code);
    if (ofCode === undefined) grants.set(code, [given]);
    else ofCode.push(given);
  }

  function noteSeed(code: string, seed: string): void {
    const nowMs = clock.monotonicMs();
    const before = seeds.get(code);
    if (before?.seed !== seed)
      remember(seeds, code, { seed, soleFromMs: before === undefined ? nowMs : nowMs + giveBackMaxMs });
  }

  function reservationKeys(code: string): string[] {
    const partition = partitionOf(code);
    return [keys.position(partition), keys.limit(partition, code)];
  }

  /** Asks once for each seed, and only after Redis gave it out: so no visit can be taken between the number and its use. */
  function learn(code: string, seed: string): Promise<number> {
    const known = learning.get(seed);
    if (known !== undefined) return known;
    const asked = options.learn(code).finally(() => learning.delete(seed));
    learning.set(seed, asked);
    return asked;
  }

  async function seed(code: string, maxVisits: number, next: 'take' | 'look'): Promise<void> {
    for (let attempt = 0; attempt < seedAttemptsMax; attempt++) {
      const args = [logId, maxVisits, random.id(), learnMaxMs, reservationsTtlSeconds, next === 'take' ? 1 : 0];
      const [outcome, detail] = listOf(await connection.call('take', reservationKeys(code), args.map(String)));
      switch (textOf(outcome)) {
        case 'taken':
          noteSeed(code, textOf(detail));
          grant(taken, code, textOf(detail));
          return;
        case 'left':
          grant(left, code, null);
          return;
        case 'used-up':
          remember(usedUp, code, { used: numberOf(detail), endMs: clock.monotonicMs() + usedUpMemoryMs });
          return;
        case 'learn': {
          const number = await learn(code, textOf(detail));
          await connection.call('seed', reservationKeys(code), [
            logId,
            textOf(detail),
            String(number),
            String(reservationsTtlSeconds),
          ]);
          break;
        }
        default:
          throw new RedisUnavailable('Redis does not follow the partition, so it is not known what it lost');
      }
    }
    throw new RedisUnavailable(`the visits left of a link were not learnt in ${seedAttemptsMax} attempts`);
  }

  async function giveBack(code: string, seedOfVisit: string): Promise<void> {
    try {
      await connection.call('give_back', reservationKeys(code), [logId, seedOfVisit]);
    } catch (error) {
      // Then the link has a visit less, never one more.
      logger.debug({ err: error, code }, 'a reserved visit was not given back');
    }
  }

  function sweep(): void {
    const nowMs = clock.monotonicMs();
    for (const grants of [taken, left]) {
      for (const [code, ofCode] of grants) {
        while (ofCode[0] !== undefined && ofCode[0].endMs <= nowMs) {
          const unused = ofCode.shift();
          if (unused?.seed != null) void giveBack(code, unused.seed);
        }
        if (ofCode.length === 0) grants.delete(code);
      }
    }
  }

  return {
    take(code, maxVisits) {
      if (consume(taken, code)) return 'taken';
      return isUsedUp(code, maxVisits) ? 'used-up' : 'seeding';
    },
    look(code, maxVisits) {
      if (consume(left, code)) return 'left';
      return isUsedUp(code, maxVisits) ? 'used-up' : 'seeding';
    },
    seed,
    giveBack(code) {
      const known = seeds.get(code);
      // When the number was learnt anew meanwhile, it may be without this visit already.
      if (known !== undefined && clock.monotonicMs() >= known.soleFromMs) void giveBack(code, known.seed);
    },
    async close() {
      clearInterval(sweeps);
      const unused = [...taken].flatMap(([code, grants]) => grants.map((grant) => giveBack(code, grant.seed ?? '')));
      taken.clear();
      await Promise.all(unused);
    },
  };
}

function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= linksMax) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
