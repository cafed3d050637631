/** Reads of a task's store on another instance: what the port asks, as a signed call. */
import {
  type InstancePositions,
  parsePositions,
  parseStoreAnswer,
  positionsPath,
  storeReadJson,
  storeReadsPath,
} from '../http/internal/store-reads.ts';
import { StatisticsUnavailable } from '../ports/statistics-read-model.ts';
import type { TaskInstance } from '../ports/task-ownership.ts';
import type { RemoteStoreReader } from '../worker/routed-store-reader.ts';
import type { InstanceClient } from './instance-client.ts';

export interface RemoteTasks extends RemoteStoreReader {
  /** Where the tasks of an instance stand. Throws `StatisticsUnavailable`. */
  positions(instance: TaskInstance): Promise<InstancePositions>;
}

/** @param topology `name@version` of the rows that this build can read */
export function createRemoteStoreReader(client: InstanceClient, topology: string): RemoteTasks {
  async function ask<A>(
    instance: TaskInstance,
    path: string,
    body: unknown,
    parse: (answer: unknown) => A | null,
  ): Promise<A> {
    let answer: unknown;
    try {
      answer = await client.call(instance, path, body);
    } catch (error) {
      throw new StatisticsUnavailable((error as Error).message, { cause: error });
    }
    const parsed = parse(answer);
    if (parsed === null) throw new StatisticsUnavailable(`${instance.url} answered what was not asked`);
    return parsed;
  }

  return {
    read: (instance, request, standbyWillDo) =>
      ask(instance, storeReadsPath, storeReadJson({ topology, request, standbyWillDo }), (answer) =>
        parseStoreAnswer(answer, request),
      ),
    positions: (instance) => ask(instance, positionsPath, {}, parsePositions),
  };
}
