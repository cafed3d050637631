/** The kafkajs client for what it does well: administration and group membership. Records go another way (`kafka-cluster.ts`). */

import type { Kafka, KafkaConfig, SASLOptions } from 'kafkajs';
import kafkajs from 'kafkajs';
import type { KafkaOptions } from './kafka-options.ts';
import { quietLogCreator, quietLogLevel } from './kafkajs-internals.ts';

const connectMaxMs = 3_000;
const requestMaxMs = 30_000;

/** Builds a client; connects nothing. Its log lines become debugging: a fresh broker refuses for a second or two, and that is no error of ours. */
export function createKafkaClient(options: KafkaOptions): Kafka {
  const config: KafkaConfig = {
    brokers: [...options.brokers],
    clientId: options.clientId,
    connectionTimeout: connectMaxMs,
    authenticationTimeout: connectMaxMs,
    requestTimeout: requestMaxMs,
    logLevel: quietLogLevel,
    logCreator: quietLogCreator(options.logger),
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 8 },
    ...(options.ssl === undefined ? {} : { ssl: { ...options.ssl } }),
    ...(options.sasl === undefined ? {} : { sasl: { ...options.sasl } as SASLOptions }),
  };
  return new kafkajs.Kafka(config);
}
