import { createSharedProgress, type SharedProgress } from '../../src/composition/shared-progress.ts';
import { LogUnavailable } from '../../src/ports/event-log.ts';
import type { PartitionPosition } from '../../src/ports/statistics-read-model.ts';

describe('where the fold of all instances stands', () => {
  let nowMs: number;
  let ends: number[];
  let isAway: boolean;
  let asked: number;
  let journalAgeMs: number;
  let told: PartitionPosition[];
  let shared: SharedProgress;

  const position = (partition: number, nextOffset: number) => ({ partition, nextOffset, streamTimeMs: nextOffset });

  beforeEach(() => {
    nowMs = 1_000;
    ends = [0, 0];
    isAway = false;
    asked = 0;
    journalAgeMs = 0;
    told = [];
    shared = createSharedProgress({
      log: {
        partitions: () => 2,
        endOffset: async (_topic, partition) => {
          asked++;
          if (isAway) throw new LogUnavailable('away');
          return ends[partition] ?? 0;
        },
      },
      clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
      positions: () => told,
      journalAgeMs: () => journalAgeMs,
      halted: () => null,
    });
  });
  afterEach(() => shared.close());

  it('has no lag when the log was just asked and everything in it is counted', async () => {
    ends = [5, 3];
    told = [position(0, 5), position(1, 3)];
    nowMs += 1_000;
    expect(await shared.progressNow()).toMatchObject({ lagMs: 0, partitions: told, halted: null });
  });

  it('has the lag of the oldest visit that it cannot rule out', async () => {
    nowMs += 1_000;
    await shared.progressNow();
    ends = [5, 0];
    nowMs += 300;
    expect((await shared.progressNow()).lagMs).toBe(300);
    nowMs += 200;
    expect((await shared.progressNow()).lagMs).toBe(500);
    shared.note(position(0, 5));
    expect((await shared.progressNow()).lagMs).toBe(0);
  });

  it('says for how long the log has not answered', async () => {
    nowMs += 1_000;
    await shared.progressNow();
    expect(shared.silenceMs()).toBe(0);
    isAway = true;
    nowMs += 6_000;
    await shared.progressNow();
    expect(shared.silenceMs()).toBe(6_000);
    isAway = false;
    await shared.progressNow();
    expect(shared.silenceMs()).toBe(0);
  });

  it('counts what this instance has journaled and not brought to the log', async () => {
    journalAgeMs = 700;
    nowMs += 1_000;
    expect((await shared.progressNow()).lagMs).toBe(700);
  });

  it('gets older while the log cannot be asked', async () => {
    nowMs += 1_000;
    await shared.progressNow();
    isAway = true;
    nowMs += 5_000;
    expect((await shared.progressNow()).lagMs).toBe(5_000);
  });

  it('is asked of the log once for many who want to know at the same time', async () => {
    nowMs += 1_000;
    await Promise.all(Array.from({ length: 50 }, () => shared.progressNow()));
    expect(asked).toBeLessThanOrEqual(4);
  });

  it('never falls, whoever tells an older position', () => {
    told = [position(0, 9)];
    expect(shared.progress().partitions[0]).toEqual(position(0, 9));
    shared.note(position(0, 7));
    told = [position(0, 8)];
    expect(shared.progress().partitions[0]).toEqual(position(0, 9));
  });

  it('tells listeners once of what changes in one turn', async () => {
    const heard: number[] = [];
    const stop = shared.onProgress(({ partitions }) => heard.push(partitions[0]?.nextOffset ?? -1));
    shared.note(position(0, 1));
    shared.note(position(0, 2));
    await Promise.resolve();
    expect(heard).toEqual([2]);
    stop();
    shared.note(position(0, 3));
    await Promise.resolve();
    expect(heard).toEqual([2]);
  });
});
