import type { ChangelogRecord } from '../../src/ports/changelog.ts';
import { LogUnavailable } from '../../src/ports/event-log.ts';
import { decodeChangelogCheckpoint } from '../../src/worker/changelog-checkpoint.ts';
import { ChangelogWriter, type FlushPolicy } from '../../src/worker/changelog-writer.ts';
import { noCounts, resumeAtStart } from '../../src/worker/checkpoint.ts';
import { PackedRows } from '../../src/worker/packed-rows.ts';
import type { Watermark } from '../../src/worker/producer-watermarks.ts';
import type { Tenure } from '../../src/worker/take-over.ts';
import type { DeadLetter, TaskCommit } from '../../src/worker/task-commit.ts';
import { versionOf } from '../../src/worker/versioned-rows.ts';
import { aBarrier, aRow, createChangelogWorld, identity, retryPolicy, rowValue } from '../support/changelog-world.ts';

const flushPolicy: FlushPolicy = {
  ...retryPolicy,
  flushIntervalMs: 1_000,
  flushRowsMax: 3,
  flushBytesMax: 10_000,
  gatheredRowsMax: 3,
  gatheredBytesMax: 10_000,
  endCheckIntervalMs: 60_000,
  lastFlushMs: 5_000,
};

function aCommit(
  nextOffset: number,
  versions: Readonly<Record<string, number>>,
  watermarks: Readonly<Record<string, Watermark | null>> = {},
  deadLetters: readonly DeadLetter[] = [],
): TaskCommit {
  const rows = PackedRows.of(Object.entries(versions).map(([key, version]) => [key, rowValue(version, key)]));
  const changed = new Map(Object.entries(watermarks));
  return {
    partition: 0,
    nextOffset,
    streamTimeMs: nextOffset,
    counts: noCounts,
    rows,
    watermarks: changed,
    deadLetters,
  };
}

/** What stands in the changelog, a word a record. */
function wordOf({ kind, key, value, send }: ChangelogRecord): string {
  if (kind === 'row' && value !== null) return `${key}@${versionOf(value)} s${send}`;
  if (kind === 'checkpoint' && value !== null) return `to ${decodeChangelogCheckpoint(value)?.nextOffset} s${send}`;
  return `${kind} ${key}${value === null ? ' taken away' : ''}`;
}

function createWriterWorld(policy: Partial<FlushPolicy> = {}) {
  const world = createChangelogWorld();
  const { changelog, store, timer } = world;
  const epoch = changelog.put([aBarrier('mine')], -1, 0);
  const tenure: Tenure = {
    epoch,
    nextChangelogOffset: epoch + 1,
    resume: resumeAtStart,
    isFoldedAnew: false,
    rewrite: [],
    barrierKey: 'mine',
    earlierBarriers: [],
    highestVersion: -1,
  };
  const kept: DeadLetter[] = [];
  const troubles = { letters: 0 };
  const open = (change: Partial<Tenure> = {}) => {
    const writer = new ChangelogWriter({
      identity,
      tenure: { ...tenure, ...change },
      store,
      changelog,
      clock: timer,
      timer,
      policy: { ...flushPolicy, ...policy },
      async sendDeadLetters(_partition, letters) {
        if (troubles.letters-- > 0) throw new LogUnavailable('away');
        kept.push(...letters);
      },
    });
    const ended = writer.run().then(
      () => 'ended',
      (error: Error) => error.name,
    );
    return { writer, ended };
  };
  const words = () => changelog.records.slice(1).map(wordOf);
  return { ...world, open, words, kept, troubles };
}

const letter: DeadLetter = {
  offset: 1,
  reason: 'poison',
  key: 'a',
  producerId: 'p',
  sequence: 1,
  bytes: 3,
  value: Buffer.from('abc'),
};

describe('the writer of the changelog', () => {
  it('says at once where the new owner begins, then flushes what commits bring, newest values only, an interval apart', async () => {
    const { writer, ...world } = openIn(createWriterWorld({ flushRowsMax: 4 }));
    await world.timer.advance(10);
    writer.add(aCommit(1, { a: 0 }, { p: [0, 1] }));
    writer.add(aCommit(3, { a: 2, b: 1 }, { p: [2, 3], q: [0, 2] }));
    await world.timer.advance(900);
    expect(world.words()).toEqual(['to 0 s0']);
    await world.timer.advance(100);
    expect(world.words()).toEqual(['to 0 s0', 'a@2 s1', 'b@1 s1', 'to 3 s2']);
    const last = world.changelog.records.at(-1);
    const checkpoint = decodeChangelogCheckpoint(last?.value ?? Buffer.alloc(0));
    expect(checkpoint).toMatchObject({ standsAt: last?.offset, streamTimeMs: 3 });
    expect(checkpoint?.watermarks).toEqual(
      new Map([
        ['p', [2, 3]],
        ['q', [0, 2]],
      ]),
    );
  });

  it('flushes at once when much is gathered, and lets the fold pause when that cannot go on', async () => {
    const { writer, ...world } = openIn(createWriterWorld());
    await world.timer.advance(10);
    world.changelog.outage = { applied: false };
    writer.add(aCommit(3, { a: 0, b: 1, c: 2 }));
    await world.timer.advance(1);
    writer.add(aCommit(7, { d: 3, e: 4, f: 5, g: 6 }));
    const room = writer.room();
    expect(room).not.toBeNull();
    world.changelog.outage = null;
    await world.timer.advance(200);
    await room;
    expect(writer.room()).toBeNull();
    expect(world.words().at(-1)).toBe('to 7 s4');
  });

  it('repeats an append whose answer was lost under the same number, and knows the resend as its own', async () => {
    const { writer, ...world } = openIn(createWriterWorld());
    await world.timer.advance(10);
    world.changelog.outage = { applied: true };
    writer.add(aCommit(1, { a: 0 }));
    await world.timer.advance(1_000);
    world.changelog.outage = null;
    await world.timer.advance(1_500);
    const words = world.words();
    expect(words.slice(0, 3)).toEqual(['to 0 s0', 'a@0 s1', 'a@0 s1']);
    expect(words.at(-1)).toBe('to 1 s2');
    expect(writer.status()).toMatchObject({ staleRecords: 0, rewrite: 0, checkpointOffset: 1 });
    expect(writer.status().ownResends).toBeGreaterThan(0);
  });

  it('writes its own values again over those of a stale owner, before the checkpoint', async () => {
    const { writer, ...world } = openIn(createWriterWorld());
    const batch = world.store.batch();
    batch.put('a', rowValue(9, 'a'));
    await batch.write();
    await world.timer.advance(10);
    world.changelog.put([aRow('a', 4), aRow('unknown', 4)], -1, 7);
    writer.add(aCommit(11, { b: 10 }));
    await world.timer.advance(1_000);
    expect(world.words().slice(3)).toEqual(['b@10 s1', 'a@9 s2', 'to 11 s3']);
  });

  it('writes another checkpoint when one does not stand where it was expected', async () => {
    const { writer, ...world } = openIn(createWriterWorld());
    await world.timer.advance(10);
    writer.add(aCommit(2, {}));
    world.changelog.put([aRow('z', 1)], -1, 7);
    await world.timer.advance(1_000);
    expect(writer.status().checkpointOffset).toBe(0);
    await world.timer.advance(1_000);
    expect(world.words().slice(1)).toEqual(['z@1 s7', 'to 2 s1', 'to 2 s2']);
    expect(writer.status().checkpointOffset).toBe(2);
  });

  it('notices what a stale owner wrote while there is nothing to flush', async () => {
    const { writer, ...world } = openIn(createWriterWorld());
    const batch = world.store.batch();
    batch.put('a', rowValue(9, 'a'));
    await batch.write();
    await world.timer.advance(10_000);
    world.changelog.put([aRow('a', 4)], -1, 7);
    await world.timer.advance(40_000);
    expect(writer.status().staleRecords).toBe(0);
    await world.timer.advance(11_000);
    expect(world.words().slice(2)).toEqual(['a@9 s1', 'to 0 s2']);
  });

  it.each([
    ['at the next append', 1_000],
    ['when it looks for it', 60_000],
  ])('stops at a later barrier %s, and touches nothing more', async (_when, afterMs) => {
    const { writer, ended, ...world } = openIn(createWriterWorld());
    await world.timer.advance(10);
    world.changelog.put([aBarrier('later')], -1, 0);
    if (afterMs === 1_000) writer.add(aCommit(1, { a: 0 }));
    await world.timer.advance(afterMs);
    expect(await ended).toBe('Fenced');
    const written = world.words().length;
    writer.add(aCommit(2, { b: 1 }));
    await world.timer.advance(120_000);
    expect(world.words()).toHaveLength(written);
  });

  it('does not go on when the changelog has lost records', async () => {
    const { ended, ...world } = openIn(createWriterWorld(), { nextChangelogOffset: 5 });
    await world.timer.advance(10);
    expect(await ended).toBe('StoreUnusable');
  });

  it('finishes what it took over: rewrites, one checkpoint, earlier barriers away, its position into the store', async () => {
    const base = createWriterWorld();
    const batch = base.store.batch();
    batch.put('a', rowValue(9, 'a'));
    batch.put('!s/a', 'behind');
    await batch.write();
    const { ...world } = openIn(base, { rewrite: ['a'], earlierBarriers: [['theirs', 0]] });
    await world.timer.advance(10);
    expect(world.words()).toEqual(['a@9 s0', 'to 0 s1', 'barrier theirs taken away']);
    const findings = (await world.openReplica()).findings();
    expect(findings).toMatchObject({ position: { nextOffset: 3, epoch: 0 }, checkpoint: { nextOffset: 0 } });
    expect(findings.stale.size).toBe(0);
  });

  it('says that it folds anew before it writes a row, until that counts', async () => {
    const base = createWriterWorld();
    const batch = base.store.batch();
    batch.put('a', rowValue(9, 'a'));
    await batch.write();
    base.changelog.put([aRow('b', 4)], -1, 7);
    const { writer, ...world } = openIn(base, { isFoldedAnew: true, rewrite: ['a'] });
    writer.add(aCommit(3, { c: 2 }));
    await world.timer.advance(10);
    expect(world.words()).toEqual(['b@4 s7', 'to 0 s0', 'to 0 s1', 'c@2 s2', 'a@9 s3', 'to 3 s4']);
  });

  it('has dead letters kept before the checkpoint that covers them', async () => {
    const { writer, ...world } = openIn(createWriterWorld());
    await world.timer.advance(10);
    world.troubles.letters = 2;
    writer.add(aCommit(2, {}, {}, [letter]));
    await world.timer.advance(1_005);
    expect(world.words()).toEqual(['to 0 s0']);
    await world.timer.advance(100);
    expect(world.kept).toEqual([letter]);
    expect(world.words()).toEqual(['to 0 s0', 'to 2 s1']);
  });

  it('flushes what is left when it is closed, but not for ever', async () => {
    const first = openIn(createWriterWorld());
    await first.timer.advance(10);
    first.writer.add(aCommit(1, { a: 0 }));
    first.writer.close();
    await first.timer.advance(1);
    expect(await first.ended).toBe('ended');
    expect(first.words()).toEqual(['to 0 s0', 'a@0 s1', 'to 1 s2']);

    const second = openIn(createWriterWorld());
    await second.timer.advance(10);
    second.changelog.outage = { applied: false };
    second.writer.add(aCommit(1, { a: 0 }));
    second.writer.close();
    await second.timer.advance(5_000);
    expect(await second.ended).toBe('ended');
    expect(second.words()).toEqual(['to 0 s0']);
  });

  it('divides a flush into appends that the changelog takes', async () => {
    const { writer, ...world } = openIn(createWriterWorld());
    await world.timer.advance(10);
    const rows = Object.fromEntries(Array.from({ length: 4_500 }, (_, index) => [`k${index}`, index]));
    writer.add(aCommit(4_500, rows));
    await world.timer.advance(10);
    const sends = world.changelog.records.filter(({ kind }) => kind === 'row').map(({ send }) => send);
    expect([1, 2, 3].map((send) => sends.filter((one) => one === send).length)).toEqual([2_000, 2_000, 500]);
  });
});

/** The world with a writer open in it. */
function openIn(world: ReturnType<typeof createWriterWorld>, change: Partial<Tenure> = {}) {
  return { ...world, ...world.open(change) };
}
