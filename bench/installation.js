/** An installation of the distributed mode for measurements: its topics with links and visits in them, and its instances. */
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { openKafkaLog } from '../dist/adapters/kafka/kafka-log.js';
import { createVisitShipper } from '../dist/adapters/kafka/kafka-visit-shipper.js';
import { deriveKey } from '../dist/adapters/system/derive-key.js';
import { systemClock } from '../dist/adapters/system/system-clock.js';
import { systemRandom } from '../dist/adapters/system/system-random.js';
import { partitionOf } from '../dist/ports/partitioner.js';
import { encodeVisit } from '../dist/serde/visit.js';
import { callInstance, instanceKey } from '../scripts/verify/instance-call.js';
import { createInstanceClient } from '../scripts/verify/instance-client.js';
import { creationOf, evenlyUntil, logger } from './links.js';
import { startProgram } from './processes.js';
import { makeTopics } from './topics.js';
import { describedVisits } from './visits.js';

const codeSecret = 'bench-kD93-mQz71-vWp04';
const recordsPerSend = 1_000;
const hourMs = 3_600_000;

/** Makes topics of its own in which the codes have links. Instances are started by `startInstance`. */
export async function createInstallation(
  { kafkaBrokers, redisUrl },
  { name, codes, partitions, workDir, settings = {} },
) {
  const topicPrefix = `bench-${name}-`;
  const kafka = {
    ...{ brokers: kafkaBrokers, clientId: 'tallyhop-bench', topicPrefix },
    ...{ logger, clock: systemClock, random: systemRandom },
  };
  await makeTopics(kafka, partitions);
  const log = await openKafkaLog({
    ...kafka,
    secretFingerprint: createHash('sha256').update(deriveKey(codeSecret, 'fingerprint')).digest('hex'),
    onRefused(error) {
      throw error;
    },
  });
  await appendLinks(log, codes);
  await log.close();
  let instances = 0;
  const key = instanceKey(codeSecret);

  return {
    topicPrefix,
    partitions,
    group: `${topicPrefix}tallyhop-g1`,
    redisKey: (code, what) => `${topicPrefix}tallyhop:{${partitionOf(code, partitions)}}:${what}:${code}`,
    redisKeyOf: (partition, what) => `${topicPrefix}tallyhop:{${partition}}:${what}`,
    startInstance(more = {}) {
      const dataDir = join(workDir, `instance-${name}-${instances++}`);
      mkdirSync(dataDir);
      return startProgram(dataDir, {
        KAFKA_BROKERS: kafkaBrokers.join(','),
        REDIS_URL: redisUrl,
        TOPIC_PREFIX: topicPrefix,
        CODE_SECRET: codeSecret,
        PARTITIONS: String(partitions),
        ...settings,
        ...more,
      });
    },
    /** Puts visits of the last hour into the topic, as a forwarder does. */
    async shipVisits(visits, links) {
      const shipper = createVisitShipper(kafka);
      const producerId = systemRandom.id();
      const sequences = Array.from({ length: partitions }, () => 0);
      const batches = sequences.map(() => []);
      const now = Date.now();
      for (const visit of describedVisits({ visits, links, popularity: 'zipf' })) {
        const partition = partitionOf(visit.code, partitions);
        const sequence = sequences[partition]++;
        const value = Buffer.from(encodeVisit({ ...visit, at: now - hourMs + (visit.at % hourMs) }));
        batches[partition].push({ key: visit.code, value, producerId, sequence });
        if (batches[partition].length === recordsPerSend) await shipper.ship(partition, batches[partition].splice(0));
      }
      for (const [partition, batch] of batches.entries()) if (batch.length > 0) await shipper.ship(partition, batch);
      await shipper.close();
    },
    /** The tasks that can be read on an instance, with their roles and positions. */
    async tasksOf(instance) {
      const client = createInstanceClient({ url: `http://127.0.0.1:${instance.port}`, timeoutMs: 2_000 });
      try {
        return (await callInstance(client, key, '/internal/v1/positions', {})).tasks;
      } finally {
        client.close();
      }
    },
  };
}

async function appendLinks(log, codes) {
  const atOf = evenlyUntil(systemClock.nowMs(), codes.length);
  const batches = Array.from({ length: log.partitions('links') }, () => []);
  for (const [i, code] of codes.entries()) {
    const partition = log.partitionOf(code);
    batches[partition].push(creationOf(code, i, atOf(i)));
    if (batches[partition].length === recordsPerSend)
      await log.append('links', partition, batches[partition].splice(0));
  }
  for (const [partition, batch] of batches.entries()) if (batch.length > 0) await log.append('links', partition, batch);
}
