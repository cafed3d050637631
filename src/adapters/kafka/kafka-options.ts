/** How to reach the Kafka cluster: plain values from the settings, shared by everything of this room. */
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Random } from '../../ports/random.ts';

export interface KafkaOptions {
  /** `host:port` of some brokers; the others are learned from these. At least one. */
  readonly brokers: readonly string[];
  /** Tells the brokers who asks: for their logs and quotas. */
  readonly clientId: string;
  /** TLS when set; PEM texts. Without `ca`, the system's authorities are trusted. */
  readonly ssl?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
    readonly username: string;
    readonly password: string;
  };
  /** Stands in front of every topic and group name, so that several installations can share a cluster. Usually empty. */
  readonly topicPrefix: string;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
}
