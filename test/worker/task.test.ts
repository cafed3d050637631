import fc from 'fast-check';
import { createMemoryStateStore } from '../../src/adapters/memory/memory-state-store.ts';
import type { StateStore } from '../../src/ports/state-store.ts';
import { RowReader, writeVarint } from '../../src/serde/varint.ts';
import { noCounts, type ResumePoint } from '../../src/worker/checkpoint.ts';
import { deadLetterKeyPrefix, StoreUnusable } from '../../src/worker/task.ts';
import type { TaskCommit } from '../../src/worker/task-commit.ts';
import { PoisonRecord, type Topology } from '../../src/worker/topology.ts';
import type { Row, RowCodec } from '../../src/worker/versioned-rows.ts';
import { openTask, rowsOf, TestLog } from '../support/topology-driver.ts';

interface Tally {
  count: number;
}

const tallyCodec: RowCodec<Tally> = {
  create: () => ({ count: 0 }),
  decode: (bytes) => ({ count: new RowReader(bytes).varint() }),
  maxEncodedBytes: () => 8,
  encode: (row, target, at) => writeVarint(target, row.count, at),
};

/** Counts records by key; `poison` can never be folded. The smallest topology there is: the worker must not need more. */
const counting: Topology = {
  name: 'counting',
  version: 1,
  createProcessor(rows) {
    const tallies = rows.rows(tallyCodec);
    const cache = new Map<string, Row<Tally>>();
    return {
      process(record) {
        const text = record.value.toString();
        if (text === 'poison') throw new PoisonRecord('poison');
        const row = cache.get(record.key) ?? tallies.open(record.key);
        cache.set(record.key, row);
        if (tallies.begin(row, record.offset)) row.state.count++;
        return Number(text);
      },
      committed() {
        for (const [key, row] of cache) if (tallies.isStored(row)) cache.delete(key);
      },
    };
  },
};

async function countsOf(store: StateStore): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const [key, hex] of await rowsOf(store)) {
    counts[key] = new RowReader(Buffer.from(hex, 'hex').subarray(8)).varint();
  }
  return counts;
}

describe('a task', () => {
  it('folds each effective record once and remembers where it stands', async () => {
    const store = createMemoryStateStore();
    const log = new TestLog();
    for (const key of ['a', 'b', 'a']) log.append(key, '1');
    const task = await openTask({ topology: counting, store });
    task.fold(log.from(0));
    await task.commit();
    expect(await countsOf(store)).toEqual({ a: 2, b: 1 });
    expect(task.status()).toMatchObject({ nextOffset: 3, committedOffset: 3, counts: { folded: 3, duplicates: 0 } });
  });

  it('lets a record written twice count once, also after a restart', async () => {
    const store = createMemoryStateStore();
    const log = new TestLog();
    log.append('a', '1');
    log.append('a', '1');
    log.appendAgain(0);
    const before = await openTask({ topology: counting, store });
    before.fold(log.from(0));
    await before.commit();
    log.appendAgain(1);
    log.append('a', '1');
    const after = await openTask({ topology: counting, store });
    after.fold(log.from(after.status().nextOffset));
    await after.commit();
    expect(await countsOf(store)).toEqual({ a: 3 });
    expect(after.status().counts).toMatchObject({ folded: 3, duplicates: 2, gaps: 0 });
  });

  it('tells of a gap in a sequence and counts what came after it', async () => {
    const store = createMemoryStateStore();
    const log = new TestLog();
    log.append('a', '1', 'p', 0);
    log.append('a', '1', 'p', 5);
    const task = await openTask({ topology: counting, store });
    task.fold(log.from(0));
    expect(task.status().counts).toMatchObject({ folded: 2, gaps: 1 });
  });

  it('does not let one forged sequence silence its producer', async () => {
    const store = createMemoryStateStore();
    const log = new TestLog();
    log.append('a', '1', 'p', 0);
    log.append('a', '1', 'p', Number.MAX_SAFE_INTEGER);
    log.append('a', '1', 'p', 1);
    const task = await openTask({ topology: counting, store });
    task.fold(log.from(0));
    await task.commit();
    expect(await countsOf(store)).toEqual({ a: 2 });
    expect(task.status().counts).toMatchObject({ folded: 2, deadLetters: 1 });
  });

  it('buries poison once, where it stood, without raising the watermark', async () => {
    const store = createMemoryStateStore();
    const log = new TestLog();
    log.append('a', 'poison', 'p', 0);
    log.append('a', '1', 'p', 0);
    const task = await openTask({ topology: counting, store });
    task.fold(log.from(0));
    await task.commit();
    expect(await countsOf(store)).toEqual({ a: 1 });
    const [letter, ...others] = await store.range({ gte: deadLetterKeyPrefix, lt: '!y', limit: 10 });
    expect(others).toEqual([]);
    expect(letter?.[0]).toBe('!x/0000000000000000');
    expect(JSON.parse(Buffer.from(letter?.[1] ?? []).toString())).toMatchObject({
      reason: 'poison',
      key: 'a',
      bytes: 6,
    });
  });

  it('buries what no producer of ours wrote, without judging its identity', async () => {
    const store = createMemoryStateStore();
    const log = new TestLog();
    log.append('a', '1', 'p', 0);
    log.append('a', '1', 'p', 1);
    const task = await openTask({ topology: counting, store });
    task.fold(log.from(0).map((record) => (record.offset === 0 ? { ...record, invalid: 'wrong checksum' } : record)));
    await task.commit();
    expect(await countsOf(store)).toEqual({ a: 1 });
    expect(task.status().counts).toMatchObject({ folded: 1, gaps: 1, deadLetters: 1 });
  });

  it('refuses a hole in the offsets', async () => {
    const log = new TestLog();
    for (let i = 0; i < 3; i++) log.append('a', '1');
    const task = await openTask({ topology: counting, store: createMemoryStateStore() });
    task.fold(log.from(0, 1));
    expect(() => task.fold(log.from(2))).toThrow('expected offset 1');
  });

  it('forgets producers that were silent for longer than journals are kept', async () => {
    const store = createMemoryStateStore();
    const log = new TestLog();
    log.append('a', '1000', 'old');
    log.append('a', '5000', 'new');
    const task = await openTask({ topology: counting, store, producerSilenceMs: 3_000 });
    task.fold(log.from(0));
    await task.commit();
    expect(task.status().producers).toBe(1);
    expect((await rowsOf(store, true)).has('!p/old')).toBe(false);
    const reopened = await openTask({ topology: counting, store });
    expect(reopened.status().producers).toBe(1);
  });

  it('skips what a row already contains when a store holds rows beyond its checkpoint', async () => {
    const log = new TestLog();
    for (let i = 0; i < 4; i++) log.append('a', '1');
    const early = createMemoryStateStore();
    const late = createMemoryStateStore();
    for (const [store, count] of [
      [early, 2],
      [late, 4],
    ] as const) {
      const task = await openTask({ topology: counting, store });
      task.fold(log.from(0, count));
      await task.commit();
    }
    const row = late.getSync('a');
    if (row === undefined) throw new Error('the row is there');
    const restore = early.batch();
    restore.put('a', row);
    await restore.write();
    const task = await openTask({ topology: counting, store: early });
    task.fold(log.from(task.status().nextOffset));
    await task.commit();
    expect(await rowsOf(early)).toEqual(await rowsOf(late));
  });

  it.each([
    ['another log', { logId: 'other' }, 'another log'],
    ['another topology', { topology: 'counting@2' }, 'counting@2'],
    ['another partition', { partition: 7 }, 'partition 7'],
    ['a log that went further', { nextOffset: 1_000 }, 'ahead of the log'],
  ])('refuses a store of %s', async (_what, change, reason) => {
    const store = createMemoryStateStore();
    const log = new TestLog();
    log.append('a', '1');
    const task = await openTask({ topology: counting, store });
    task.fold(log.from(0));
    await task.commit();
    const checkpoint = JSON.parse(Buffer.from(store.getSync('!checkpoint') ?? []).toString());
    const batch = store.batch();
    batch.put('!checkpoint', Buffer.from(JSON.stringify({ ...checkpoint, ...change })));
    await batch.write();
    const reopened = openTask({ topology: counting, store, logEndOffset: 10 });
    await expect(reopened).rejects.toThrow(StoreUnusable);
    await expect(reopened).rejects.toThrow(reason);
  });

  it('refuses a store with rows and no checkpoint', async () => {
    const store = createMemoryStateStore();
    const batch = store.batch();
    batch.put('a', Buffer.alloc(9));
    await batch.write();
    await expect(openTask({ topology: counting, store })).rejects.toThrow(StoreUnusable);
  });

  it('can be read only when the log is folded as far as it went at the opening', async () => {
    const log = new TestLog();
    for (let i = 0; i < 3; i++) log.append('a', '1');
    const task = await openTask({ topology: counting, store: createMemoryStateStore(), logEndOffset: 3 });
    task.fold(log.from(0, 2));
    await task.commit();
    expect(task.status().state).toBe('catching-up');
    task.fold(log.from(2));
    await task.commit();
    expect(task.status().state).toBe('running');
  });

  it('where tasks move, begins where it is told, tells of each commit, and keeps no watermark or dead letter in the store', async () => {
    const store = createMemoryStateStore();
    const log = new TestLog();
    for (let i = 0; i < 4; i++) log.append('a', '1');
    log.append('a', 'poison');
    const ahead = await openTask({ topology: counting, store });
    ahead.fold(log.from(0, 3));
    await ahead.commit();
    const before = await rowsOf(store);

    const commits: TaskCommit[] = [];
    const resume: ResumePoint = {
      nextOffset: 1,
      streamTimeMs: 1,
      counts: noCounts,
      watermarks: new Map([['p1', [0, 1]]]),
    };
    const empty = createMemoryStateStore();
    const batch = empty.batch();
    batch.put('a', Buffer.from(before.get('a') ?? '', 'hex'));
    await batch.write();
    const shared = { resume, onCommit: (commit: TaskCommit) => commits.push(commit) };
    const task = await openTask({ topology: counting, store: empty, shared });
    task.fold(log.from(1, 2));
    await task.commit();
    // The row had both records already: it is told again all the same.
    expect(commits[0]).toMatchObject({ nextOffset: 3, watermarks: new Map([['p1', [2, 1]]]), deadLetters: [] });
    const told = [...(commits[0]?.rows ?? [])];
    expect(told.map(([key, value]) => [key, Buffer.from(value).toString('hex')])).toEqual([...before]);
    task.fold(log.from(3));
    await task.close();
    expect(commits[1]?.deadLetters).toMatchObject([{ offset: 4, reason: 'poison', key: 'a', bytes: 6 }]);
    expect(await countsOf(empty)).toEqual({ a: 4 });
    expect([...(await rowsOf(empty, true)).keys()]).toEqual(['!checkpoint', 'a']);
  });

  it('refuses a store that was restored from a changelog, where it is the only owner', async () => {
    const store = createMemoryStateStore();
    const batch = store.batch();
    batch.put('!changelog', '{}');
    await batch.write();
    await expect(openTask({ topology: counting, store })).rejects.toThrow(StoreUnusable);
  });

  it('counts like an oracle, whatever is duplicated, poisoned, committed or lost in a crash', async () => {
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          what: fc.constant('visit' as const),
          key: fc.constantFrom('a', 'b', 'c'),
          by: fc.constantFrom('p', 'q'),
        }),
      },
      { weight: 2, arbitrary: fc.record({ what: fc.constant('again' as const), which: fc.nat() }) },
      { weight: 1, arbitrary: fc.record({ what: fc.constant('poison' as const) }) },
      {
        weight: 2,
        arbitrary: fc.record({ what: fc.constant('fold' as const), count: fc.integer({ min: 1, max: 5 }) }),
      },
      { weight: 1, arbitrary: fc.record({ what: fc.constant('commit' as const) }) },
      { weight: 1, arbitrary: fc.record({ what: fc.constant('crash' as const) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const store = createMemoryStateStore();
        const log = new TestLog();
        const expected: Record<string, number> = {};
        let task = await openTask({ topology: counting, store });
        for (const action of steps) {
          if (action.what === 'visit') {
            log.append(action.key, '1', action.by);
            expected[action.key] = (expected[action.key] ?? 0) + 1;
          } else if (action.what === 'again' && log.records.length > 0)
            log.appendAgain(action.which % log.records.length);
          else if (action.what === 'poison') log.append('a', 'poison', 'hostile');
          else if (action.what === 'fold') task.fold(log.from(task.status().nextOffset, action.count));
          else if (action.what === 'commit') await task.commit();
          else if (action.what === 'crash') task = await openTask({ topology: counting, store });
        }
        task.fold(log.from(task.status().nextOffset));
        await task.close();
        expect(await countsOf(store)).toEqual(expected);
      }),
      { numRuns: 400 },
    );
  });
});
