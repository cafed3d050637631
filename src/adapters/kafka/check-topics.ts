/**
 * The self-check of the start: compares every topic with what it must be like, and says in words for an operator what is wrong
 * and what to do. It changes nothing.
 */
import kafkajs from 'kafkajs';
import { LogUnavailable } from '../../ports/event-log.ts';
import { createKafkaClient } from './kafka-client.ts';
import type { KafkaOptions } from './kafka-options.ts';
import { type TopicRole, topicName } from './topic-names.ts';
import { replicationFactorMax, type Severity, settingsOf } from './topic-settings.ts';
import { within } from './within.ts';

export interface TopicProblem {
  readonly severity: Severity;
  readonly topic: string;
  readonly setting: string;
  readonly was: string;
  readonly mustBe: string;
  /** What the operator does. */
  readonly remedy: string;
}

interface DescribedTopic {
  readonly role: TopicRole;
  readonly topic: string;
  readonly partitions: number;
  /** The smallest of its partitions. */
  readonly replicationFactor: number;
  readonly settings: ReadonlyMap<string, string>;
}

const roles: readonly TopicRole[] = ['links', 'visits', 'changelog', 'dead-letters'];
const checkMaxMs = 30_000;
/** A topic that was made a moment ago is not known to every broker: only what is missing for so long is missing. */
const settleMaxMs = 5_000;
const settlePauseMs = 250;

/**
 * Everything that is wrong with the topics, errors first; empty when all is well. With an error among them the start must be
 * refused. Throws {@link LogUnavailable} when Kafka does not answer: nothing is known then.
 */
export async function checkTopics(options: KafkaOptions, partitions: number): Promise<readonly TopicProblem[]> {
  const { topics, brokerCount } = await describe(options);
  const problems: TopicProblem[] = [];
  for (const role of roles) {
    const found = topics.get(role);
    if (found === undefined) {
      const topic = topicName(options.topicPrefix, role);
      const remedy = 'let an instance that may create topics start, or create it with kafka-topics.sh';
      problems.push({ severity: 'error', topic, setting: 'the topic', was: 'missing', mustBe: 'there', remedy });
      continue;
    }
    problems.push(...checkPartitions(found, partitions), ...checkReplicas(found, brokerCount), ...checkSettings(found));
  }
  return problems.sort((a, b) => Number(b.severity === 'error') - Number(a.severity === 'error'));
}

function checkPartitions({ role, topic, partitions: was }: DescribedTopic, partitions: number): TopicProblem[] {
  if (role === 'dead-letters' || was === partitions) return [];
  const remedy =
    role === 'links'
      ? `set PARTITIONS=${was} if this is the log you want; the number of an existing log never changes`
      : `it must have as many as PARTITIONS and the topic of links: delete and create it anew if it is empty, else restore it`;
  const common = { severity: 'error' as const, topic, remedy };
  return [{ ...common, setting: 'partitions', was: String(was), mustBe: String(partitions) }];
}

function checkReplicas({ topic, replicationFactor }: DescribedTopic, brokerCount: number): TopicProblem[] {
  if (replicationFactor >= replicationFactorMax) return [];
  const isLone = brokerCount < replicationFactorMax;
  const problem: TopicProblem = {
    severity: 'warning',
    topic,
    setting: 'replication factor',
    was: String(replicationFactor),
    mustBe: String(replicationFactorMax),
    remedy: isLone
      ? `run at least ${replicationFactorMax} brokers: what a lost disk held is lost with it`
      : 'give the partitions more replicas with kafka-reassign-partitions.sh',
  };
  return [problem];
}

function checkSettings({ role, topic, replicationFactor, settings }: DescribedTopic): TopicProblem[] {
  const facts = { role, replicationFactor };
  return settingsOf(role).flatMap(({ name, value, mustBe, judge }) => {
    const was = settings.get(name) ?? 'unknown';
    const severity = judge(was, facts);
    if (severity === null) return [];
    const setting = `${name}=${value(facts).includes(',') ? `[${value(facts)}]` : value(facts)}`;
    const remedy = `kafka-configs.sh --alter --entity-type topics --entity-name ${topic} --add-config ${setting}`;
    return [{ severity, topic, setting: name, was, mustBe: mustBe(facts), remedy }];
  });
}

async function describe(
  options: KafkaOptions,
): Promise<{ readonly topics: ReadonlyMap<TopicRole, DescribedTopic>; readonly brokerCount: number }> {
  const admin = createKafkaClient(options).admin();

  async function ask(): Promise<Awaited<ReturnType<typeof describe>>> {
    await admin.connect();
    const { brokers } = await admin.describeCluster();
    const existing = new Set(await admin.listTopics());
    const topics = new Map<TopicRole, DescribedTopic>();
    for (const role of roles) {
      const topic = topicName(options.topicPrefix, role);
      if (!existing.has(topic)) continue;
      const { topics: metadata } = await admin.fetchTopicMetadata({ topics: [topic] });
      const partitions = metadata[0]?.partitions ?? [];
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }],
      });
      const entries = resources[0]?.configEntries ?? [];
      topics.set(role, {
        role,
        topic,
        partitions: partitions.length,
        replicationFactor: Math.min(...partitions.map(({ replicas }) => replicas.length)),
        settings: new Map(entries.map(({ configName, configValue }) => [configName, configValue])),
      });
    }
    return { topics, brokerCount: brokers.length };
  }

  async function askUntilSettled(): Promise<Awaited<ReturnType<typeof describe>>> {
    const { clock } = options;
    const giveUpAtMs = clock.monotonicMs() + settleMaxMs;
    for (;;) {
      const isLast = clock.monotonicMs() > giveUpAtMs;
      try {
        const described = await ask();
        if (isLast || described.topics.size === roles.length) return described;
      } catch (error) {
        if (isLast || (error as { readonly type?: string }).type !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, settlePauseMs));
    }
  }

  try {
    return await within(
      askUntilSettled(),
      checkMaxMs,
      () => new LogUnavailable('Kafka did not answer while its topics were checked'),
    );
  } catch (error) {
    if (error instanceof LogUnavailable) throw error;
    throw new LogUnavailable(`the topics could not be checked: ${(error as Error).message}`, { cause: error });
  } finally {
    admin.disconnect().catch(() => undefined);
  }
}
