/** What tests of the Kafka adapter start from: options for the shared broker under a prefix of their own, and small topics. */

import type { Admin } from 'kafkajs';
import kafkajs from 'kafkajs';
import { createKafkaClient } from '../../../../src/adapters/kafka/kafka-client.ts';
import type { KafkaOptions } from '../../../../src/adapters/kafka/kafka-options.ts';
import { type TopicRole, topicName } from '../../../../src/adapters/kafka/topic-names.ts';
import { systemClock } from '../../../../src/adapters/system/system-clock.ts';
import { systemRandom } from '../../../../src/adapters/system/system-random.ts';
import { eventually } from '../../../support/eventually.ts';
import { createQuietLogger, type QuietLogger } from '../../../support/quiet-logger.ts';
import { topicPrefix } from '../../../support/services.ts';

export interface TestKafkaOptions extends KafkaOptions {
  readonly logger: QuietLogger;
}

/** Options under a fresh prefix. */
export function kafkaOptions(brokers: readonly string[], changes: Partial<KafkaOptions> = {}): TestKafkaOptions {
  return {
    brokers,
    clientId: 'test',
    topicPrefix: topicPrefix(),
    clock: systemClock,
    random: systemRandom,
    ...changes,
    logger: createQuietLogger(),
  };
}

export async function withAdmin<Result>(
  options: KafkaOptions,
  use: (admin: Admin) => Promise<Result>,
): Promise<Result> {
  const admin = createKafkaClient(options).admin();
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}

/** Topics without settings of their own, for tests that are about records. */
export async function createBareTopics(
  options: KafkaOptions,
  partitions: number,
  roles: readonly TopicRole[] = ['links', 'visits'],
): Promise<void> {
  const names = roles.map((role) => topicName(options.topicPrefix, role));
  await withAdmin(options, async (admin) => {
    await admin.createTopics({
      waitForLeaders: false,
      topics: names.map((topic) => ({ topic, numPartitions: partitions })),
    });
    // The library's own wait fails when the broker has not heard of the topic yet.
    await eventually(async () => {
      const existing = new Set(await admin.listTopics());
      return names.every((name) => existing.has(name));
    }, 'the topics are there');
  });
}

/** Writes records as any other program might. */
export async function writeAsStranger(
  options: KafkaOptions,
  role: TopicRole,
  partition: number,
  messages: readonly {
    readonly key: Buffer | string | null;
    readonly value: Buffer | string | null;
    readonly headers?: Record<string, string>;
  }[],
  compression: number = kafkajs.CompressionTypes.None,
): Promise<void> {
  const producer = createKafkaClient(options).producer();
  await producer.connect();
  try {
    await producer.send({
      topic: topicName(options.topicPrefix, role),
      compression,
      messages: messages.map((message) => ({ ...message, partition })),
    });
  } finally {
    await producer.disconnect();
  }
}
