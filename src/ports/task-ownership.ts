/**
 * Who has which task: what members of the worker group tell of themselves, the plan made from it, and the directory in
 * which every instance looks the owners up. It says who *should* write; the barrier in the changelog decides who may.
 */

/** A member of the worker group as it tells of itself when the group is planned. */
export interface TaskMember {
  /** One per start of a process. */
  readonly instanceId: string;
  /** Where other instances reach it, without a trailing slash. */
  readonly url: string;
  /**
   * Partition → records of the changelog that its copy of the task's store lacks: 0 for what it owns or has caught up with.
   * A partition of which it has nothing is absent.
   */
  readonly tasks: ReadonlyMap<number, number>;
  /** What the group gave it last; the higher `generation` counts where two members claim the same. */
  readonly previous: TaskAssignment & { readonly generation: number };
}

/** Partitions, ascending. None stands in both. */
export interface TaskAssignment {
  readonly active: readonly number[];
  readonly standby: readonly number[];
}

export interface TaskPlan {
  /** By `instanceId`: every member has an entry, every partition exactly one owner. */
  readonly assignments: ReadonlyMap<string, TaskAssignment>;
  /** A task has not yet come to where it should be, for its new owner still warms up: plan again in a while. */
  readonly provisional: boolean;
}

/** A pure function of its input: whichever member leads the group comes to the same plan. `members` is not empty. */
export type PlanTasks = (members: readonly TaskMember[], partitions: number) => TaskPlan;

export interface TaskInstance {
  readonly instanceId: string;
  readonly url: string;
}

/** Answers from the last known plan, without asking anyone. */
export interface TaskDirectory {
  /** Undefined when no instance has the task, as far as is known. */
  ownerOf(partition: number): TaskInstance | undefined;
  standbysOf(partition: number): readonly TaskInstance[];
  /** How old the answers are: milliseconds since they were confirmed last, `Infinity` when nothing was learned yet. */
  ageMs(): number;
  /**
   * Asks the group now (a call failed, or its instance said that it is not the owner), at most a few times a second over all
   * callers. Resolves when that is done, has failed, or takes longer than a second; never rejects.
   */
  refresh(): Promise<void>;
}
