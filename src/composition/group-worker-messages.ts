/** What the main thread and the thread of the shared tasks say to each other. Structured-clone values only. */
import type { KafkaOptions } from '../adapters/kafka/kafka-options.ts';
import type { RedisAddress } from '../adapters/redis/redis-client-options.ts';
import type { LogFields } from '../ports/logger.ts';
import type { PartitionStatus } from '../worker/partition-worker.ts';
import type { ReadQuestion, ReadReply } from './thread-reads.ts';

export type ToGroupWorkerThread = ReadQuestion | { readonly type: 'stop' };

export type FromGroupWorkerThread =
  | ReadReply
  | { readonly type: 'status'; readonly status: PartitionStatus }
  | { readonly type: 'gone'; readonly partition: number }
  | {
      readonly type: 'log';
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly fields: LogFields;
      readonly message: string;
    }
  | { readonly type: 'stopped' };

/** How to reach Kafka, without what every thread has of its own. */
export type KafkaAddress = Omit<KafkaOptions, 'logger' | 'clock' | 'random'>;

/** What the thread is started with. */
export interface GroupWorkerThreadData {
  readonly dataDir: string;
  readonly instanceId: string;
  /** Where the other instances reach this one. */
  readonly url: string;
  readonly remembered: { readonly logId: string; readonly partitions: number };
  readonly secretFingerprint: string;
  readonly standbys: number;
  readonly kafka: KafkaAddress;
  readonly redis: RedisAddress;
  /** Whether this instance answers redirects too, which go first where processors are short. */
  readonly yields: boolean;
}
