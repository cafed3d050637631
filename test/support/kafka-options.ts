/** How tests reach a broker. */
import type { KafkaOptions } from '../../src/adapters/kafka/kafka-options.ts';
import { systemClock } from '../../src/adapters/system/system-clock.ts';
import { systemRandom } from '../../src/adapters/system/system-random.ts';
import { createQuietLogger } from './quiet-logger.ts';

export function kafkaOptions(
  given: Pick<KafkaOptions, 'brokers' | 'topicPrefix'> & Partial<KafkaOptions>,
): KafkaOptions {
  return { clientId: 'tallyhop-test', logger: createQuietLogger(), clock: systemClock, random: systemRandom, ...given };
}
