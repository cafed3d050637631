/** Topics are made as the design says, and every setting that is not so is told at the start, with its remedy. */
import kafkajs from 'kafkajs';
import { checkTopics, type TopicProblem } from '../../../src/adapters/kafka/check-topics.ts';
import { ensureTopics } from '../../../src/adapters/kafka/ensure-topics.ts';
import type { KafkaOptions } from '../../../src/adapters/kafka/kafka-options.ts';
import { type TopicRole, topicName } from '../../../src/adapters/kafka/topic-names.ts';
import { LogUnavailable } from '../../../src/ports/event-log.ts';
import { sharedServices } from '../../support/services.ts';
import { kafkaOptions, withAdmin } from './support/kafka-world.ts';

describe('the topics', () => {
  let options: KafkaOptions;

  beforeAll(async () => {
    options = kafkaOptions((await sharedServices()).kafkaBrokers);
    await ensureTopics(options, 2);
  }, 60_000);

  const problemsWithin = async (role: TopicRole): Promise<TopicProblem[]> =>
    (await checkTopics(options, 2)).filter(
      ({ topic, setting }) => topic === topicName(options.topicPrefix, role) && setting !== 'replication factor',
    );

  const setting = async (role: TopicRole, configEntries: { name: string; value: string }[]): Promise<unknown> =>
    withAdmin(options, (admin) =>
      admin.alterConfigs({
        validateOnly: false,
        resources: [
          { type: kafkajs.ConfigResourceTypes.TOPIC, name: topicName(options.topicPrefix, role), configEntries },
        ],
      }),
    );

  it('are made once, and are then as they must be, but for the copies that one broker cannot keep', async () => {
    const fresh = kafkaOptions(options.brokers);
    const made = await Promise.all([ensureTopics(fresh, 3), ensureTopics(fresh, 3)]);
    expect(made.flat().sort()).toEqual(
      (['changelog', 'dead-letters', 'links', 'visits'] as const)
        .map((role) => topicName(fresh.topicPrefix, role))
        .sort(),
    );
    expect(await ensureTopics(fresh, 3)).toEqual([]);
    const problems = await checkTopics(fresh, 3);
    expect(new Set(problems.map(({ severity, setting: name }) => `${severity}: ${name}`))).toEqual(
      new Set(['warning: replication factor']),
    );
    expect(problems[0]).toMatchObject({ was: '1', mustBe: '3', remedy: expect.stringContaining('at least 3 brokers') });
  });

  // One setting wrong, all others as the brokers have them by default: only the one is looked for.
  it.each<[role: TopicRole, name: string, value: string, severity: 'error' | 'warning']>([
    ['links', 'cleanup.policy', 'compact', 'error'],
    ['links', 'retention.ms', '604800000', 'error'],
    ['links', 'retention.bytes', '1073741824', 'error'],
    ['links', 'max.message.bytes', '65536', 'error'],
    ['links', 'message.timestamp.type', 'CreateTime', 'error'],
    ['links', 'unclean.leader.election.enable', 'true', 'error'],
    ['links', 'min.insync.replicas', '2', 'error'],
    ['links', 'compression.type', 'snappy', 'error'],
    ['visits', 'cleanup.policy', 'compact,delete', 'error'],
    ['visits', 'retention.ms', '86400000', 'error'],
    ['visits', 'retention.ms', '864000000', 'warning'],
    ['visits', 'retention.bytes', '1000000', 'error'],
    ['changelog', 'cleanup.policy', 'delete', 'error'],
    ['changelog', 'cleanup.policy', 'compact,delete', 'error'],
    ['changelog', 'min.compaction.lag.ms', '0', 'error'],
    ['changelog', 'delete.retention.ms', '86400000', 'error'],
    ['changelog', 'max.message.bytes', '100000', 'error'],
    ['changelog', 'max.message.bytes', '1048588', 'warning'],
    ['changelog', 'segment.ms', '604800000', 'warning'],
    ['changelog', 'segment.bytes', '1073741824', 'warning'],
    ['dead-letters', 'cleanup.policy', 'delete', 'error'],
    ['dead-letters', 'retention.ms', '604800000', 'warning'],
  ])('of %s with %s=%s are told, as an %s', async (role, name, value, severity) => {
    await setting(role, [{ name, value }]);
    const told = (await problemsWithin(role)).filter((problem) => problem.setting === name);
    expect(told).toEqual([
      {
        severity,
        topic: topicName(options.topicPrefix, role),
        setting: name,
        was: value,
        mustBe: expect.stringMatching(/\S/),
        remedy: expect.stringContaining(`--entity-name ${topicName(options.topicPrefix, role)} --add-config ${name}=`),
      },
    ]);
  });

  it('come with remedies that work: applied to what the table above left, nothing is wrong any more', async () => {
    for (const role of ['links', 'visits', 'changelog', 'dead-letters'] as const) {
      const entries = new Map<string, string>();
      for (let round = 0; round < 3; round++) {
        const problems = await problemsWithin(role);
        for (const { remedy } of problems) {
          const [name = '', value = ''] = remedy.slice(remedy.lastIndexOf(' ') + 1).split('=');
          entries.set(name, value.replace(/^\[(.*)\]$/, '$1'));
        }
        if (problems.length === 0) break;
        await setting(
          role,
          [...entries].map(([name, value]) => ({ name, value })),
        );
      }
      expect(await problemsWithin(role)).toEqual([]);
    }
  });

  it('of different numbers of partitions, or of other ones than are set, are refused, links with the number to set', async () => {
    const problems = (await checkTopics(options, 4)).filter(({ setting: name }) => name === 'partitions');
    expect(problems.map(({ topic, severity, was, mustBe }) => [topic, severity, was, mustBe])).toEqual(
      (['links', 'visits', 'changelog'] as const).map((role) => [
        topicName(options.topicPrefix, role),
        'error',
        '2',
        '4',
      ]),
    );
    expect(problems[0]?.remedy).toContain('PARTITIONS=2');
    await withAdmin(options, (admin) =>
      admin.createPartitions({ topicPartitions: [{ topic: topicName(options.topicPrefix, 'changelog'), count: 3 }] }),
    );
    expect((await problemsWithin('changelog')).filter(({ setting: name }) => name === 'partitions')).toMatchObject([
      { severity: 'error', was: '3', mustBe: '2' },
    ]);
  });

  it('that are missing are told, errors before warnings', async () => {
    const empty = kafkaOptions(options.brokers);
    const problems = await checkTopics(empty, 2);
    expect(problems.map(({ setting: name, was, severity }) => [name, was, severity])).toEqual(
      Array.from({ length: 4 }, () => ['the topic', 'missing', 'error']),
    );
    const severities = (await checkTopics(options, 4)).map(({ severity }) => severity);
    expect(severities.lastIndexOf('error')).toBeLessThan(severities.indexOf('warning'));
  });

  it('cannot be made while the settings name more brokers than live, nor known without any', async () => {
    const [broker = ''] = options.brokers;
    const starting = kafkaOptions([broker, broker.replace('127.0.0.1', 'localhost')]);
    await expect(ensureTopics(starting, 1)).rejects.toThrow(
      /links.v1 with 2 replicas, of 1 live brokers, could not be made: Replication-factor is invalid/,
    );
    const away = kafkaOptions(['127.0.0.1:1']);
    await expect(checkTopics(away, 1)).rejects.toThrow(LogUnavailable);
  }, 60_000);
});
