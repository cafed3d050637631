/** How to reach Kafka as the settings say it: the files that they name are read here. */
import { readFileSync } from 'node:fs';
import type { DistributedConfig } from '../config.ts';
import type { KafkaAddress } from './group-worker-messages.ts';

/** Throws a system error when a file cannot be read. */
export function kafkaAddress({ kafka }: DistributedConfig, clientId: string): KafkaAddress {
  const { brokers, tls, sasl, topicPrefix } = kafka;
  const file = (name: 'ca' | 'cert' | 'key', path: string | null) =>
    path === null ? {} : { [name]: readFileSync(path, 'utf8') };
  return {
    ...{ brokers, topicPrefix, clientId },
    ...(tls && { ssl: { ...file('ca', tls.caFile), ...file('cert', tls.certFile), ...file('key', tls.keyFile) } }),
    ...(sasl && { sasl }),
  };
}
