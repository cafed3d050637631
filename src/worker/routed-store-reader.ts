/**
 * Reads of any task's store from any instance: here when the task is here, else from its owner by one hop, else from a standby,
 * whose answer is older, as its position says.
 */
import { StatisticsUnavailable } from '../ports/statistics-read-model.ts';
import type { TaskDirectory, TaskInstance } from '../ports/task-ownership.ts';
import type { LocalTasks, StoreAnswer, StoreRequest, TaskStoreReader } from '../ports/task-stores.ts';

export interface RoutedStoreReaderOptions {
  readonly instanceId: string;
  readonly local: Pick<LocalTasks, 'roleOf' | 'read'>;
  readonly directory: TaskDirectory;
  readonly remote: RemoteStoreReader;
}

export interface RemoteStoreReader {
  /**
   * Asks one instance, which answers itself or not at all. Bounded in time. Throws `StatisticsUnavailable`.
   * @param standbyWillDo take the answer of a copy that only follows the owner
   */
  read(instance: TaskInstance, request: StoreRequest, standbyWillDo: boolean): Promise<StoreAnswer>;
}

/** Instances asked for one read beside the owner: each may take its whole time. */
const standbysAskedMax = 2;

/** Its reads throw `StatisticsUnavailable` when neither the owner nor a standby answers. */
export function createRoutedStoreReader(options: RoutedStoreReaderOptions): TaskStoreReader {
  const { instanceId, local, directory, remote } = options;

  /** Undefined when that instance cannot answer. What is no outage is thrown on. */
  async function ask(
    instance: TaskInstance | undefined,
    request: StoreRequest,
    standbyWillDo: boolean,
  ): Promise<StoreAnswer | undefined> {
    // What this instance has was looked at first; the directory may think otherwise for a moment.
    if (instance === undefined || instance.instanceId === instanceId) return undefined;
    try {
      return await remote.read(instance, request, standbyWillDo);
    } catch (error) {
      if (error instanceof StatisticsUnavailable) return undefined;
      throw error;
    }
  }

  async function askStandbys(request: StoreRequest): Promise<StoreAnswer | undefined> {
    if (local.roleOf(request.partition) !== null) return local.read(request);
    for (const standby of directory.standbysOf(request.partition).slice(0, standbysAskedMax)) {
      const answer = await ask(standby, request, true);
      if (answer !== undefined) return answer;
    }
    return undefined;
  }

  return {
    async read(request) {
      const { partition } = request;
      if (local.roleOf(partition) === 'active') return local.read(request);
      const owner = directory.ownerOf(partition);
      const fromOwner = await ask(owner, request, false);
      if (fromOwner !== undefined) return fromOwner;

      const refreshed = directory.refresh();
      // A standby may have become the owner meanwhile, and nobody here has heard of it: it answers as what it is.
      const fromStandby = await askStandbys(request);
      if (fromStandby !== undefined) return fromStandby;

      await refreshed;
      if (local.roleOf(partition) !== null) return local.read(request);
      const next = directory.ownerOf(partition);
      const isNews = next?.instanceId !== owner?.instanceId;
      const fromNext = isNews ? await ask(next, request, false) : undefined;
      if (fromNext !== undefined) return fromNext;
      throw new StatisticsUnavailable(`no instance that has task ${partition} answers`);
    },
  };
}
