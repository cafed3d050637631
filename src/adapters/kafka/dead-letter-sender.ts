/**
 * Writes dead letters: records that are no visits or links of ours, kept for a person to look at. The key says where the
 * original stands, so that writing one again replaces it.
 */
import { LogUnavailable } from '../../ports/event-log.ts';
import { createKafkaCluster } from './kafka-cluster.ts';
import type { KafkaOptions } from './kafka-options.ts';
import { createPartitionSender, inSends, type PartitionSender } from './partition-sender.ts';
import type { RecordToSend } from './record-batch.ts';
import { type TopicRole, topicName } from './topic-names.ts';

export interface DeadLetter {
  /** Where the original stands. */
  readonly topic: TopicRole;
  readonly partition: number;
  readonly offset: number;
  readonly reason: string;
  /** The original's key. */
  readonly key: string;
  /** Who wrote the original; empty when it was not whole, or no producer of ours did. */
  readonly producerId: string;
  readonly sequence: number;
  /** The original's value; of a longer one the first {@link deadLetterValueBytesMax} bytes are kept. */
  readonly value: Buffer;
  /** The original value's length in bytes, when `value` is cut off already. */
  readonly length?: number;
}

export interface DeadLetterSender {
  /**
   * Resolves when the letters are kept: those of one partition in order. As many at once as the caller can hold. Throws `LogUnavailable`: send the
   * same again, each replaces itself.
   */
  send(letters: readonly DeadLetter[]): Promise<void>;
  close(): Promise<void>;
}

export const deadLetterValueBytesMax = 64 * 1024;
const sendMax = { records: 1_000, bytes: 640 * 1024 };
const textLengthMax = 500;
const giveUpMs = 15_000;

/** Builds a sender with a connection of its own. The topic's first partition takes all: dead letters are few. */
export function createDeadLetterSender(options: KafkaOptions): DeadLetterSender {
  const cluster = createKafkaCluster(options);
  const { clock, logger, topicPrefix } = options;
  const sender: PartitionSender = createPartitionSender({
    cluster,
    topic: topicName(topicPrefix, 'dead-letters'),
    partition: 0,
    lane: 'dead-letters',
    giveUpMs: () => giveUpMs,
    clock,
    logger,
    unavailable: (message, cause) => new LogUnavailable(message, { cause }),
  });

  function encode({ topic, partition, offset, reason, key, value, length, ...writer }: DeadLetter): RecordToSend {
    const origin = `${topicName(topicPrefix, topic)}:${partition}:${offset}`;
    const { producerId, sequence } = writer;
    const identity = producerId === '' ? [] : ['p', printable(producerId), 's', String(sequence)];
    const about = ['reason', printable(reason), 'length', String(length ?? value.length), 'origin', origin];
    return {
      key: origin,
      value: Buffer.from(value.subarray(0, deadLetterValueBytesMax)),
      headers: [...about, 'key', printable(key), ...identity],
    };
  }

  return {
    async send(letters) {
      for (const records of inSends(letters.map(encode), sendMax)) await sender.send(records);
    },
    async close() {
      await sender.close();
      cluster.close();
    },
  };
}

/** All of it may be a stranger's. */
function printable(text: string): string {
  return text.slice(0, textLengthMax).replace(/[^\x20-\x7e]/g, '?');
}
