/**
 * Which instance has which task: a pure function of what the members tell of themselves. Sticky, aware of lag, with standbys
 * and warm-ups in the manner of Kafka Streams (KIP-441). It knows nothing of Kafka; it does not start or stop anything.
 */
import type { PlanTasks, TaskAssignment, TaskMember, TaskPlan } from '../ports/task-ownership.ts';

export interface TaskAssignorOptions {
  /** Warm copies of each task beside its owner, as far as there are instances for them. */
  readonly standbys: number;
  /** A copy that lacks at most so many records of the changelog may take over. */
  readonly acceptableLagRecords?: number;
}

const defaultAcceptableLagRecords = 10_000;

/**
 * Returns the plan's function. What it gives:
 * 1. Every partition has one owner; a standby is never on its owner's instance.
 * 2. Owners and standbys are spread evenly within one, as soon as nobody warms up any more.
 * 3. Nothing moves without a reason: a member that came, left, or lost its state.
 * 4. A task moves to an instance only when that has caught up; until then it has a standby there (a warm-up, beyond the standbys
 *    asked for) and its owner keeps it. Then the plan is provisional.
 */
export function createTaskAssignor(options: TaskAssignorOptions): PlanTasks {
  const { standbys, acceptableLagRecords = defaultAcceptableLagRecords } = options;
  return (members, partitions) => planTasks(members, partitions, standbys, acceptableLagRecords);
}

function planTasks(
  given: readonly TaskMember[],
  partitionCount: number,
  standbyCount: number,
  acceptableLag: number,
): TaskPlan {
  const members = [...given].sort((a, b) => compareText(a.instanceId, b.instanceId));
  const partitions = Array.from({ length: partitionCount }, (_, partition) => partition);
  const claims = claimsOf(members, partitionCount);
  const lagOf = (member: number, partition: number) =>
    members[member]?.tasks.get(partition) ?? Number.POSITIVE_INFINITY;
  const isWarm = (member: number, partition: number) => lagOf(member, partition) <= acceptableLag;

  const wanted = evenOwners(members.length, partitions, claims.owners, (member, partition) =>
    isWarm(member, partition) ? 0 : lagOf(member, partition),
  );

  const load = new Array<number>(members.length).fill(0);
  const owners: number[] = [];
  const settle = (partition: number, member: number) => {
    owners[partition] = member;
    load[member] = (load[member] ?? 0) + 1;
  };
  // First what needs no thought, so that the load is known where a task has to be lodged for a while.
  for (const partition of partitions) {
    const target = at(wanted, partition);
    if (isWarm(target, partition)) settle(partition, target);
  }
  for (const partition of partitions) {
    if (owners[partition] === undefined) settle(partition, lodging(partition));
  }

  /** Who has a task until its wanted owner has caught up. */
  function lodging(partition: number): number {
    const target = at(wanted, partition);
    const previous = claims.owners[partition];
    const warm = indices(members).filter((member) => isWarm(member, partition));
    if (warm.length > 0) {
      if (previous !== undefined && warm.includes(previous)) return previous;
      return least(warm, (a, b) => at(load, a) - at(load, b));
    }
    // Nobody can take over at once: whoever restores it already, else whoever has least to restore.
    if (previous !== undefined && Number.isFinite(lagOf(previous, partition))) return previous;
    const started = indices(members).filter((member) => Number.isFinite(lagOf(member, partition)));
    if (started.length === 0) return target;
    return least(started, (a, b) => lagOf(a, partition) - lagOf(b, partition));
  }

  const warmUps = partitions.map((partition) =>
    at(wanted, partition) === owners[partition] ? undefined : wanted[partition],
  );
  const copies = evenStandbys({
    members: members.length,
    partitions,
    perPartition: standbyCount,
    excluded: (member, partition) => owners[partition] === member || warmUps[partition] === member,
    preference: (partition) => (a, b) =>
      Number(claims.standbys[partition]?.has(b)) - Number(claims.standbys[partition]?.has(a)) ||
      compareNumbers(lagOf(a, partition), lagOf(b, partition)),
  });

  const assignments = new Map<string, TaskAssignment>();
  for (const [index, { instanceId }] of members.entries()) {
    assignments.set(instanceId, {
      active: partitions.filter((partition) => owners[partition] === index),
      standby: partitions.filter((partition) => warmUps[partition] === index || copies[partition]?.has(index)),
    });
  }
  return { assignments, provisional: warmUps.some((member) => member !== undefined) };
}

interface Claims {
  /** By partition: the member that owned it last, if it is still there. */
  readonly owners: readonly (number | undefined)[];
  readonly standbys: readonly ReadonlySet<number>[];
}

/** What the members had before. Of two that claim to own a task, the one with the younger plan is right. */
function claimsOf(members: readonly TaskMember[], partitions: number): Claims {
  const owners = new Array<number | undefined>(partitions).fill(undefined);
  const standbys = Array.from({ length: partitions }, () => new Set<number>());
  for (const [index, { previous }] of members.entries()) {
    for (const partition of previous.active) {
      if (partition >= partitions) continue;
      const rival = owners[partition];
      const rivalGeneration = rival === undefined ? -1 : (members[rival]?.previous.generation ?? -1);
      if (previous.generation > rivalGeneration) owners[partition] = index;
    }
    for (const partition of previous.standby) standbys[partition]?.add(index);
  }
  return { owners, standbys };
}

/**
 * Owners spread evenly within one, with as few changes as that allows; what must move goes where `distance` is smallest. Gives
 * the member of each partition.
 */
function evenOwners(
  members: number,
  partitions: readonly number[],
  previous: readonly (number | undefined)[],
  distance: (member: number, partition: number) => number,
): readonly number[] {
  const owned = new Array<number>(members).fill(0);
  for (const member of previous) if (member !== undefined) owned[member] = at(owned, member) + 1;
  // Who has most may keep one more: fewer tasks have to move.
  const byOwned = [...owned.keys()].sort((a, b) => at(owned, b) - at(owned, a) || a - b);
  const floor = Math.floor(partitions.length / members);
  const capacity = new Array<number>(members).fill(floor);
  for (const member of byOwned.slice(0, partitions.length % members)) capacity[member] = floor + 1;

  const owners = [...previous];
  const surplus = owned.map((count, member) => count - at(capacity, member));
  const room = surplus.map((over) => Math.max(0, -over));
  const moves = partitions.flatMap((partition) => {
    const owner = previous[partition];
    if (owner !== undefined && at(surplus, owner) <= 0) return [];
    return room.flatMap((free, member) =>
      free > 0 ? [{ partition, member, distance: distance(member, partition) }] : [],
    );
  });
  moves.sort((a, b) => compareNumbers(a.distance, b.distance) || a.partition - b.partition || a.member - b.member);
  const moved = new Set<number>();
  for (const { partition, member } of moves) {
    if (moved.has(partition) || at(room, member) === 0) continue;
    const owner = previous[partition];
    if (owner !== undefined) {
      if (at(surplus, owner) <= 0) continue;
      surplus[owner] = at(surplus, owner) - 1;
    }
    room[member] = at(room, member) - 1;
    owners[partition] = member;
    moved.add(partition);
  }
  return owners.map((member, partition) => {
    if (member === undefined) throw new Error(`partition ${partition} was left without an owner`);
    return member;
  });
}

interface StandbyQuestion {
  readonly members: number;
  readonly partitions: readonly number[];
  readonly perPartition: number;
  readonly excluded: (member: number, partition: number) => boolean;
  /** Orders members for a partition, the best first. */
  readonly preference: (partition: number) => (a: number, b: number) => number;
}

/**
 * Standbys of each partition: first everyone's best, then moved along the shortest chains from who has most to who has least,
 * until they are as even as the exclusions allow (an optimal semi-matching: no chain is left that would make it more even).
 */
function evenStandbys(question: StandbyQuestion): readonly Set<number>[] {
  const { members, partitions, perPartition, excluded, preference } = question;
  const everyone = Array.from({ length: members }, (_, member) => member);
  const load = new Array<number>(members).fill(0);
  const copies = partitions.map((partition) => {
    const candidates = everyone.filter((member) => !excluded(member, partition));
    const order = preference(partition);
    candidates.sort((a, b) => order(a, b) || at(load, a) - at(load, b) || a - b);
    const chosen = candidates.slice(0, perPartition);
    for (const member of chosen) load[member] = at(load, member) + 1;
    return new Set(chosen);
  });

  /** The partition whose copy can best go from one member to another, or undefined. */
  function movable(from: number, to: number): number | undefined {
    const candidates = partitions.filter(
      (partition) => at(copies, partition).has(from) && !at(copies, partition).has(to) && !excluded(to, partition),
    );
    // Best is one for which the other is no worse a place.
    return candidates.find((partition) => preference(partition)(from, to) >= 0) ?? candidates[0];
  }

  function chainFrom(start: number): readonly { readonly from: number; readonly to: number }[] | undefined {
    const cameFrom = new Array<number | undefined>(members).fill(undefined);
    cameFrom[start] = start;
    const queue = [start];
    for (let member = queue.shift(); member !== undefined; member = queue.shift()) {
      if (at(load, member) <= at(load, start) - 2) {
        const chain: { from: number; to: number }[] = [];
        for (let to = member; to !== start; to = at(cameFrom, to)) chain.unshift({ from: at(cameFrom, to), to });
        return chain;
      }
      for (const next of everyone) {
        if (cameFrom[next] !== undefined || movable(member, next) === undefined) continue;
        cameFrom[next] = member;
        queue.push(next);
      }
    }
    return undefined;
  }

  for (;;) {
    const byLoad = [...everyone].sort((a, b) => at(load, b) - at(load, a) || a - b);
    const chain = byLoad.map(chainFrom).find((found) => found !== undefined);
    if (chain === undefined) return copies;
    // From the far end, so that no member has a partition twice on the way.
    for (const { from, to } of [...chain].reverse()) {
      const partition = movable(from, to);
      if (partition === undefined) throw new Error('a chain of standbys broke while it was moved');
      at(copies, partition).delete(from);
      at(copies, partition).add(to);
      load[from] = at(load, from) - 1;
      load[to] = at(load, to) + 1;
    }
  }
}

function indices(values: readonly unknown[]): number[] {
  return [...values.keys()];
}

/** The first of the smallest. */
function least(values: readonly number[], compare: (a: number, b: number) => number): number {
  return values.reduce((best, value) => (compare(value, best) < 0 ? value : best));
}

/** Infinity is equal to itself, which a difference does not say. */
function compareNumbers(a: number, b: number): number {
  return a === b ? 0 : a - b;
}

/** By code units: the same order on every machine. */
function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function at<V>(values: readonly V[], index: number): Exclude<V, undefined> {
  const value = values[index];
  if (value === undefined) throw new Error(`nothing stands at ${index}`);
  return value as Exclude<V, undefined>;
}
