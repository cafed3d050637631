/**
 * Brings dead letters back into the log of visits, so that each is counted once: visits of a newer release that an older one could
 * not read, or what a person took a look at and finds good.
 *
 * A replayed visit cannot keep its identity: visits of the same producer that came after it are counted, so it would pass for a
 * duplicate. It gets one of the replay's own, which is noted in the topic of the letters before anything is written. Of two replays
 * that note the same letter, the first in the log's order has it; a replay that was broken off is finished by the next one under the
 * identities that it noted, and what it had written already vanishes as a duplicate. So does a letter that is kept once more after its
 * replay, by an owner that folds its record again.
 */
import type { KeptDeadLetter, PlannedVisit, ReplayPlan } from '../adapters/kafka/dead-letter-record.ts';
import { type DeadLetters, type DeadLetterTopic, plannedVisitsMax } from '../adapters/kafka/dead-letter-topic.ts';
import type { Clock } from '../ports/clock.ts';
import { partitionOf } from '../ports/partitioner.ts';
import type { Random } from '../ports/random.ts';
import type { VisitShipper } from '../ports/visit-shipper.ts';
import { decodeVisit } from '../serde/visit.ts';

export interface Replay {
  readonly replayed: readonly KeptDeadLetter[];
  readonly refused: readonly RefusedLetter[];
}

export interface RefusedLetter {
  readonly origin: string;
  readonly why: string;
}

export interface ReplayOptions {
  readonly topic: DeadLetterTopic;
  readonly shipper: VisitShipper;
  readonly clock: Clock;
  readonly random: Random;
}

/** Whoever folds remembers a replay's identities for a little longer: then it is not known any more what was written. */
const planAgeMaxMs = 30 * 24 * 60 * 60_000;
const shippedAtOnceMax = 500;

/** Why the letter cannot be replayed by this release, or null. */
export function whyNotReplayable({ topic, key, length, value }: KeptDeadLetter): string | null {
  if (topic !== 'visits') return 'it is no record of visits';
  if (key === null || value.length !== length) return 'it was not kept whole';
  try {
    decodeVisit(key, value);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/**
 * @param wanted origins of letters; null = all that a producer of ours wrote
 * Throws `LogUnavailable`: call it again, what was begun is then finished.
 */
export async function replayDeadLetters(options: ReplayOptions, wanted: readonly string[] | null): Promise<Replay> {
  const { topic, clock } = options;
  const before = await topic.read();
  const planned = new Set(before.plans.flatMap(({ visits }) => visits.map(([origin]) => origin)));
  const refused = [...refusedOf(before, wanted)];
  const chosen = before.letters.filter((letter) => {
    const isWanted = wanted === null ? letter.producerId !== null : wanted.includes(letter.origin);
    return isWanted && !planned.has(letter.origin) && whyNotReplayable(letter) === null;
  });
  await notePlans(options, chosen);

  const { letters, plans } = await topic.read();
  const left = new Map(letters.map((letter) => [letter.origin, letter]));
  const replayed: KeptDeadLetter[] = [];
  for (const plan of plans) {
    const visits = plan.visits.flatMap(([origin, partition, sequence]) => {
      const letter = left.get(origin);
      // Later plans do not have it.
      left.delete(origin);
      return letter === undefined ? [] : [{ letter, partition, sequence }];
    });
    if (clock.nowMs() - plan.createdAtMs > planAgeMaxMs) {
      const why = 'a replay of it was broken off so long ago that it may be counted twice';
      refused.push(...visits.map(({ letter: { origin } }) => ({ origin, why })));
      continue;
    }
    await ship(options, plan, visits);
    await topic.remove(visits.map(({ letter }) => letter));
    replayed.push(...visits.map(({ letter }) => letter));
  }
  return { replayed, refused };
}

function* refusedOf({ letters }: DeadLetters, wanted: readonly string[] | null): Generator<RefusedLetter> {
  const known = new Map(letters.map((letter) => [letter.origin, letter]));
  for (const origin of wanted ?? known.keys()) {
    const letter = known.get(origin);
    const why =
      letter === undefined
        ? 'there is no such letter'
        : wanted === null && letter.producerId === null
          ? 'no producer of ours wrote it whole: name it to replay it all the same'
          : whyNotReplayable(letter);
    if (why !== null) yield { origin, why };
  }
}

async function notePlans({ topic, clock, random }: ReplayOptions, chosen: readonly KeptDeadLetter[]): Promise<void> {
  const partitions = await topic.visitPartitions();
  for (let from = 0; from < chosen.length; from += plannedVisitsMax) {
    const next = new Map<number, number>();
    const visits = chosen.slice(from, from + plannedVisitsMax).map(({ origin, key }): PlannedVisit => {
      const partition = partitionOf(key ?? '', partitions);
      const sequence = next.get(partition) ?? 0;
      next.set(partition, sequence + 1);
      return [origin, partition, sequence];
    });
    await topic.note({ producerId: `replay-${random.id()}`, createdAtMs: clock.nowMs(), visits });
  }
}

interface PlannedLetter {
  readonly letter: KeptDeadLetter;
  readonly partition: number;
  readonly sequence: number;
}

/** Of each partition in the order of the sequences: a later one that came first would make the earlier ones duplicates. */
async function ship(
  { shipper }: ReplayOptions,
  { producerId }: ReplayPlan,
  visits: readonly PlannedLetter[],
): Promise<void> {
  for (const partition of new Set(visits.map((visit) => visit.partition))) {
    const ordered = visits
      .filter((visit) => visit.partition === partition)
      .sort((one, other) => one.sequence - other.sequence)
      .map(({ letter, sequence }) => ({ key: letter.key ?? '', value: letter.value, producerId, sequence }));
    for (let from = 0; from < ordered.length; from += shippedAtOnceMax) {
      await shipper.ship(partition, ordered.slice(from, from + shippedAtOnceMax));
    }
  }
}
