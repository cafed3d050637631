/** The worker group over three brokers, of which the one that coordinates it dies. */

import { createBrokerConnection } from '../../../src/adapters/kafka/broker-connection.ts';
import { connectToCoordinator } from '../../../src/adapters/kafka/group-coordinator.ts';
import { openGroupDirectory } from '../../../src/adapters/kafka/group-directory.ts';
import { groupExchanges } from '../../../src/adapters/kafka/group-exchanges.ts';
import { type GroupAssignment, openGroupMembership } from '../../../src/adapters/kafka/group-membership.ts';
import { groupName } from '../../../src/adapters/kafka/topic-names.ts';
import { createTaskAssignor } from '../../../src/worker/task-assignor.ts';
import { eventually } from '../../support/eventually.ts';
import { kafkaOptions } from '../../support/kafka-options.ts';
import { type Services, startOwnServices, topicPrefix } from '../../support/services.ts';

const partitions = 4;
let services: Services;

beforeAll(async () => {
  services = await startOwnServices({ brokers: 3, redis: false });
}, 120_000);
afterAll(() => services.stop());

it('goes on with another coordinator when that of the group is killed', async () => {
  const kafka = kafkaOptions({ brokers: services.kafkaBrokers, topicPrefix: topicPrefix() });
  const groupId = groupName(kafka.topicPrefix);
  const given: GroupAssignment[][] = [[], []];
  let losses = 0;
  const members = given.map((assignments, index) => {
    const lags = new Map<number, number>();
    return openGroupMembership({
      kafka,
      instanceId: `instance-${index}`,
      url: `http://instance-${index}.test`,
      partitions,
      taskLags: () => lags,
      plan: createTaskAssignor({ standbys: 1 }),
      onAssignment(assignment) {
        assignments.push(assignment);
        for (const task of [...assignment.active, ...assignment.standby]) lags.set(task, 0);
      },
      onLost: () => losses++,
      timing: { heartbeatIntervalMs: 200, probingIntervalMs: 500 },
    });
  });
  const directory = openGroupDirectory({ kafka, pollIntervalMs: 200 });
  const owners = () => new Set(Array.from({ length: partitions }, (_, task) => directory.ownerOf(task)?.instanceId));
  const isSettled = () => given.every((assignments) => assignments.at(-1)?.active.length === 2) && owners().size === 2;
  try {
    await eventually(isSettled, 'both have their tasks, and the directory knows', 30_000);

    const seed = createBrokerConnection(addressOf(services.kafkaBrokers[0]), kafka);
    const { coordinator } = await seed.exchange(groupExchanges.findCoordinator(groupId), 5_000);
    seed.close();
    await services.brokers.find(({ port }) => port === coordinator.port)?.kill();
    const killedAt = given.map((assignments) => assignments.length);

    await eventually(() => directory.ageMs() > 1_000, 'the directory has noticed');
    expect(owners().size).toBe(2);
    await eventually(() => directory.ageMs() < 1_000, 'the directory has found the new coordinator', 60_000);
    members[0]?.rejoin();
    await eventually(
      () => given.every((assignments, index) => assignments.length > (killedAt[index] ?? 0)),
      'the group was planned by the new coordinator',
      60_000,
    );
    await eventually(isSettled, 'both have their tasks again', 60_000);
    const connection = await connectToCoordinator(kafka, groupId, 0);
    const { groups } = await connection.exchange(groupExchanges.describe(groupId), 5_000);
    connection.close();
    expect(groups[0]?.members).toHaveLength(2);
    expect(losses).toBeLessThanOrEqual(2);
  } finally {
    directory.close();
    await Promise.all(members.map((member) => member.close()));
  }
}, 180_000);

function addressOf(broker = '') {
  const [host = '', port] = broker.split(':');
  return { host, port: Number(port) };
}
