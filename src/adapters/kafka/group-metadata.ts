/**
 * What members of the worker group tell each other, as bytes: a member's own part in its subscription, its tasks in its assignment.
 * Active tasks stand as partitions of `visits`, standbys as partitions of the changelog, so that Kafka's own tools show both.
 */
import kafkajs from 'kafkajs';
import type { TaskAssignment, TaskMember } from '../../ports/task-ownership.ts';
import { topicName } from './topic-names.ts';

const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol;

/** All members of a group speak the same; a higher one for a form that the older cannot read. */
export const groupProtocolName = 'tallyhop-tasks-1';

/** A member as it joined. */
export interface JoinedMember extends TaskMember {
  /** Counts the joins of the instance: of two memberships, one of which has not yet timed out, the higher is the living one. */
  readonly joins: number;
}

interface UserData {
  readonly instanceId: string;
  readonly url: string;
  readonly joins: number;
  /** [partition, lag in records]. */
  readonly tasks: readonly (readonly [number, number])[];
  readonly active: readonly number[];
  readonly standby: readonly number[];
  readonly generation: number;
}

export function encodeMember(member: JoinedMember, topicPrefix: string): Buffer {
  const { instanceId, url, joins, tasks, previous } = member;
  const userData: UserData = { instanceId, url, joins, tasks: [...tasks], ...previous };
  return MemberMetadata.encode({
    version: 0,
    topics: [topicName(topicPrefix, 'visits'), topicName(topicPrefix, 'changelog')],
    userData: Buffer.from(JSON.stringify(userData), 'utf8'),
  });
}

/** Undefined when the bytes are not of a member of ours: it gets no task and is in no directory. */
export function decodeMember(bytes: Buffer | null): JoinedMember | undefined {
  try {
    if (bytes === null || bytes.length === 0) return undefined;
    const { userData } = MemberMetadata.decode(bytes) ?? {};
    const value = JSON.parse((userData ?? Buffer.alloc(0)).toString('utf8')) as Partial<UserData>;
    const { instanceId, url, joins, tasks, active, standby, generation } = value;
    if (typeof instanceId !== 'string' || typeof url !== 'string') return undefined;
    if (!isCount(joins) || !Number.isSafeInteger(generation) || generation === undefined) return undefined;
    if (!isPartitions(active) || !isPartitions(standby)) return undefined;
    if (!Array.isArray(tasks) || !tasks.every(([partition, lag]) => isCount(partition) && isCount(lag))) {
      return undefined;
    }
    return { instanceId, url, joins, tasks: new Map(tasks), previous: { active, standby, generation } };
  } catch {
    return undefined;
  }
}

export function encodeAssignment({ active, standby }: TaskAssignment, topicPrefix: string): Buffer {
  return MemberAssignment.encode({
    version: 0,
    assignment: {
      [topicName(topicPrefix, 'visits')]: [...active],
      [topicName(topicPrefix, 'changelog')]: [...standby],
    },
    userData: Buffer.alloc(0),
  });
}

/** No bytes: the leader had no task for this member. */
export function decodeAssignment(bytes: Buffer | null, topicPrefix: string): TaskAssignment {
  const { assignment = {} } = (bytes === null || bytes.length === 0 ? null : MemberAssignment.decode(bytes)) ?? {};
  const partitionsOf = (role: 'visits' | 'changelog') =>
    [...(assignment[topicName(topicPrefix, role)] ?? [])].sort((a, b) => a - b);
  return { active: partitionsOf('visits'), standby: partitionsOf('changelog') };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isPartitions(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every(isCount);
}
