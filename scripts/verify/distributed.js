/** What only the distributed mode keeps: where its raw log is, and the views besides HTTP: changelog, Redis, stores of the instances. */
import { createChangelogFold } from './changelog-view.js';
import { kafkaSettings, openKafkaSource } from './kafka-source.js';
import { NotPossible } from './not-possible.js';
import { compareRedis } from './redis-view.js';
import { compareInstanceStores } from './store-view.js';

/** @param {Record<string, string | undefined>} env settings of the program */
export async function openDistributed(env, timeoutMs) {
  const missing = ['KAFKA_BROKERS', 'REDIS_URL', 'CODE_SECRET'].filter((name) => !env[name]);
  if (missing.length > 0) {
    throw new NotPossible(
      `${missing.join(' and ')} must be set as the instances have it; without any of these the embedded mode is meant.`,
    );
  }
  const prefix = env.TOPIC_PREFIX ?? '';
  const source = await openKafkaSource(kafkaSettings(env), prefix);
  const changelog = createChangelogFold(source.partitions);
  return {
    source,
    takeChangelog: changelog.take,
    async compareStores({ oracle, report, clients }) {
      await compareInstanceStores({ oracle, report, clients, secret: env.CODE_SECRET, timeoutMs });
      await changelog.compare({ oracle, report, source, timeoutMs });
      await compareRedis({ oracle, report, env, prefix, timeoutMs });
    },
  };
}
