/** Tasks of an instance as a map, for tests of who is asked. */
import { StatisticsUnavailable } from '../../src/ports/statistics-read-model.ts';
import type { LocalTasks, StoreRequest, TaskRole } from '../../src/ports/task-stores.ts';

export interface FakeTask {
  role: TaskRole;
  nextOffset: number;
}

export interface FakeTasks extends LocalTasks {
  readonly tasks: Map<number, FakeTask>;
  readonly asked: StoreRequest[];
  /** What reads throw, if anything. */
  failure: Error | null;
}

/** A row's value is `<name>/<key>`, so an answer says whose it is; a key that begins with `none` has no row. */
export function createFakeTasks(name: string, tasks: Readonly<Record<number, FakeTask>>): FakeTasks {
  const fake: FakeTasks = {
    tasks: new Map(Object.entries(tasks).map(([partition, task]) => [Number(partition), task])),
    asked: [],
    failure: null,
    roleOf: (partition) => fake.tasks.get(partition)?.role ?? null,
    positions: () =>
      [...fake.tasks].map(([partition, { role, nextOffset }]) => ({ partition, role, nextOffset, streamTimeMs: 5 })),
    async read(request) {
      fake.asked.push(request);
      if (fake.failure !== null) throw fake.failure;
      const task = fake.tasks.get(request.partition);
      if (task === undefined) throw new StatisticsUnavailable(`${name} has no task ${request.partition}`);
      const row = (key: string) => Buffer.from(`${name}/${key}`);
      return {
        nextOffset: task.nextOffset,
        streamTimeMs: 5,
        values: request.keys.map((key) => (key.startsWith('none') ? undefined : row(key))),
        entries: request.range === undefined ? [] : [['k', row('k')]],
      };
    },
  };
  return fake;
}
