import { createMemoryStateStore } from '../../src/adapters/memory/memory-state-store.ts';
import type { LogReader, LogRecord } from '../../src/ports/event-log.ts';
import { visitStatistics } from '../../src/projections/visit-statistics.ts';
import { RunLoop } from '../../src/worker/run-loop.ts';
import { openTask, rowsOf, TestLog } from '../support/topology-driver.ts';
import { aVisit, visitText } from '../support/visits.ts';
import { withBatches } from '../support/with-batches.ts';

const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

/** Reads a test log that grows while it is read. */
function readerOf(log: TestLog): LogReader & { wake(): void } {
  let wake: () => void = () => undefined;
  return {
    read: async (nextOffset) => log.from(nextOffset, 3),
    waitFor(nextOffset, timeoutMs) {
      if (log.records.length > nextOffset) return Promise.resolve();
      return new Promise((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    },
    endOffset: () => log.records.length,
    startOffset: () => 0,
    close: async () => undefined,
    wake: () => wake(),
  };
}

function visitOf(code: string): [string, string] {
  return [code, visitText(aVisit({ code }))];
}

describe('the run loop', () => {
  it('commits what it folded as soon as it has caught up, and takes up what comes later', async () => {
    const store = createMemoryStateStore();
    const log = new TestLog();
    for (let i = 0; i < 10; i++) log.append(...visitOf('abc'));
    const task = await openTask({ topology: visitStatistics, store });
    const reader = readerOf(log);
    const committed = { resolve: (): void => undefined };
    const reached = (offset: number) =>
      new Promise<void>((resolve) => {
        committed.resolve = () => {
          if (task.status().committedOffset >= offset) resolve();
        };
        committed.resolve();
      });
    const loop = new RunLoop({ task, reader, clock, onCommit: () => committed.resolve() });
    const running = loop.run();
    await reached(10);
    log.append(...visitOf('xyz'));
    reader.wake();
    await reached(11);
    loop.stop();
    reader.wake();
    await running;
    expect([...(await rowsOf(store)).keys()].filter((key) => key.startsWith('t'))).toEqual(['tabc', 'txyz']);
  });

  it('does not rest long after a slow commit: what came meanwhile is committed as soon as when busy', async () => {
    let nowMs = 0;
    const memory = createMemoryStateStore();
    let writeMs = 0;
    const store = withBatches(memory, (batch) => ({
      write() {
        nowMs += writeMs;
        return batch.write();
      },
    }));
    const log = new TestLog();
    log.append(...visitOf('abc'));
    const task = await openTask({ topology: visitStatistics, store });
    const committedAtMs: number[] = [];
    const reader: LogReader = {
      ...readerOf(log),
      async waitFor(_nextOffset, timeoutMs) {
        nowMs += timeoutMs;
      },
    };
    writeMs = 400;
    const loop = new RunLoop({
      ...{ task, reader, clock: { nowMs: () => nowMs, monotonicMs: () => nowMs }, policy: { busyIntervalMs: 250 } },
      onCommit() {
        committedAtMs.push(nowMs);
        if (committedAtMs.length === 3) loop.stop();
        else log.append(...visitOf('abc'));
        writeMs = 0;
      },
    });
    await loop.run();
    // The first took from 5 to 405; ten times as long would be 4,000. Then a quick one is followed almost at once.
    expect(committedAtMs).toEqual([405, 405, 410]);
  });

  it('ends with the error of a commit that failed, and the store keeps what was committed before', async () => {
    const memory = createMemoryStateStore();
    let writes = 0;
    const store = withBatches(memory, (batch) => ({
      write: () => (++writes > 1 ? Promise.reject(new Error('disk full')) : batch.write()),
    }));
    const log = new TestLog();
    log.append(...visitOf('abc'));
    const task = await openTask({ topology: visitStatistics, store });
    const reader = readerOf(log);
    const onCommit = () => {
      log.append(...visitOf('abc'));
      reader.wake();
    };
    await expect(new RunLoop({ task, reader, clock, onCommit }).run()).rejects.toThrow('disk full');
    expect(task.status().committedOffset).toBe(1);
  });

  it('ends with the error of the log and folds nothing behind it', async () => {
    const log = new TestLog();
    const damaged: LogReader = {
      ...readerOf(log),
      read: async (): Promise<readonly LogRecord[]> => Promise.reject(new Error('the log is damaged')),
    };
    const task = await openTask({ topology: visitStatistics, store: createMemoryStateStore() });
    const loop = new RunLoop({ task, reader: damaged, clock, onCommit: () => undefined });
    await expect(loop.run()).rejects.toThrow('the log is damaged');
    expect(task.status().nextOffset).toBe(0);
  });
});
