import { createMemoryStateStore } from '../../src/adapters/memory/memory-state-store.ts';
import { type LogReader, type LogRecord, OffsetOutOfRange } from '../../src/ports/event-log.ts';
import { type StateStore, StoreDamaged } from '../../src/ports/state-store.ts';
import { type PartitionStatus, PartitionWorker } from '../../src/worker/partition-worker.ts';
import type { TaskCommit } from '../../src/worker/task-commit.ts';
import { createTallies } from '../simulation/tallies.ts';
import { createFakeChangelog, type FakeChangelog } from '../support/fake-changelog.ts';
import { createManualTimer, type ManualTimer } from '../support/manual-timer.ts';
import { createQuietLogger } from '../support/quiet-logger.ts';
import { rowsOf, TestLog } from '../support/topology-driver.ts';

class World {
  readonly log = new TestLog();
  readonly changelog: FakeChangelog = createFakeChangelog();
  readonly timer: ManualTimer = createManualTimer();
  /** Records before it are gone. */
  startOffset = 0;
  private barriers = 0;
  private readonly waiting = new Set<() => void>();

  visit(...keys: readonly string[]): void {
    for (const key of keys) this.log.append(key, String(this.log.records.length + 1));
    for (const wake of [...this.waiting]) wake();
  }

  instance(instanceId: string, makeStore: () => StateStore = keepContent(createMemoryStateStore())) {
    const statuses: PartitionStatus[] = [];
    const commits: TaskCommit[] = [];
    const setAside: Error[] = [];
    let open = makeStore;
    const worker = new PartitionWorker({
      topology: createTallies(
        (rows, row, offset) => rows.begin(row, offset),
        () => undefined,
      ),
      partition: 0,
      logId: 'log-1',
      instanceId,
      changelog: this.changelog,
      clock: this.timer,
      timer: this.timer,
      random: { id: () => `barrier-${++this.barriers}` },
      logger: createQuietLogger(),
      producerSilenceMs: 1_000_000,
      openStore: async () => open(),
      setStoreAside: async (reason) => {
        setAside.push(reason);
        open = keepContent(createMemoryStateStore());
      },
      openLogReader: async () => this.reader(),
      sendDeadLetters: async () => undefined,
      isStoreDamage: () => false,
      onStatus: (status) => statuses.push(status),
      onCommit: (commit) => commits.push(commit),
    });
    const states = () => statuses.map(({ state }) => state).filter((state, index, all) => state !== all[index - 1]);
    return { worker, statuses, states, commits, setAside };
  }

  private reader(): LogReader {
    const { log, waiting } = this;
    return {
      read: async (nextOffset): Promise<readonly LogRecord[]> => {
        if (nextOffset < this.startOffset) throw new OffsetOutOfRange(nextOffset, this.startOffset, log.records.length);
        return log.from(nextOffset, 5);
      },
      waitFor(nextOffset) {
        if (log.records.length > nextOffset) return Promise.resolve();
        return new Promise((resolve) => {
          const wake = (): void => {
            waiting.delete(wake);
            resolve();
          };
          waiting.add(wake);
        });
      },
      endOffset: () => log.records.length,
      startOffset: () => this.startOffset,
      close: async () => undefined,
    };
  }
}

/** A store that can be opened again after it was closed, as a folder can. */
function keepContent(store: StateStore): () => StateStore {
  return () => ({ ...store, close: async () => undefined });
}

async function rowsIn(store: StateStore | null): Promise<Map<string, string>> {
  if (store === null) throw new Error('the store is not open');
  return rowsOf(store);
}

describe('a partition worker', () => {
  it('folds as the owner, tells its commits, and leaves everything in the changelog when it stops', async () => {
    const world = new World();
    world.visit('a', 'b', 'a');
    const { worker, states, commits } = world.instance('one');
    const active = worker.becomeActive();
    await world.timer.advance(10);
    await active;
    await world.timer.advance(10);
    expect(commits.at(-1)?.nextOffset).toBe(3);
    expect(commits.flatMap(({ rows }) => [...rows].map(([key]) => key)).sort()).toEqual(['o', 'ta', 'tb']);
    const stopped = worker.stop();
    await world.timer.advance(10);
    await stopped;
    expect(states()).toEqual(['taking-over', 'running', 'stopped']);
    expect(world.changelog.records.filter(({ kind }) => kind === 'row').map(({ key }) => key)).toEqual([
      'ta',
      'o',
      'tb',
    ]);
  });

  it('hands the partition over to a warm standby, which goes on where it was', async () => {
    const world = new World();
    world.visit('a', 'b', 'a');
    const one = world.instance('one');
    const two = world.instance('two');
    void one.worker.becomeActive();
    void two.worker.becomeStandby();
    await world.timer.advance(2_000);
    expect(two.worker.status()).toMatchObject({ state: 'standby', replica: { lag: 0, checkpointOffset: 3 } });
    const handed = one.worker.becomeStandby();
    await world.timer.advance(10);
    await handed;
    void two.worker.becomeActive();
    world.visit('b', 'c');
    await world.timer.advance(2_000);
    expect(two.worker.status()).toMatchObject({ state: 'running', task: { openedAtOffset: 3, nextOffset: 5 } });
    expect(one.worker.status()).toMatchObject({ state: 'standby', replica: { checkpointOffset: 5 } });
    expect(await rowsIn(one.worker.openedStore())).toEqual(await rowsIn(two.worker.openedStore()));
    expect((await two.worker.read({ partition: 0, keys: ['tb'] })).nextOffset).toBe(5);
  });

  it('stops as a zombie when another took over, and takes over again after a rest if that is still wished', async () => {
    const world = new World();
    world.visit('a');
    const one = world.instance('one');
    const two = world.instance('two');
    void one.worker.becomeActive();
    await world.timer.advance(2_000);
    void two.worker.becomeActive();
    await world.timer.advance(100);
    world.visit('a', 'b');
    await world.timer.advance(1_500);
    expect(one.worker.status().state).toBe('fenced');
    expect(two.worker.status().state).toBe('running');
    await two.worker.becomeStandby();
    await world.timer.advance(10_000);
    expect(one.worker.status()).toMatchObject({ state: 'running', task: { nextOffset: 3 } });
    const stopped = Promise.all([one.worker.stop(), two.worker.stop()]);
    await world.timer.advance(10);
    await stopped;
  });

  it('hears the last of many wishes', async () => {
    const world = new World();
    world.visit('a');
    const { worker } = world.instance('one');
    void worker.becomeActive();
    void worker.becomeStandby();
    void worker.becomeActive();
    const last = worker.becomeStandby();
    await world.timer.advance(10);
    await last;
    expect(worker.status().state).toBe('standby');
    void worker.becomeActive();
    await world.timer.advance(10);
    expect(worker.status().state).toBe('running');
    const stopped = worker.stop();
    void worker.becomeActive();
    await world.timer.advance(10);
    await stopped;
    expect(worker.status().state).toBe('stopped');
  });

  it('can be stopped while the changelog is away, and tries for as long as it is', async () => {
    const world = new World();
    world.changelog.outage = { applied: false };
    const { worker, states } = world.instance('one');
    void worker.becomeActive();
    await world.timer.advance(60_000);
    expect(states()).toEqual(['taking-over']);
    const stopped = worker.stop();
    await world.timer.advance(1);
    await stopped;
    expect(states()).toEqual(['taking-over', 'stopped']);
  });

  it('sets a damaged store aside and restores another from the changelog', async () => {
    const world = new World();
    world.visit('a', 'b');
    const first = world.instance('one');
    void first.worker.becomeActive();
    await world.timer.advance(10);
    const stopped = first.worker.stop();
    await world.timer.advance(10);
    await stopped;
    const damaged = () => {
      throw new StoreDamaged('bits');
    };
    const { worker, setAside } = world.instance('two', damaged);
    void worker.becomeActive();
    await world.timer.advance(100);
    expect(setAside.map(({ message }) => message)).toEqual(['bits']);
    expect(worker.status()).toMatchObject({ state: 'running', task: { openedAtOffset: 2 } });
  });

  it('halts where only a person can help, and tries again when something is wished', async () => {
    const world = new World();
    world.visit('a', 'b', 'c');
    world.startOffset = 1;
    const { worker } = world.instance('one');
    void worker.becomeActive();
    await world.timer.advance(100);
    expect(worker.status()).toMatchObject({ state: 'halted', reason: expect.stringContaining('log begins at 1') });
    await world.timer.advance(600_000);
    expect(worker.status().state).toBe('halted');
    world.startOffset = 0;
    void worker.becomeActive();
    await world.timer.advance(100);
    expect(worker.status().state).toBe('running');
  });

  it('tries again when the disk fails', async () => {
    const world = new World();
    let isFull = true;
    const store = createMemoryStateStore();
    const { worker, states } = world.instance('one', () => {
      if (isFull) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      return { ...store, close: async () => undefined };
    });
    void worker.becomeActive();
    await world.timer.advance(1_000);
    expect(worker.status()).toMatchObject({ state: 'resting', reason: 'no space' });
    isFull = false;
    await world.timer.advance(10_000);
    expect(states().at(-1)).toBe('running');
  });
});
