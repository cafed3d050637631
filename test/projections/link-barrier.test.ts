import { jest } from '@jest/globals';
import { LogUnavailable } from '../../src/ports/event-log.ts';
import { createLinkBarrier } from '../../src/projections/link-barrier.ts';

describe('the barrier in front of an unknown code', () => {
  let asked: number[];
  let applied: { partition: number; offset: number }[];
  let endOffset: (partition: number) => Promise<number>;
  let waitForTable: () => Promise<void>;

  beforeEach(() => {
    jest.useFakeTimers();
    asked = [];
    applied = [];
    endOffset = async () => 8;
    waitForTable = async () => undefined;
  });
  afterEach(() => jest.useRealTimers());

  const open = () =>
    createLinkBarrier({
      log: {
        partitionOf: (key) => (key.startsWith('b') ? 1 : 0),
        endOffset: (_topic, partition) => {
          asked.push(partition);
          return endOffset(partition);
        },
      },
      linkTable: {
        applied: (partition, offset) => {
          applied.push({ partition, offset });
          return waitForTable();
        },
      },
      clock: { nowMs: () => Date.now(), monotonicMs: () => Date.now() },
    });

  it('waits until the table holds what the log held when it was asked', async () => {
    await open().pass('abc');
    expect(applied).toEqual([{ partition: 0, offset: 7 }]);
  });

  it('waits for nothing in an empty partition', async () => {
    endOffset = async () => 0;
    await open().pass('abc');
    expect(applied).toEqual([]);
  });

  it('never answers with a question that was asked before', async () => {
    const barrier = open();
    const first = barrier.pass('a1');
    const second = barrier.pass('a2');
    expect(asked).toEqual([0]);
    await first;
    await jest.advanceTimersByTimeAsync(50);
    await second;
    expect(asked).toEqual([0, 0]);
  });

  it('costs twenty questions a second and partition, however many codes are asked for', async () => {
    const barrier = open();
    const passing: (Promise<void> | null)[] = [];
    for (let ms = 0; ms < 1_000; ms++) {
      for (let i = 0; i < 5; i++) passing.push(barrier.pass(`a${i}`), barrier.pass(`b${i}`));
      await jest.advanceTimersByTimeAsync(1);
    }
    await jest.advanceTimersByTimeAsync(50);
    await Promise.all(passing);
    expect(asked.filter((partition) => partition === 0).length).toBeLessThanOrEqual(21);
    expect(asked.filter((partition) => partition === 1).length).toBeGreaterThanOrEqual(19);
  });

  it('rejects when the log cannot be asked, and asks again for the next', async () => {
    const barrier = open();
    endOffset = () => Promise.reject(new LogUnavailable('away'));
    await expect(barrier.pass('abc')).rejects.toThrow(LogUnavailable);
    endOffset = async () => 8;
    await jest.advanceTimersByTimeAsync(50);
    await barrier.pass('abc');
    expect(asked).toHaveLength(2);
  });

  it('rejects when the table does not get there in time', async () => {
    waitForTable = () => new Promise(() => undefined);
    const passing = open().pass('abc');
    const refused = expect(passing).rejects.toThrow('within 2000 ms');
    await jest.advanceTimersByTimeAsync(2_000);
    await refused;
  });
});
