/**
 * Membership of this instance in the worker group: joins, says what it has, learns its tasks, beats, and joins again whenever
 * the group changes. It speaks the group's protocol alone: no record is ever read through it, and it neither starts nor stops
 * a task. (JoinGroup, SyncGroup and Heartbeat as in KIP-62; the library's consumer would tie them to fetching.)
 */
import type { PlanTasks, TaskAssignment, TaskMember } from '../../ports/task-ownership.ts';
import { type BrokerConnection, BrokerUnreachable } from './broker-connection.ts';
import { connectToCoordinator } from './group-coordinator.ts';
import { groupExchanges, type JoinAnswer, refusalIn } from './group-exchanges.ts';
import {
  decodeAssignment,
  decodeMember,
  encodeAssignment,
  encodeMember,
  groupProtocolName,
  type JoinedMember,
} from './group-metadata.ts';
import type { KafkaOptions } from './kafka-options.ts';
import { groupName, topicName } from './topic-names.ts';

export interface GroupAssignment extends TaskAssignment {
  /** Rises with every plan of the group. */
  readonly generation: number;
}

export interface GroupMembershipOptions {
  readonly kafka: KafkaOptions;
  readonly instanceId: string;
  /** Where other instances reach this one. */
  readonly url: string;
  /** Of the topics `visits` and changelog. */
  readonly partitions: number;
  /** Asked at each join: see {@link TaskMember.tasks}. */
  readonly taskLags: () => ReadonlyMap<number, number>;
  /** Used when this member leads the group. */
  readonly plan: PlanTasks;
  /** Called after each join, also when nothing has changed. */
  readonly onAssignment: (assignment: GroupAssignment) => void;
  /** The group has not heard of this member for so long that its tasks may be another's by now. It goes on trying to join. */
  readonly onLost: () => void;
  readonly timing?: Partial<GroupTiming>;
}

export interface GroupTiming {
  /** A member that is silent for so long is taken out. One killed with `kill -9` holds everyone's join up for this long. */
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  /** Also how long a member takes to notice that the group changes. */
  readonly heartbeatIntervalMs: number;
  /** How often the leader has the group planned again while a plan is provisional. */
  readonly probingIntervalMs: number;
}

export interface GroupMembership {
  /** Has the group planned again, because what this instance has is different now. Several calls before it is done are one. */
  rejoin(): void;
  /** The generation of the group in which this member has its tasks, or null while it is in none. */
  generation(): number | null;
  /**
   * Stores where the owned tasks stand, for tools that show the group's lag; nothing here ever reads it. Partition → next
   * offset of `visits`. Does nothing while this member is in no generation; never rejects.
   */
  commitForDisplay(nextOffsets: ReadonlyMap<number, number>): Promise<void>;
  /** Leaves the group, so that others take over at once; takes 3 s at the most. No callback comes after it was called. */
  close(): Promise<void>;
}

const defaultTiming: GroupTiming = {
  sessionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 60_000,
  heartbeatIntervalMs: 1_000,
  probingIntervalMs: 10_000,
};
const leaveMaxMs = 2_000;
const namingMaxMs = 500;
const ignore = () => undefined;
const retryPauseMs = { first: 100, longest: 2_000 };

/** The group goes on, but not with us as we were: join again. */
const rejoinRefusals = new Set(['REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION']);

/** Begins to join; never gives up until it is closed. */
export function openGroupMembership(options: GroupMembershipOptions): GroupMembership {
  const { kafka, instanceId, url, partitions, taskLags, plan, onAssignment, onLost } = options;
  const { topicPrefix } = kafka;
  const logger = kafka.logger.child({ part: 'group' });
  const timing = { ...defaultTiming, ...options.timing };
  const { sessionTimeoutMs, heartbeatIntervalMs } = timing;
  const groupId = groupName(topicPrefix);
  const pause = createPause();

  let memberId = '';
  /** Null while this member has no tasks by the group. */
  let generation: number | null = null;
  let previous: TaskMember['previous'] = { active: [], standby: [], generation: -1 };
  let joins = 0;
  let joinWanted = true;
  let connection: BrokerConnection | null = null;
  /** The coordinator is about to give this member its id, which it is told at once. */
  let naming: Promise<unknown> | null = null;
  let closing = false;
  let probe: NodeJS.Timeout | undefined;
  let lossAlarm: NodeJS.Timeout | undefined;

  /** If nothing is confirmed for so long, the membership counts as lost. */
  function confirmFor(ms: number): void {
    clearTimeout(lossAlarm);
    lossAlarm = setTimeout(() => {
      logger.warn(
        { silentForMs: ms },
        'the worker group was not reached for too long; this instance may have lost its tasks',
      );
      lose();
    }, ms);
    lossAlarm.unref();
  }

  function lose(): void {
    clearTimeout(lossAlarm);
    joinWanted = true;
    if (generation === null) return;
    generation = null;
    if (!closing) onLost();
  }

  function wantJoin(): void {
    joinWanted = true;
    pause.end();
  }

  async function run(): Promise<void> {
    let failures = 0;
    while (!closing) {
      try {
        connection = await connectToCoordinator(kafka, groupId, failures);
        await stay(connection, () => {
          if (failures > 0) logger.info({ failures }, 'the worker group is reached again');
          failures = 0;
        });
      } catch (error) {
        if (closing) break;
        failures++;
        // A broker that has just started does not coordinate for a second or two, and one that moves is looked for: quiet at first.
        const tell = failures === 10 ? logger.warn : logger.debug;
        tell.call(logger, { err: error, failures }, 'the worker group cannot be reached');
        if (!(error instanceof BrokerUnreachable || error instanceof GroupRefusal)) {
          logger.error({ err: error }, 'membership of the worker group failed because of a defect');
        }
      } finally {
        connection?.close();
        connection = null;
      }
      if (failures > 0) await pause.sleep(Math.min(retryPauseMs.longest, retryPauseMs.first * 2 ** (failures - 1)));
    }
  }

  /** In the group over one connection, until it breaks. */
  async function stay(coordinator: BrokerConnection, reached: () => void): Promise<void> {
    while (!closing) {
      if (joinWanted || generation === null) {
        joinWanted = false;
        let joined = false;
        try {
          joined = await join(coordinator);
        } finally {
          // Also when it fails, while the group may still know this member as it was: what was wanted is not forgotten.
          if (!joined) joinWanted = true;
        }
        if (joined) reached();
        continue;
      }
      await pause.sleep(heartbeatIntervalMs);
      if (closing || joinWanted) continue;
      const beat = groupExchanges.heartbeat({ groupId, memberId, generationId: generation ?? -1 });
      const refusal = refusalIn(await coordinator.exchange(beat, sessionTimeoutMs / 2));
      if (refusal === null || rejoinRefusals.has(refusal)) {
        // Either answer says that the group still knows this member.
        if (generation !== null) confirmFor(sessionTimeoutMs);
        reached();
        joinWanted ||= refusal !== null;
      } else if (refusal === 'UNKNOWN_MEMBER_ID') {
        logger.warn({}, 'the worker group has taken this member out; it joins again');
        memberId = '';
        lose();
      } else throw new GroupRefusal('Heartbeat', refusal);
    }
  }

  /** One round of join and sync. False when the group has moved on meanwhile: join again. */
  async function join(coordinator: BrokerConnection): Promise<boolean> {
    // While the coordinator waits for the others it keeps this member; who is gone is waited for one session.
    const joinMaxMs = 2 * sessionTimeoutMs;
    if (generation !== null) confirmFor(joinMaxMs);
    const me: JoinedMember = { instanceId, url, tasks: taskLags(), previous, joins: joins++ };
    const metadata = encodeMember(me, topicPrefix);
    const ask = () =>
      groupExchanges.join({
        groupId,
        memberId,
        sessionTimeout: sessionTimeoutMs,
        rebalanceTimeout: timing.rebalanceTimeoutMs,
        groupProtocols: [{ name: groupProtocolName, metadata }],
      });
    const first = coordinator.exchange(ask(), joinMaxMs);
    if (memberId === '') naming = first;
    let joined = await first;
    naming = null;
    if (refusalIn(joined) === 'MEMBER_ID_REQUIRED') {
      memberId = joined.memberId;
      if (closing) return false;
      joined = await coordinator.exchange(ask(), joinMaxMs);
    }
    if (mustJoinAgain('JoinGroup', refusalIn(joined))) return false;
    memberId = joined.memberId;

    clearTimeout(probe);
    const isLeader = joined.leaderId === joined.memberId;
    const planned = isLeader ? planFor(joined) : null;
    const synced = await coordinator.exchange(
      groupExchanges.sync({
        groupId,
        memberId,
        generationId: joined.generationId,
        groupAssignment: planned?.assignments ?? [],
      }),
      joinMaxMs,
    );
    if (mustJoinAgain('SyncGroup', refusalIn(synced))) return false;
    if (closing) return true;

    const given = decodeAssignment(synced.memberAssignment, topicPrefix);
    generation = joined.generationId;
    previous = { ...given, generation };
    confirmFor(sessionTimeoutMs);
    if (planned?.provisional === true) probe = setTimeout(wantJoin, timing.probingIntervalMs).unref();
    logger.info({ generation, isLeader, ...given }, 'joined the worker group');
    onAssignment({ ...given, generation });
    return true;
  }

  function mustJoinAgain(request: string, refusal: string | null): boolean {
    if (refusal === null) return false;
    if (refusal === 'UNKNOWN_MEMBER_ID') {
      memberId = '';
      lose();
      return true;
    }
    if (rejoinRefusals.has(refusal)) return true;
    throw new GroupRefusal(request, refusal);
  }

  function planFor({ members }: JoinAnswer) {
    const living = new Map<string, { readonly memberId: string; readonly member: JoinedMember }>();
    for (const { memberId: id, memberMetadata } of members) {
      const member = decodeMember(memberMetadata);
      if (member === undefined) {
        logger.warn({ memberId: id }, 'a member of the worker group says nothing that can be read; it gets no task');
        continue;
      }
      const other = living.get(member.instanceId);
      if (other === undefined || other.member.joins < member.joins)
        living.set(member.instanceId, { memberId: id, member });
    }
    const { assignments, provisional } = plan(
      [...living.values()].map(({ member }) => member),
      partitions,
    );
    return {
      provisional,
      assignments: [...living.values()].map(({ memberId: id, member }) => ({
        memberId: id,
        memberAssignment: encodeAssignment(
          assignments.get(member.instanceId) ?? { active: [], standby: [] },
          topicPrefix,
        ),
      })),
    };
  }

  async function leave(): Promise<void> {
    if (memberId === '') return;
    let fresh: BrokerConnection | null = null;
    try {
      // A connection of its own: on the old one an unanswered join may stand in front.
      fresh = await connectToCoordinator(kafka, groupId, 0);
      await fresh.exchange(groupExchanges.leave({ groupId, memberId }), leaveMaxMs);
    } catch (error) {
      logger.debug({ err: error }, 'the worker group could not be told that this member leaves');
    } finally {
      fresh?.close();
    }
  }

  const running = run();
  return {
    rejoin: wantJoin,
    generation: () => generation,
    async commitForDisplay(nextOffsets) {
      if (generation === null || connection === null || joinWanted || nextOffsets.size === 0) return;
      const offsets = [...nextOffsets].map(([partition, offset]) => ({ partition, offset: String(offset) }));
      const topics = [{ topic: topicName(topicPrefix, 'visits'), partitions: offsets }];
      const commit = groupExchanges.commit({ groupId, memberId, groupGenerationId: generation, topics });
      await connection.exchange(commit, sessionTimeoutMs / 2).catch((error: Error) => {
        logger.debug({ err: error }, 'the offsets for display could not be stored');
      });
    },
    async close() {
      closing = true;
      clearTimeout(probe);
      clearTimeout(lossAlarm);
      pause.end();
      // Without its id it could not leave, and everybody's join would wait for it until its session ends.
      if (naming !== null) await within(namingMaxMs, naming.then(ignore, ignore));
      connection?.close();
      await within(leaveMaxMs, running.then(leave));
    },
  };
}

/** The coordinator answered, but not with what the protocol goes on with. Try again, perhaps elsewhere. */
class GroupRefusal extends Error {
  override readonly name = 'GroupRefusal';
  constructor(request: string, refusal: string) {
    super(`the coordinator of the group refused ${request}: ${refusal}`);
  }
}

/** A sleep that can be ended from outside. A call of `end` between two sleeps ends the next one. */
function createPause() {
  let wake: (() => void) | null = null;
  let ended = false;
  return {
    async sleep(ms: number): Promise<void> {
      if (!ended) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      wake = null;
      ended = false;
    },
    end(): void {
      ended = true;
      wake?.();
    },
  };
}

async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([
    work,
    new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    }),
  ]);
  clearTimeout(timer);
}
