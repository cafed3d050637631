/** The log in Kafka keeps the contract of every event log. */
import { type KafkaLog, openKafkaLog } from '../../../src/adapters/kafka/kafka-log.ts';
import { topicName } from '../../../src/adapters/kafka/topic-names.ts';
import type { EventLog } from '../../../src/ports/event-log.ts';
import { eventLogContract } from '../../contracts/event-log.ts';
import { sharedServices } from '../../support/services.ts';
import { createBareTopics, kafkaOptions, withAdmin } from './support/kafka-world.ts';

let brokers: readonly string[] = [];
beforeAll(async () => {
  brokers = (await sharedServices()).kafkaBrokers;
}, 60_000);

eventLogContract('the log in Kafka', async (partitions) => {
  const options = kafkaOptions(brokers);
  await createBareTopics(options, partitions);
  const log = await openKafkaLog({ ...options, secretFingerprint: 'f', onRefused: () => undefined });
  return {
    log: behindIdentity(log),
    dropBefore: async (topic, partition, offset) => {
      const name = topicName(options.topicPrefix, topic);
      await withAdmin(options, async (admin) => {
        // It must know the topic already.
        await admin.fetchTopicOffsets(name);
        await admin.deleteTopicRecords({ topic: name, partitions: [{ partition, offset: String(offset) }] });
      });
      return offset;
    },
    dispose: () => log.close(),
  };
});

/** The contract counts from an empty log; partition 0 of links begins with the record that says which log it is. */
function behindIdentity(log: KafkaLog): EventLog {
  const shift = (topic: string, partition: number): number => (topic === 'links' && partition === 0 ? 1 : 0);
  return {
    ...log,
    append: async (topic, partition, records) =>
      (await log.append(topic, partition, records)) - shift(topic, partition),
    endOffset: async (topic, partition) => (await log.endOffset(topic, partition)) - shift(topic, partition),
    async reader(topic, partition) {
      const reader = await log.reader(topic, partition);
      const by = shift(topic, partition);
      return {
        ...reader,
        read: async (nextOffset, maxBytes) => {
          const isBefore = nextOffset < 0;
          const records = await reader.read(isBefore ? nextOffset : nextOffset + by, maxBytes);
          return records.map((record) => ({ ...record, offset: record.offset - by }));
        },
        waitFor: (nextOffset, timeoutMs) => reader.waitFor(nextOffset + by, timeoutMs),
        endOffset: () => reader.endOffset() - by,
        startOffset: () => reader.startOffset() - by,
      };
    },
  };
}
