/** Brings journaled visits into the `visits` topic under the identity that the journal gave them. */
import { LogUnavailable } from '../../ports/event-log.ts';
import type { VisitShipper } from '../../ports/visit-shipper.ts';
import { encodeIdentified } from './identified-record.ts';
import { createKafkaCluster } from './kafka-cluster.ts';
import type { KafkaOptions } from './kafka-options.ts';
import { createPartitionSender, groupMax, inSends, type PartitionSender } from './partition-sender.ts';
import { topicName } from './topic-names.ts';

/** The forwarder has the visits on its disk and tries again: so long only keeps a short outage out of its sight. */
const giveUpMs = 15_000;

/** Builds a shipper with connections of its own; the first call connects. Call nothing before the log's identity is verified. */
export function createVisitShipper(options: KafkaOptions): VisitShipper {
  const cluster = createKafkaCluster(options);
  const { clock, logger } = options;
  const topic = topicName(options.topicPrefix, 'visits');
  const unavailable = (message: string, cause?: unknown): LogUnavailable => new LogUnavailable(message, { cause });
  const senders = new Map<number, PartitionSender>();

  function senderOf(partition: number): PartitionSender {
    const known = senders.get(partition);
    if (known !== undefined) return known;
    const sender = createPartitionSender({
      cluster,
      topic,
      partition,
      lane: 'visits',
      giveUpMs: () => giveUpMs,
      clock,
      logger,
      unavailable,
    });
    senders.set(partition, sender);
    return sender;
  }

  return {
    async ship(partition, visits) {
      const records = visits.map((visit) => encodeIdentified(visit, visit));
      // One after the other: were a later part written and an earlier one not, its visits would pass for duplicates.
      for (const part of inSends(records, groupMax)) await senderOf(partition).send(part);
    },
    async close() {
      await Promise.all([...senders.values()].map((sender) => sender.close()));
      cluster.close();
    },
  };
}
