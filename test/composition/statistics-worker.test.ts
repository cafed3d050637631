import { createMemoryEventLog } from '../../src/adapters/memory/memory-event-log.ts';
import { createMemoryStateStore } from '../../src/adapters/memory/memory-state-store.ts';
import { systemRandom } from '../../src/adapters/system/system-random.ts';
import type { FromStatisticsThread } from '../../src/composition/statistics-messages.ts';
import { StatisticsWorker, type StatisticsWorkerOptions } from '../../src/composition/statistics-worker.ts';
import { LogDamaged } from '../../src/ports/event-log.ts';
import { type StateStore, StoreDamaged } from '../../src/ports/state-store.ts';
import { totalsRowCodec } from '../../src/projections/totals-row.ts';
import { totalsKey } from '../../src/projections/visit-statistics.ts';
import { encodeVisit } from '../../src/serde/visit.ts';
import { aVisit } from '../support/visits.ts';
import { withBatches } from '../support/with-batches.ts';

const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

const started: { readonly worker: StatisticsWorker; readonly running: Promise<void> }[] = [];

afterEach(async () => {
  for (const { worker, running } of started.splice(0)) {
    worker.receive({ type: 'stop' });
    await running;
  }
});

/** The worker over a log in memory and stores that are kept by folder, as files are. */
async function startWorker(changes: Partial<StatisticsWorkerOptions> = {}) {
  const { log, journal } = createMemoryEventLog({ partitions: 1, random: systemRandom });
  const stores = new Map<string, StateStore>();
  const messages: FromStatisticsThread[] = [];
  const waiting = new Set<() => void>();
  const setAside: string[] = [];
  const worker = new StatisticsWorker({
    dataDir: '/data',
    logId: log.logId,
    partitions: 1,
    clock,
    async openStore(folder) {
      const store = stores.get(folder) ?? createMemoryStateStore();
      stores.set(folder, store);
      return { ...store, close: async () => undefined };
    },
    async setAside(folder) {
      stores.delete(folder);
      setAside.push(folder);
      return `${folder}.damaged`;
    },
    openReader: () => log.reader('visits', 0),
    send(message) {
      messages.push(message);
      for (const check of [...waiting]) check();
    },
    ...changes,
  });
  const running = worker.run();
  started.push({ worker, running });

  function message<T extends FromStatisticsThread['type']>(
    type: T,
    matches: (found: Extract<FromStatisticsThread, { type: T }>) => boolean = () => true,
  ): Promise<Extract<FromStatisticsThread, { type: T }>> {
    return new Promise((resolve) => {
      const check = (): void => {
        const found = messages.find(
          (each): each is Extract<FromStatisticsThread, { type: T }> =>
            each.type === type && matches(each as Extract<FromStatisticsThread, { type: T }>),
        );
        if (found === undefined) return;
        waiting.delete(check);
        resolve(found);
      };
      waiting.add(check);
      check();
    });
  }

  const visit = (code: string) =>
    new Promise<void>((resolve, reject) => {
      journal.append(code, encodeVisit(aVisit({ code })), (error) => (error === null ? resolve() : reject(error)));
    });
  const committed = (offset: number) =>
    message('progress', ({ status }) => status.committedOffset >= offset && status.state === 'running');
  let reads = 0;
  async function visitsOf(code: string): Promise<number | undefined> {
    const id = ++reads;
    worker.receive({ type: 'read', id, request: { partition: 0, keys: [totalsKey(code)] } });
    const { answer } = await message('answer', (each) => each.id === id);
    const row = answer.values[0];
    return row === undefined ? undefined : totalsRowCodec.decode(Buffer.from(row)).nonBots;
  }
  async function stop(): Promise<void> {
    worker.receive({ type: 'stop' });
    await running;
  }
  return { worker, messages, message, visit, committed, visitsOf, stop, setAside };
}

describe('the statistics worker', () => {
  it('folds what is journaled and answers with where it stands', async () => {
    const world = await startWorker();
    await world.visit('abc');
    await world.visit('abc');
    await world.committed(2);
    expect(await world.visitsOf('abc')).toBe(2);
    expect(await world.visitsOf('other')).toBeUndefined();
    await world.stop();
    expect(world.messages.at(-1)).toEqual({ type: 'stopped' });
  });

  it('sets a store aside that is damaged, and folds the same numbers from the log', async () => {
    let opened = 0;
    const world = await startWorker({
      async openStore() {
        if (++opened === 1) throw new StoreDamaged('a block fails its checksum');
        return createMemoryStateStore();
      },
    });
    await world.visit('abc');
    await world.committed(1);
    expect(world.setAside).toEqual(['/data/stores/visit-statistics-0']);
    expect(await world.visitsOf('abc')).toBe(1);
    await world.stop();
  });

  it('folds anew when a read finds the damage, though no visit comes', async () => {
    let opened = 0;
    const world = await startWorker({
      async openStore() {
        const store = createMemoryStateStore();
        if (++opened > 1) return store;
        const snapshot = (): never => {
          throw new StoreDamaged('a row fails its checksum');
        };
        return { ...store, snapshot };
      },
    });
    await world.visit('abc');
    await world.committed(1);
    world.worker.receive({ type: 'read', id: 99, request: { partition: 0, keys: [] } });
    expect((await world.message('failure')).message).toContain('checksum');
    const told = await world.message('log', ({ message }) => message.includes('set aside'));
    const after = (message: FromStatisticsThread) => world.messages.indexOf(message) > world.messages.indexOf(told);
    await world.message('progress', (progress) => after(progress) && progress.status.committedOffset === 1);
    expect(await world.visitsOf('abc')).toBe(1);
    await world.stop();
  });

  it('asks for a person when every store is damaged', async () => {
    const world = await startWorker({
      openStore: async () => Promise.reject(new StoreDamaged('a block fails its checksum')),
    });
    expect((await world.message('halted')).reason).toContain('checksum');
    expect(world.setAside).toHaveLength(2);
    await world.stop();
  });

  it('tries again when the disk is full, and loses nothing', async () => {
    let writes = 0;
    const memory = createMemoryStateStore();
    const world = await startWorker({
      async openStore() {
        const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
        const fullAtSecond = withBatches(memory, (batch) => ({
          write: () => (++writes === 2 ? Promise.reject(full) : batch.write()),
        }));
        return { ...fullAtSecond, close: async () => undefined };
      },
    });
    await world.visit('abc');
    await world.committed(1);
    await world.visit('abc');
    await world.message('log', ({ message }) => message.includes('cannot be used now'));
    await world.visit('abc');
    await world.committed(3);
    expect(await world.visitsOf('abc')).toBe(3);
    expect(world.setAside).toEqual([]);
    await world.stop();
  });

  it('halts with a remedy when the log is damaged, and still stops', async () => {
    const world = await startWorker({
      openReader: async () => ({
        read: async () => Promise.reject(new LogDamaged('visits/0/x.log', 17, 'a frame fails its checksum')),
        waitFor: async () => undefined,
        endOffset: () => 5,
        startOffset: () => 0,
        close: async () => undefined,
      }),
    });
    const { reason } = await world.message('halted');
    expect(reason).toContain('visits/0/x.log at byte 17');
    expect(reason).toContain('Restore that file from a backup');
    await world.stop();
  });

  it('halts on a defect instead of trying for ever', async () => {
    const world = await startWorker({ openStore: async () => Promise.reject(new TypeError('x is not a function')) });
    expect((await world.message('halted')).reason).toContain('x is not a function');
    await world.stop();
  });
});
