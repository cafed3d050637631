/** Where a person sees the dead letters of an installation and brings some back: the topic, and a way into the log of visits. */

import type { KeptDeadLetter } from '../adapters/kafka/dead-letter-record.ts';
import { createDeadLetterTopic, type DeadLetters } from '../adapters/kafka/dead-letter-topic.ts';
import { createVisitShipper } from '../adapters/kafka/kafka-visit-shipper.ts';
import { createPinoLogger } from '../adapters/system/pino-logger.ts';
import { systemClock } from '../adapters/system/system-clock.ts';
import { systemRandom } from '../adapters/system/system-random.ts';
import type { DistributedConfig } from '../config.ts';
import { kafkaAddress } from './kafka-address.ts';
import { type Replay, replayDeadLetters, whyNotReplayable } from './replay-dead-letters.ts';

export interface DeadLetterDesk {
  /** Every call throws `LogUnavailable` when Kafka does not answer in time. */
  list(): Promise<Omit<DeadLetters, 'letters' | 'plans'> & { readonly letters: readonly ShownDeadLetter[] }>;
  /** See {@link replayDeadLetters}. */
  replay(origins: readonly string[] | null): Promise<Replay>;
  close(): Promise<void>;
}

export interface ShownDeadLetter extends KeptDeadLetter {
  /** Why this release cannot replay it, or null. */
  readonly notReplayable: string | null;
}

export function openDeadLetterDesk(settings: DistributedConfig): DeadLetterDesk {
  const clock = systemClock;
  const random = systemRandom;
  const logger = createPinoLogger({ level: 'silent' });
  const kafka = { ...kafkaAddress(settings, `tallyhop-dead-letters-${random.id()}`), clock, random, logger };
  const topic = createDeadLetterTopic(kafka);
  const shipper = createVisitShipper(kafka);
  return {
    async list() {
      const { letters, more } = await topic.read();
      return { letters: letters.map((letter) => ({ ...letter, notReplayable: whyNotReplayable(letter) })), more };
    },
    replay: (origins) => replayDeadLetters({ topic, shipper, clock, random }, origins),
    async close() {
      await shipper.close();
      await topic.close();
    },
  };
}
