/**
 * Where partitions begin and end, asked of their leaders. Who asks while a question is under way shares the next one, never that
 * one: its answer may be older than what the asker has seen elsewhere.
 */
import type { Clock } from '../../ports/clock.ts';
import { BrokerUnreachable } from './broker-connection.ts';
import { earliest, latest, listOffset } from './broker-requests.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import { errorName } from './kafkajs-internals.ts';
import { within } from './within.ts';

export interface EndOffsets {
  /** The offset that the next record will get. Throws {@link BrokerUnreachable} after {@link endOffsetMaxMs} at the latest. */
  end(topic: string, partition: number): Promise<number>;
  /** The oldest offset that is kept. */
  start(topic: string, partition: number): Promise<number>;
}

export const endOffsetMaxMs = 3_000;
const attemptMaxMs = 1_500;
const retryDelayMs = 50;

export function createEndOffsets(cluster: KafkaCluster, clock: Clock): EndOffsets {
  const underWay = new Map<string, Promise<number>>();
  const next = new Map<string, Promise<number>>();

  async function ask(topic: string, partition: number, time: number): Promise<number> {
    const giveUpAtMs = clock.monotonicMs() + endOffsetMaxMs;
    for (;;) {
      let problem: unknown;
      try {
        const { connection } = await cluster.leaderConnection(topic, partition, 'control');
        const leftMs = giveUpAtMs - clock.monotonicMs();
        const answer = await listOffset(
          connection,
          topic,
          partition,
          time,
          Math.max(1, Math.min(attemptMaxMs, leftMs)),
        );
        if (answer.errorCode === 0) return answer.offset;
        problem = new BrokerUnreachable(errorName(answer.errorCode));
      } catch (error) {
        problem = error;
      }
      cluster.forgetLeader(topic, partition);
      if (clock.monotonicMs() + retryDelayMs >= giveUpAtMs) {
        throw unknown(topic, partition, problem);
      }
      await new Promise((resolve) => setTimeout(resolve, retryDelayMs));
    }
  }

  function shared(topic: string, partition: number, time: number): Promise<number> {
    const key = `${topic}/${partition}/${time}`;
    const current = underWay.get(key);
    if (current === undefined) {
      const asked = within(ask(topic, partition, time), endOffsetMaxMs, () => unknown(topic, partition)).finally(() =>
        underWay.delete(key),
      );
      underWay.set(key, asked);
      return asked;
    }
    let queued = next.get(key);
    if (queued === undefined) {
      queued = current
        .catch(() => undefined)
        .then(() => {
          next.delete(key);
          return shared(topic, partition, time);
        });
      next.set(key, queued);
    }
    return queued;
  }

  return {
    end: (topic, partition) => shared(topic, partition, latest),
    start: (topic, partition) => shared(topic, partition, earliest),
  };
}

function unknown(topic: string, partition: number, cause?: unknown): BrokerUnreachable {
  return new BrokerUnreachable(`where partition ${partition} of ${topic} ends is not known now`, { cause });
}
