/** Who is asked for the rows of a task, in which order, and what becomes of it when nobody answers. */
import { StatisticsUnavailable } from '../../src/ports/statistics-read-model.ts';
import type { TaskInstance } from '../../src/ports/task-ownership.ts';
import type { StoreRequest, TaskRole } from '../../src/ports/task-stores.ts';
import { createRoutedStoreReader } from '../../src/worker/routed-store-reader.ts';
import { createFakeTasks } from '../support/fake-tasks.ts';

const request: StoreRequest = { partition: 0, keys: ['k'] };

/** `me` and others, each with its role for task 0; `gone` ones do not answer. */
function world(roles: Readonly<Record<string, TaskRole | null>>, gone: readonly string[] = []) {
  const tasksOf = (name: string) => {
    const role = roles[name] ?? null;
    return createFakeTasks(name, role === null ? {} : { 0: { role, nextOffset: role === 'active' ? 10 : 8 } });
  };
  const instances = new Map(Object.keys(roles).map((name) => [name, tasksOf(name)]));
  const instance = (name: string): TaskInstance => ({ instanceId: name, url: `http://${name}` });
  const withRole = (wanted: TaskRole) => Object.keys(roles).filter((name) => roles[name] === wanted);
  const calls: string[] = [];
  const state = {
    owner: withRole('active').map(instance)[0],
    standbys: withRole('standby').map(instance),
    onRefresh: () => {},
  };
  const reader = createRoutedStoreReader({
    instanceId: 'me',
    local: instances.get('me') ?? createFakeTasks('me', {}),
    directory: {
      ownerOf: () => state.owner,
      standbysOf: () => state.standbys,
      ageMs: () => 0,
      async refresh() {
        calls.push('refresh');
        state.onRefresh();
      },
    },
    remote: {
      async read({ instanceId }, asked, standbyWillDo) {
        calls.push(`${instanceId}${standbyWillDo ? ' (standby)' : ''}`);
        const tasks = instances.get(instanceId);
        const role = tasks?.roleOf(asked.partition) ?? null;
        if (
          gone.includes(instanceId) ||
          tasks === undefined ||
          role === null ||
          (role === 'standby' && !standbyWillDo)
        ) {
          throw new StatisticsUnavailable('not here');
        }
        return tasks.read(asked);
      },
    },
  });
  const read = async () => {
    const { values, nextOffset } = await reader.read(request);
    return `${Buffer.from(values[0] ?? []).toString()} at ${nextOffset}`;
  };
  return { read, calls, state, instance, instances };
}

describe('reads of a task from any instance', () => {
  it('stay here when the task is here', async () => {
    const { read, calls } = world({ me: 'active', other: 'standby' });
    expect(await read()).toBe('me/k at 10');
    expect(calls).toEqual([]);
  });

  it('go to the owner by one hop', async () => {
    const { read, calls } = world({ me: null, owner: 'active', copy: 'standby' });
    expect(await read()).toBe('owner/k at 10');
    expect(calls).toEqual(['owner']);
  });

  it('go to the owner also from a standby, whose own rows are older', async () => {
    const { read } = world({ me: 'standby', owner: 'active' });
    expect(await read()).toBe('owner/k at 10');
  });

  it('are answered from the standby’s own rows, older as they are, when the owner is away', async () => {
    const { read } = world({ me: 'standby', owner: 'active' }, ['owner']);
    expect(await read()).toBe('me/k at 8');
  });

  it('go to a standby when the owner is away, to the next when that is away too', async () => {
    const { read, calls } = world({ me: null, owner: 'active', one: 'standby', two: 'standby' }, ['owner', 'one']);
    expect(await read()).toBe('two/k at 8');
    expect(calls).toEqual(['owner', 'refresh', 'one (standby)', 'two (standby)']);
  });

  it('ask two standbys at the most', async () => {
    const { read, calls } = world({ me: null, owner: 'active', one: 'standby', two: 'standby', three: 'standby' }, [
      'owner',
      'one',
      'two',
    ]);
    await expect(read()).rejects.toThrow(StatisticsUnavailable);
    expect(calls).not.toContain('three (standby)');
  });

  it('find the new owner once the directory knows it', async () => {
    const { read, calls, state, instance } = world({ me: null, old: null, heir: 'active' });
    state.owner = instance('old');
    state.onRefresh = () => {
      state.owner = instance('heir');
    };
    expect(await read()).toBe('heir/k at 10');
    expect(calls).toEqual(['old', 'refresh', 'heir']);
  });

  it('ask nobody twice when the directory has no news', async () => {
    const { read, calls } = world({ me: null, owner: 'active' }, ['owner']);
    await expect(read()).rejects.toThrow('no instance that has task 0 answers');
    expect(calls).toEqual(['owner', 'refresh']);
  });

  it('come back here when the task has come here meanwhile', async () => {
    const { read, state, instances, instance } = world({ me: null, owner: null });
    state.owner = instance('owner');
    state.onRefresh = () => {
      queueMicrotask(() => instances.get('me')?.tasks.set(0, { role: 'active', nextOffset: 11 }));
    };
    expect(await read()).toBe('me/k at 11');
  });

  it('never ask this instance over the network, whatever the directory says', async () => {
    const { read, calls, state, instance } = world({ me: null });
    state.owner = instance('me');
    state.standbys = [instance('me')];
    await expect(read()).rejects.toThrow(StatisticsUnavailable);
    expect(calls).toEqual(['refresh']);
  });

  it('do not hide a defect as an outage', async () => {
    const { read, instances } = world({ me: null, owner: 'active' });
    const owner = instances.get('owner');
    if (owner) owner.failure = new TypeError('a defect');
    await expect(read()).rejects.toThrow(TypeError);
  });
});
