/** The topic of dead letters, for a person who looks at them, brings some back, and takes them away. */
import { LogUnavailable } from '../../ports/event-log.ts';
import { BrokerUnreachable } from './broker-connection.ts';
import { decodeDeadLetterRecord, encodePlan, type KeptDeadLetter, type ReplayPlan } from './dead-letter-record.ts';
import { createEndOffsets } from './end-offsets.ts';
import { createKafkaCluster } from './kafka-cluster.ts';
import type { KafkaOptions } from './kafka-options.ts';
import { createKnownEnds, createPartitionCursor } from './partition-cursor.ts';
import { createPartitionFetcher } from './partition-fetcher.ts';
import { createPartitionSender } from './partition-sender.ts';
import { type BatchRecord, openBatch, type RecordBatch, UnreadableBatch } from './record-batch.ts';
import { topicName } from './topic-names.ts';

export interface DeadLetters {
  /** Oldest first. */
  readonly letters: readonly KeptDeadLetter[];
  /** Every replay, done or broken off, in the order in which they were noted. */
  readonly plans: readonly ReplayPlan[];
  /** Letters beyond {@link lettersReadMax}, which are not among them. */
  readonly more: number;
}

/** Every call throws `LogUnavailable` when Kafka does not answer in time. */
export interface DeadLetterTopic {
  /** What is kept now. */
  read(): Promise<DeadLetters>;
  /** Resolves when the plan is kept. At most {@link plannedVisitsMax} visits. */
  note(plan: ReplayPlan): Promise<void>;
  /** Takes letters away. */
  remove(letters: readonly KeptDeadLetter[]): Promise<void>;
  visitPartitions(): Promise<number>;
  close(): Promise<void>;
}

export const lettersReadMax = 100_000;
export const plannedVisitsMax = 2_000;
const removalsPerSendMax = 1_000;
const giveUpMs = 15_000;
const lettersPartition = 0;

/** Builds it with connections of its own; the first call connects. */
export function createDeadLetterTopic(options: KafkaOptions): DeadLetterTopic {
  const { clock, logger, topicPrefix } = options;
  const topic = topicName(topicPrefix, 'dead-letters');
  const cluster = createKafkaCluster(options);
  const endOffsets = createEndOffsets(cluster, clock);
  const fetcher = createPartitionFetcher(cluster, clock, logger);
  const knownEnds = createKnownEnds();
  const partition = lettersPartition;
  const unavailable = (message: string, cause?: unknown): LogUnavailable => new LogUnavailable(message, { cause });
  const sender = createPartitionSender({
    ...{ cluster, topic, partition, lane: 'dead-letters', giveUpMs: () => giveUpMs, clock, logger, unavailable },
  });

  async function asked<Answer>(question: Promise<Answer>): Promise<Answer> {
    return question.catch((error: unknown) => {
      throw error instanceof BrokerUnreachable ? unavailable(error.message, error) : error;
    });
  }

  async function read(): Promise<DeadLetters> {
    if ((await asked(cluster.partitionCount(topic))) === null) throw unavailable(`there is no topic ${topic}`);
    const [start, end] = await asked(
      Promise.all([endOffsets.start(topic, partition), endOffsets.end(topic, partition)]),
    );
    const letters = new Map<string, KeptDeadLetter>();
    const plans = new Map<string, ReplayPlan>();
    const beyond = new Set<string>();
    const cursor = createPartitionCursor({ topic, partition, fetcher, endOffsets, knownEnds, clock, unavailable });
    try {
      for (let next = start; next < end; ) {
        const batch = await cursor.batchAt(next);
        if (batch === null) break;
        for (const record of recordsOf(batch)) {
          const found = decodeDeadLetterRecord(record, topicPrefix);
          if (record.offset < next || found === null) continue;
          if (found.kind === 'removal') {
            for (const kept of [letters, plans, beyond]) kept.delete(found.key);
          } else if (found.kind === 'plan') plans.set(found.key, found.plan);
          else if (letters.size < lettersReadMax || letters.has(found.key)) letters.set(found.key, found.letter);
          else beyond.add(found.key);
        }
        next = batch.lastOffset + 1;
      }
    } finally {
      cursor.close();
    }
    return { letters: [...letters.values()], plans: [...plans.values()], more: beyond.size };
  }

  return {
    read,
    async note(plan) {
      if (plan.visits.length > plannedVisitsMax) throw new RangeError(`${plan.visits.length} visits in one plan`);
      await sender.send([encodePlan(plan)]);
    },
    async remove(letters) {
      for (let from = 0; from < letters.length; from += removalsPerSendMax) {
        const some = letters.slice(from, from + removalsPerSendMax);
        await sender.send(some.map(({ origin }) => ({ key: origin, value: null, headers: [] })));
      }
    },
    async visitPartitions() {
      const name = topicName(topicPrefix, 'visits');
      const count = await asked(cluster.partitionCount(name));
      if (count === null) throw unavailable(`there is no topic ${name}`);
      return count;
    },
    async close() {
      await sender.close();
      fetcher.close();
      cluster.close();
    },
  };
}

/** Nothing of a batch that is none of ours. */
function recordsOf(batch: RecordBatch): readonly BatchRecord[] {
  try {
    return openBatch(batch);
  } catch (error) {
    if (error instanceof UnreadableBatch) return [];
    throw error;
  }
}
