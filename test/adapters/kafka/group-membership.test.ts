/** The worker group against a real broker: members in one process, each with a network of its own that can be taken away. */

import kafkajs from 'kafkajs';
import { type GroupDirectory, openGroupDirectory } from '../../../src/adapters/kafka/group-directory.ts';
import {
  type GroupAssignment,
  type GroupMembership,
  type GroupTiming,
  openGroupMembership,
} from '../../../src/adapters/kafka/group-membership.ts';
import { groupName, topicName } from '../../../src/adapters/kafka/topic-names.ts';
import { createTaskAssignor } from '../../../src/worker/task-assignor.ts';
import { type BrokerLine, openBrokerLine } from '../../support/broker-line.ts';
import { eventually } from '../../support/eventually.ts';
import { kafkaOptions } from '../../support/kafka-options.ts';
import { createQuietLogger, type QuietLogger } from '../../support/quiet-logger.ts';
import { chosenSeed, createSeededRandom } from '../../support/seeded-random.ts';
import { type Services, startOwnServices, topicPrefix } from '../../support/services.ts';

const partitions = 6;
const timing: Partial<GroupTiming> = { sessionTimeoutMs: 6_000, heartbeatIntervalMs: 200, probingIntervalMs: 500 };

let line: BrokerLine;
let services: Services | undefined;
let prefix: string;
const members: TestMember[] = [];
const directories: GroupDirectory[] = [];

/** A member that has caught up with every task it is given, as a running worker would after a while. */
class TestMember {
  readonly instanceId: string;
  readonly lags = new Map<number, number>();
  readonly given: GroupAssignment[] = [];
  readonly logger: QuietLogger = createQuietLogger();
  readonly membership: GroupMembership;
  losses = 0;
  /** False: copies stay far behind. */
  catchesUp = true;
  /** Called when it has begun to join. */
  onJoin = (): void => undefined;

  constructor(instanceId: string) {
    this.instanceId = instanceId;
    this.membership = openGroupMembership({
      kafka: kafkaOptions({
        brokers: [`127.0.0.1:${line.port}`],
        topicPrefix: prefix,
        clientId: this.clientId,
        logger: this.logger,
      }),
      instanceId,
      url: `http://${instanceId}.test:3000`,
      partitions,
      taskLags: () => {
        this.onJoin();
        return this.lags;
      },
      plan: createTaskAssignor({ standbys: 1 }),
      onAssignment: (assignment) => this.take(assignment),
      onLost: () => this.losses++,
      timing,
    });
    members.push(this);
  }

  get clientId(): string {
    return `client-${this.instanceId}`;
  }

  private take(assignment: GroupAssignment): void {
    this.given.push(assignment);
    for (const partition of assignment.standby) this.lags.set(partition, this.catchesUp ? 0 : 1_000_000);
    for (const partition of assignment.active) this.lags.set(partition, 0);
  }

  get active(): readonly number[] {
    return this.given.at(-1)?.active ?? [];
  }

  get standby(): readonly number[] {
    return this.given.at(-1)?.standby ?? [];
  }

  get generation(): number {
    return this.given.at(-1)?.generation ?? -1;
  }
}

const allPartitions = Array.from({ length: partitions }, (_, partition) => partition);
const sorted = (lists: readonly (readonly number[])[]) => lists.flat().sort((a, b) => a - b);

/** All in one generation, each task with one owner, each owner with as many as it should have. */
function isSettled(group: readonly TestMember[]): boolean {
  const counts = group.map(({ active }) => active.length);
  return (
    new Set(group.map(({ generation }) => generation)).size === 1 &&
    String(sorted(group.map(({ active }) => active))) === String(allPartitions) &&
    Math.max(...counts) - Math.min(...counts) <= 1
  );
}

async function settled(...group: readonly TestMember[]): Promise<void> {
  await eventually(() => isSettled(group), `${group.map(({ instanceId }) => instanceId)} have settled`);
}

function directory(): GroupDirectory {
  const opened = openGroupDirectory({
    kafka: kafkaOptions({ brokers: [`127.0.0.1:${line.port}`], topicPrefix: prefix, clientId: 'client-directory' }),
    pollIntervalMs: 100,
  });
  directories.push(opened);
  return opened;
}

beforeAll(async () => {
  line = await openBrokerLine();
  services = await startOwnServices({ redis: false, announcedPorts: [line.port] });
  line.leadTo(services.brokers[0]?.listenPort ?? 0);
}, 180_000);

beforeEach(() => {
  prefix = topicPrefix();
});

afterEach(async () => {
  for (const opened of directories.splice(0)) opened.close();
  for (const { clientId } of members) line.heal(clientId);
  await Promise.all(members.splice(0).map(({ membership }) => membership.close()));
});

afterAll(async () => {
  await line.close();
  await services?.stop();
});

describe('membership of the worker group', () => {
  it('gives a member that is alone every task', async () => {
    const a = new TestMember('a');
    await settled(a);
    expect(a.active).toEqual(allPartitions);
    expect(a.standby).toEqual([]);
    expect(a.membership.generation()).toBe(a.generation);
  });

  it('lets a newcomer warm up, and moves its share to it when the leader has the group planned again', async () => {
    const a = new TestMember('a');
    await settled(a);
    const b = new TestMember('b');
    await eventually(() => b.given.length > 0, 'b has joined');
    expect(b.given[0]).toMatchObject({ active: [], standby: allPartitions });
    expect(a.active).toEqual(allPartitions);
    await settled(a, b);
    expect(a.active).toHaveLength(3);
    expect(a.standby).toEqual(b.active);
    expect(b.standby).toEqual(a.active);
  });

  it('leaves the tasks with their owner while a newcomer is far behind, until that says that it has caught up', async () => {
    const a = new TestMember('a');
    await settled(a);
    const b = new TestMember('b');
    b.catchesUp = false;
    await eventually(() => b.given.length > 3, 'the group was planned again and again');
    expect(b.active).toEqual([]);
    b.catchesUp = true;
    for (const partition of allPartitions) b.lags.set(partition, 0);
    b.membership.rejoin();
    await settled(a, b);
  });

  it('hands the tasks of a member that leaves to their standbys at once', async () => {
    const group = [new TestMember('a'), new TestMember('b'), new TestMember('c')] as const;
    const [a, b, c] = group;
    await settled(...group);
    const orphans = a.active;
    const standbyOf = new Map(orphans.map((task) => [task, b.standby.includes(task) ? b : c]));
    const [generationB, generationC] = [b.given.length, c.given.length];
    const beforeMs = performance.now();
    await a.membership.close();
    await eventually(
      () => String(sorted([b.active, c.active])) === String(allPartitions) && b.generation === c.generation,
      'b and c have all tasks',
    );
    // A member that just vanished would have been waited for one session.
    expect(performance.now() - beforeMs).toBeLessThan(5_000);
    const first = [...b.given.slice(generationB, generationB + 1), ...c.given.slice(generationC, generationC + 1)];
    const [firstB, firstC] = first;
    for (const [task, standby] of standbyOf) {
      expect((standby === b ? firstB : firstC)?.active).toContain(task);
    }
    await settled(b, c);
  });

  it('takes a member out whose network is gone, and has it back when that returns', async () => {
    const group = [new TestMember('a'), new TestMember('b'), new TestMember('c')] as const;
    const [a, b, c] = group;
    await settled(...group);
    line.isolate(b.clientId);
    await settled(a, c);
    await eventually(() => b.losses === 1, 'b knows that it is out');
    expect(b.membership.generation()).toBeNull();
    line.heal(b.clientId);
    await settled(...group);
    expect(b.losses).toBe(1);
    // It came back with what it had, so nothing had to warm up for long.
    expect(b.active).toHaveLength(2);
  });

  it('notices a line on which nothing comes any more, and joins again over another', async () => {
    const [a, b] = [new TestMember('a'), new TestMember('b')];
    await settled(a, b);
    line.silence(b.clientId);
    await eventually(() => b.losses === 1, 'b knows that it is out');
    await settled(a);
    line.heal(b.clientId);
    await settled(a, b);
  });

  it('keeps its place when a connection breaks and the next one stands within the session', async () => {
    const [a, b] = [new TestMember('a'), new TestMember('b')];
    await settled(a, b);
    const before = b.given.length;
    const { generation } = b;
    line.isolate(b.clientId);
    line.heal(b.clientId);
    const opened = line.opened(b.clientId);
    await eventually(() => line.opened(b.clientId) > opened + 1, 'b has connected again');
    a.membership.rejoin();
    await eventually(() => b.given.length > before, 'b takes part in the next plan');
    expect(b.losses).toBe(0);
    expect(b.generation).toBe(generation + 1);
  });

  it('does not forget that it wants to join again when the connection breaks over it', async () => {
    const [a, b] = [new TestMember('a'), new TestMember('b')];
    await settled(a, b);
    const before = a.given.length;
    let joins = 0;
    a.onJoin = () => {
      if (joins++ === 0) line.isolate(a.clientId);
    };
    a.membership.rejoin();
    await eventually(() => joins === 1, 'a has begun to join');
    line.heal(a.clientId);
    await eventually(() => a.given.length > before, 'a takes part in the next plan');
    expect(a.losses).toBe(0);
  });

  it('waits for a broker that restarts, and goes on with the same tasks', async () => {
    const [a, b] = [new TestMember('a'), new TestMember('b')];
    await settled(a, b);
    const owned = [a.active, b.active];
    await services?.brokers[0]?.restart();
    const before = [a.given.length, b.given.length];
    a.membership.rejoin();
    await eventually(() => a.given.length > (before[0] ?? 0), 'a was given its tasks again', 40_000);
    await eventually(() => isSettled([a, b]), 'both have settled again', 40_000);
    expect([a.active, b.active]).toEqual(owned);
    for (const { logger } of [a, b]) expect(logger.lines.filter(({ level }) => level === 'error')).toEqual([]);
  }, 90_000);

  it('leaves also in the middle of joining, so that nobody waits for it', async () => {
    const a = new TestMember('a');
    await settled(a);
    for (let attempt = 0; attempt < 10; attempt++) {
      const passing = new TestMember(`passing-${attempt}`);
      await eventually(() => line.opened(passing.clientId) >= 1 + (attempt % 2), 'it has begun to join');
      await passing.membership.close();
    }
    const beforeMs = performance.now();
    const b = new TestMember('b');
    await settled(a, b);
    expect(performance.now() - beforeMs).toBeLessThan(5_000);
  });

  it('has every task assigned once in the end, whoever comes and goes', async () => {
    const random = createSeededRandom(chosenSeed());
    process.stdout.write(`comings and goings: SEED=${random.seed}\n`);
    let group: TestMember[] = [new TestMember('m0')];
    for (let step = 1; step <= 20; step++) {
      if (group.length < 2 || (group.length < 5 && random.next() < 0.5)) group.push(new TestMember(`m${step}`));
      else {
        const leaver = random.pick(group);
        group = group.filter((member) => member !== leaver);
        await leaver.membership.close();
      }
      // Sometimes the next change comes while the group still plans.
      if (random.next() < 0.5) await eventually(() => group.every(({ given }) => given.length > 0), 'all have joined');
    }
    await settled(...group);
    const standbys = sorted(group.map(({ standby }) => standby));
    if (group.length > 1) expect(standbys).toEqual(allPartitions);
    for (const { active, standby } of group) expect(active.filter((task) => standby.includes(task))).toEqual([]);
  });

  it('stores offsets that Kafka’s tools show as the group’s', async () => {
    const admin = new kafkajs.Kafka({
      brokers: [`127.0.0.1:${services?.brokers[0]?.listenPort}`],
      logLevel: 0,
    }).admin();
    const topic = topicName(prefix, 'visits');
    await admin.createTopics({ topics: [{ topic, numPartitions: partitions }] });
    const a = new TestMember('a');
    await settled(a);
    await a.membership.commitForDisplay(new Map([[2, 77]]));
    const [shown] = await admin.fetchOffsets({ groupId: groupName(prefix), topics: [topic] });
    expect(shown?.partitions.find(({ partition }) => partition === 2)?.offset).toBe('77');
    await a.membership.close();
    await expect(a.membership.commitForDisplay(new Map([[2, 78]]))).resolves.toBeUndefined();
    await admin.disconnect();
  });
});

describe('the directory of the worker group', () => {
  it('knows nothing, of any age, before it has asked', () => {
    const known = directory();
    expect(known.ownerOf(0)).toBeUndefined();
    expect(known.standbysOf(0)).toEqual([]);
    expect(known.ageMs()).toBe(Number.POSITIVE_INFINITY);
  });

  it('tells owners and standbys as the members were given them', async () => {
    const group = [new TestMember('a'), new TestMember('b'), new TestMember('c')];
    await settled(...group);
    const known = directory();
    await known.refresh();
    for (const { instanceId, active, standby } of group) {
      const instance = { instanceId, url: `http://${instanceId}.test:3000` };
      for (const task of active) expect(known.ownerOf(task)).toEqual(instance);
      for (const task of standby) expect(known.standbysOf(task)).toEqual([instance]);
    }
    expect(known.ownerOf(partitions)).toBeUndefined();
    expect(known.ageMs()).toBeLessThan(5_000);
  });

  it('follows the group by itself, and knows that an empty one has no owners', async () => {
    const a = new TestMember('a');
    const known = directory();
    await settled(a);
    await eventually(() => known.ownerOf(0)?.instanceId === 'a', 'the directory names a');
    await a.membership.close();
    await eventually(() => known.ownerOf(0) === undefined, 'the directory names nobody');
  });

  it('keeps its last answer, growing older, while Kafka is away', async () => {
    const a = new TestMember('a');
    const known = directory();
    await settled(a);
    await eventually(() => known.ownerOf(0)?.instanceId === 'a', 'the directory names a');
    line.isolate('client-directory');
    await eventually(() => known.ageMs() > 1_000, 'the answer has grown older');
    expect(known.ownerOf(0)?.instanceId).toBe('a');
    line.heal('client-directory');
    await eventually(() => known.ageMs() < 500, 'the answer is confirmed again');
  });

  it('asks the group only a few times a second however many calls fail', async () => {
    const known = directory();
    await known.refresh();
    const beforeMs = performance.now();
    await Promise.all(Array.from({ length: 100 }, () => known.refresh()));
    await known.refresh();
    expect(performance.now() - beforeMs).toBeGreaterThan(400);
  });
});
