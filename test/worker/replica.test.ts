import { ChangelogForeign } from '../../src/worker/replica.ts';
import { StoreUnusable } from '../../src/worker/task.ts';
import { aBarrier, aCheckpoint, aRow, createChangelogWorld } from '../support/changelog-world.ts';

describe('a replica', () => {
  it('keeps the newest value of each key, in whatever order they come', async () => {
    const world = createChangelogWorld();
    world.changelog.put([aRow('a', 5), aRow('b', 7), aRow('a', 3), aRow('b', 7), aRow('c', 1)], 0, 0);
    await world.replicate();
    expect(await world.rows()).toEqual(['a@5', 'b@7', 'c@1']);
  });

  it('goes on where its store stands', async () => {
    const world = createChangelogWorld();
    world.changelog.put([aBarrier('one')], -1, 0);
    world.changelog.put([aRow('a', 1), aCheckpoint(2, 2)], 0, 0);
    await world.replicate();
    world.changelog.put([aRow('a', 4)], 0, 1);
    const replica = await world.openReplica();
    expect(replica.status()).toMatchObject({ nextOffset: 3, endOffset: 4, lag: 1, checkpointOffset: 2 });
    await replica.catchUp(4);
    expect(replica.status()).toMatchObject({ lag: 0, checkpointOffset: 2 });
    expect(replica.findings().position.barriers).toEqual([['one', 0]]);
    expect(await world.rows()).toEqual(['a@4']);
  });

  it('follows what comes, until it is told to stop', async () => {
    const world = createChangelogWorld();
    const replica = await world.openReplica();
    const following = replica.follow().catch((error: Error) => error.name);
    await world.timer.advance(1);
    world.changelog.put([aRow('a', 1)], 0, 0);
    await world.timer.advance(1);
    expect(await world.rows()).toEqual(['a@1']);
    world.retry.interrupt.request();
    expect(await following).toBe('Interrupted');
  });

  it('takes the last checkpoint that stands where its owner expected it', async () => {
    const world = createChangelogWorld();
    world.changelog.put([aCheckpoint(0, 40)], 0, 0);
    world.changelog.put([aCheckpoint(1, 30, { p: [3, 9] })], 0, 1);
    world.changelog.put([aCheckpoint(1, 50)], 0, 2);
    const { checkpoint } = (await world.replicate()).findings();
    expect(checkpoint).toMatchObject({ nextOffset: 30, watermarks: new Map([['p', [3, 9]]]) });
  });

  it('notes a key that was last written by a stale owner until the next checkpoint, also over a restart', async () => {
    const world = createChangelogWorld();
    world.changelog.put([aRow('a', 5), aRow('b', 5)], 3, 0);
    world.changelog.put([aCheckpoint(2, 6)], 3, 1, world.timer.nowMs());
    world.changelog.put([aRow('a', 4), aRow('b', 5)], 1, 9);
    await world.replicate();
    const restarted = await world.openReplica();
    expect([...restarted.findings().stale]).toEqual([['a', 'behind']]);
    world.changelog.put([aCheckpoint(5, 6)], 3, 2);
    await restarted.catchUp(6);
    expect(restarted.findings().stale.size).toBe(0);
    expect((await world.replicate()).findings().stale.size).toBe(0);
  });

  it('believes a stale value that nothing newer stands beside only while it is young', async () => {
    const world = createChangelogWorld();
    const nowMs = world.timer.nowMs();
    world.changelog.put([aCheckpoint(0, 6)], 3, 1);
    world.changelog.put([aRow('young', 4)], 1, 9, nowMs - 900);
    world.changelog.put([aRow('old', 4)], 1, 9, nowMs - 1_100);
    world.changelog.put([aRow('ageless', 4), aRow('healed', 4)], 1, 9);
    world.changelog.put([aRow('healed', 4)], 3, 2);
    const { stale } = (await world.replicate()).findings();
    expect([...stale]).toEqual([
      ['old', 'untrusted'],
      ['ageless', 'untrusted'],
    ]);
  });

  it.each([
    ['in time', 999, 'behind'],
    ['too late', 1_000, 'untrusted'],
  ])('knows what an old stale value hides if it came to the checkpoint %s', async (_when, ageMs, mark) => {
    const world = createChangelogWorld();
    world.changelog.put([aRow('a', 7), aRow('b', 4)], 3, 0, 0);
    world.changelog.put([aCheckpoint(2, 8)], 3, 1, world.timer.nowMs() - ageMs);
    await world.replicate();
    world.changelog.put([aRow('a', 4), aRow('b', 4)], 1, 9, 0);
    const expected = [['a', mark], ...(mark === 'untrusted' ? [['b', mark]] : [])];
    expect([...(await world.replicate()).findings().stale]).toEqual(expected);
  });

  it('does not forget that a value may be hidden when a young one of another stale owner comes', async () => {
    const world = createChangelogWorld();
    world.changelog.put([aCheckpoint(0, 6)], 3, 1);
    world.changelog.put([aRow('a', 3)], 1, 8);
    world.changelog.put([aRow('a', 4)], 1, 9, world.timer.nowMs());
    expect([...(await world.replicate()).findings().stale]).toEqual([['a', 'untrusted']]);
  });

  it('asks again for a record that came changed', async () => {
    const world = createChangelogWorld();
    world.changelog.put([aRow('a', 1)], 0, 0);
    world.changelog.brokenReads = 3;
    const replica = await world.replicate();
    expect(await world.rows()).toEqual(['a@1']);
    expect(replica.status().damagedRecords).toBe(0);
  });

  it('counts a record that stays damaged, and leaves out what none of ours wrote', async () => {
    const world = createChangelogWorld();
    world.changelog.put([aRow('a', 1), aRow('b', 1), aRow('c', 1)], 0, 0);
    const [damaged, foreign] = world.changelog.records;
    if (damaged === undefined || foreign === undefined) throw new Error('they were put');
    world.changelog.records[0] = { ...damaged, invalid: 'checksum' };
    world.changelog.records[1] = { ...foreign, epoch: -1, invalid: 'no headers' };
    const replica = await world.replicate();
    expect(await world.rows()).toEqual(['c@1']);
    expect(replica.status()).toMatchObject({ damagedRecords: 1, foreignRecords: 1 });
    expect((await world.openReplica()).status().damagedRecords).toBe(1);
  });

  it('refuses a store that knows more than the changelog, or was not made from one', async () => {
    const world = createChangelogWorld();
    world.changelog.put([aRow('a', 1)], 0, 0);
    await world.replicate();
    const emptied = createChangelogWorld(world.store);
    const replica = await emptied.openReplica();
    await expect(replica.catchUp(5)).rejects.toThrow(StoreUnusable);

    const embedded = createChangelogWorld();
    const batch = embedded.store.batch();
    batch.put('a', Buffer.alloc(9));
    await batch.write();
    await expect(embedded.openReplica()).rejects.toThrow('not restored from a changelog');
  });

  it('halts at a changelog of another log', async () => {
    const world = createChangelogWorld();
    world.changelog.put([aBarrier('theirs', 'log-2')], -1, 0);
    await expect(world.replicate()).rejects.toThrow(ChangelogForeign);
  });
});
