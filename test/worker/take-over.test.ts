import { createMemoryStateStore } from '../../src/adapters/memory/memory-state-store.ts';
import { type LogReader, OffsetOutOfRange } from '../../src/ports/event-log.ts';
import { Fenced } from '../../src/worker/fenced.ts';
import {
  ChangelogUntrusted,
  LogLostItsEnd,
  LogPassedCheckpoint,
  type Tenure,
  takeOver,
} from '../../src/worker/take-over.ts';
import { aBarrier, aCheckpoint, aRow, createChangelogWorld, identity } from '../support/changelog-world.ts';

/** A log of which only the bounds matter. */
function logOf(startOffset: number, endOffset: number): LogReader {
  return {
    async read(nextOffset) {
      if (nextOffset < startOffset || nextOffset > endOffset) {
        throw new OffsetOutOfRange(nextOffset, startOffset, endOffset);
      }
      return [];
    },
    waitFor: () => Promise.resolve(),
    endOffset: () => endOffset,
    startOffset: () => startOffset,
    close: () => Promise.resolve(),
  };
}

type World = ReturnType<typeof createChangelogWorld>;

async function takeOverIn(world: World, log: LogReader = logOf(0, 100)): Promise<Tenure> {
  const { changelog, store, retry } = world;
  const replica = await world.openReplica();
  const openLogReader = () => Promise.resolve(log);
  return takeOver({ replica, identity, changelog, store, openLogReader, instanceId: 'me', barrierKey: 'mine', retry });
}

describe('a takeover', () => {
  it('begins at the start of the log where there is no checkpoint', async () => {
    const tenure = await takeOverIn(createChangelogWorld());
    expect(tenure).toMatchObject({ epoch: 0, nextChangelogOffset: 1, resume: { nextOffset: 0 }, earlierBarriers: [] });
  });

  it('goes on at the checkpoint with its watermarks, and knows what is left to do', async () => {
    const world = createChangelogWorld();
    world.changelog.put([aBarrier('theirs')], -1, 0);
    world.changelog.put([aRow('a', 20)], 0, 0);
    world.changelog.put([aCheckpoint(2, 15, { p: [7, 70] })], 0, 1, world.timer.nowMs());
    world.changelog.put([aRow('a', 3)], 0, 0);
    const tenure = await takeOverIn(world);
    expect(tenure.resume).toMatchObject({ nextOffset: 15, watermarks: new Map([['p', [7, 70]]]) });
    expect(tenure).toMatchObject({
      epoch: 4,
      isFoldedAnew: false,
      nextChangelogOffset: 5,
      rewrite: ['a'],
      earlierBarriers: [['theirs', 0]],
    });
  });

  it('is the owner by the last of its barriers when an answer was lost', async () => {
    const world = createChangelogWorld();
    world.changelog.outage = { applied: true };
    const taking = takeOverIn(world);
    await world.timer.advance(5);
    world.changelog.outage = null;
    await world.timer.advance(20);
    expect(await taking).toMatchObject({ epoch: 1, nextChangelogOffset: 2, earlierBarriers: [] });
  });

  it('is fenced by a barrier that came after its own', async () => {
    const world = createChangelogWorld();
    const { changelog } = world;
    const append = changelog.append.bind(changelog);
    changelog.append = async (...call) => {
      const baseOffset = await append(...call);
      changelog.put([aBarrier('later')], -1, 0);
      return baseOffset;
    };
    await expect(takeOverIn(world)).rejects.toThrow(Fenced);
  });

  it('halts where the log has passed the checkpoint, rather than leave a gap', async () => {
    const world = createChangelogWorld();
    world.changelog.put([aCheckpoint(0, 15)], 0, 1);
    await expect(takeOverIn(world, logOf(16, 100))).rejects.toThrow(LogPassedCheckpoint);
  });

  it.each([
    ['a checkpoint', [aCheckpoint(0, 15)]],
    ['a row', [aRow('a', 14)]],
  ])('halts where %s is ahead of the log', async (_what, entries) => {
    const world = createChangelogWorld();
    world.changelog.put(entries, 0, 1);
    await expect(takeOverIn(world, logOf(0, 14))).rejects.toThrow(LogLostItsEnd);
  });

  it('folds everything anew when a value cannot be trusted, and halts when the log does not reach back', async () => {
    const world = createChangelogWorld();
    world.changelog.put([aCheckpoint(0, 15)], 1, 1);
    world.changelog.put([aRow('a', 3)], 0, 0, 0);
    expect(await takeOverIn(world)).toMatchObject({ resume: { nextOffset: 0 }, isFoldedAnew: true });
    await expect(takeOverIn(world, logOf(1, 100))).rejects.toThrow(ChangelogUntrusted);
  });

  it('trusts a stale value that contains all before the checkpoint', async () => {
    const world = createChangelogWorld();
    world.changelog.put([aCheckpoint(0, 15)], 1, 1);
    world.changelog.put([aRow('a', 14)], 0, 0, 0);
    expect((await takeOverIn(world, logOf(1, 100))).resume.nextOffset).toBe(15);
  });

  it('folds everything anew when a record of the changelog is damaged', async () => {
    const world = createChangelogWorld(createMemoryStateStore());
    world.changelog.put([aRow('a', 3), aCheckpoint(1, 15)], 0, 1);
    const [damaged] = world.changelog.records;
    if (damaged === undefined) throw new Error('it was put');
    world.changelog.records[0] = { ...damaged, invalid: 'checksum' };
    expect((await takeOverIn(world)).resume.nextOffset).toBe(0);
    await expect(takeOverIn(world, logOf(1, 100))).rejects.toThrow('1 records of the changelog are damaged');
  });
});
