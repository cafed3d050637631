/** Makes the topics that are missing. What is there is left as it is: `check-topics.ts` judges it. */
import { LogUnavailable } from '../../ports/event-log.ts';
import { createKafkaClient } from './kafka-client.ts';
import type { KafkaOptions } from './kafka-options.ts';
import { type TopicRole, topicName } from './topic-names.ts';
import { replicationFactorMax, settingsOf } from './topic-settings.ts';
import { within } from './within.ts';

const roles: readonly TopicRole[] = ['links', 'visits', 'changelog', 'dead-letters'];
const ensureMaxMs = 60_000;
const deadLetterPartitions = 1;

/**
 * Creates missing topics, `partitions` each (dead letters have one), and resolves with the names of those it made. Several
 * instances may do it at once. The replication factor is 3, or the number of brokers when they are fewer: both of those that
 * live and of those that the settings name, so that a cluster that is just starting does not get topics without copies.
 * Throws {@link LogUnavailable} when Kafka does not answer, refuses, or has too few brokers yet: try again.
 */
export async function ensureTopics(options: KafkaOptions, partitions: number): Promise<readonly string[]> {
  const admin = createKafkaClient(options).admin();
  const late = (): Error => new LogUnavailable('Kafka did not answer while its topics were looked at');

  async function ensure(): Promise<readonly string[]> {
    await admin.connect();
    const { brokers } = await admin.describeCluster();
    const replicationFactor = Math.min(replicationFactorMax, Math.max(brokers.length, options.brokers.length));
    const existing = new Set(await admin.listTopics());
    const made: string[] = [];
    for (const role of roles) {
      const topic = topicName(options.topicPrefix, role);
      if (existing.has(topic)) continue;
      const configEntries = settingsOf(role).map(({ name, value }) => ({
        name,
        value: value({ role, replicationFactor }),
      }));
      const numPartitions = role === 'dead-letters' ? deadLetterPartitions : partitions;
      const wanted = { topic, numPartitions, replicationFactor, configEntries };
      try {
        // The library's own wait fails when it asks a broker that has not heard of the topic yet; `checkTopics` waits instead.
        if (await admin.createTopics({ waitForLeaders: false, topics: [wanted] })) made.push(topic);
      } catch (error) {
        const what = `${topic} with ${replicationFactor} replicas, of ${brokers.length} live brokers`;
        throw new LogUnavailable(`${what}, could not be made: ${messageOf(error)}`, { cause: error });
      }
    }
    return made;
  }

  try {
    return await within(ensure(), ensureMaxMs, late);
  } catch (error) {
    if (error instanceof LogUnavailable) throw error;
    throw new LogUnavailable(`the topics could not be looked at: ${messageOf(error)}`, { cause: error });
  } finally {
    admin.disconnect().catch(() => undefined);
  }
}

/** A refusal to make topics says in the errors it is made of what is wrong. */
function messageOf(error: unknown): string {
  if (hasErrors(error)) return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}

function hasErrors(error: unknown): error is { readonly errors: readonly unknown[] } {
  return error instanceof Error && 'errors' in error && Array.isArray(error.errors);
}
