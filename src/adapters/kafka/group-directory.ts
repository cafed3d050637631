/**
 * Who owns what, for every instance: asks the group's coordinator for its description, and keeps the last answer while
 * the group is being planned anew or Kafka is away. It is no member, so instances without tasks have it too.
 */
import type { TaskDirectory, TaskInstance } from '../../ports/task-ownership.ts';
import { type BrokerConnection, BrokerUnreachable } from './broker-connection.ts';
import { connectToCoordinator } from './group-coordinator.ts';
import { type DescribedGroup, groupExchanges, refusalIn } from './group-exchanges.ts';
import { decodeAssignment, decodeMember } from './group-metadata.ts';
import type { KafkaOptions } from './kafka-options.ts';
import { groupName } from './topic-names.ts';

export interface GroupDirectoryOptions {
  readonly kafka: KafkaOptions;
  readonly pollIntervalMs?: number;
}

export interface GroupDirectory extends TaskDirectory {
  close(): void;
}

const defaultPollIntervalMs = 2_000;
/** Bounds how often failed calls can have the group asked. */
const pollPauseMs = 250;
const describeMaxMs = 2_000;
/** Whoever waits for a refresh has a request of a person behind it. */
const refreshMaxMs = 1_000;

interface Plan {
  readonly owners: ReadonlyMap<number, TaskInstance>;
  readonly standbys: ReadonlyMap<number, readonly TaskInstance[]>;
}

const nobody: Plan = { owners: new Map(), standbys: new Map() };

/** Begins to ask; the first answer comes within a second when Kafka is there. */
export function openGroupDirectory(options: GroupDirectoryOptions): GroupDirectory {
  const { kafka, pollIntervalMs = defaultPollIntervalMs } = options;
  const { clock, topicPrefix } = kafka;
  const logger = kafka.logger.child({ part: 'group directory' });
  const groupId = groupName(topicPrefix);
  let plan = nobody;
  let confirmedAtMs = Number.NEGATIVE_INFINITY;
  let askedAtMs = Number.NEGATIVE_INFINITY;
  let connection: BrokerConnection | null = null;
  let asking: Promise<void> | null = null;
  let failures = 0;
  let closed = false;

  async function ask(): Promise<void> {
    const waitMs = askedAtMs + pollPauseMs - clock.monotonicMs();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs).unref());
    if (closed) return;
    askedAtMs = clock.monotonicMs();
    try {
      connection ??= await connectToCoordinator(kafka, groupId, failures);
      const { groups } = await connection.exchange(groupExchanges.describe(groupId), describeMaxMs);
      const group = groups.find((each) => each.groupId === groupId);
      const refusal = group === undefined ? 'no answer' : refusalIn(group);
      if (group === undefined || refusal !== null)
        throw new BrokerUnreachable(`the group is not described: ${refusal}`);
      const known = planOf(group, topicPrefix);
      if (known !== undefined) {
        plan = known;
        confirmedAtMs = askedAtMs;
      }
      failures = 0;
    } catch (error) {
      failures++;
      logger.debug({ err: error, failures }, 'the worker group could not be described');
      connection?.close();
      connection = null;
    }
    if (closed) connection?.close();
  }

  function askOnce(): Promise<void> {
    asking ??= ask().finally(() => {
      asking = null;
    });
    return asking;
  }

  async function refresh(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, refreshMaxMs);
    });
    await Promise.race([askOnce(), enough]);
    clearTimeout(timer);
  }

  const polling = setInterval(() => void askOnce(), pollIntervalMs);
  polling.unref();
  void askOnce();

  return {
    ownerOf: (partition) => plan.owners.get(partition),
    standbysOf: (partition) => plan.standbys.get(partition) ?? [],
    ageMs: () => clock.monotonicMs() - confirmedAtMs,
    refresh,
    close() {
      closed = true;
      clearInterval(polling);
      connection?.close();
    },
  };
}

/** Undefined while the members are being planned for: then the group tells nothing of them. */
function planOf(group: DescribedGroup, topicPrefix: string): Plan | undefined {
  if (group.state === 'Empty' || group.state === 'Dead') return nobody;
  if (group.state !== 'Stable') return undefined;
  const owners = new Map<number, TaskInstance>();
  const standbys = new Map<number, TaskInstance[]>();
  for (const { memberMetadata, memberAssignment } of group.members) {
    const member = decodeMember(memberMetadata);
    if (member === undefined) continue;
    const { instanceId, url } = member;
    const instance = { instanceId, url };
    const { active, standby } = decodeAssignment(memberAssignment, topicPrefix);
    for (const partition of active) owners.set(partition, instance);
    for (const partition of standby) standbys.set(partition, [...(standbys.get(partition) ?? []), instance]);
  }
  return { owners, standbys };
}
