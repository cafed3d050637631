import type { Link } from '../../src/domain/link.ts';
import { isRefusal, type Refusal } from '../../src/domain/refusal.ts';
import { LogUnavailable } from '../../src/ports/event-log.ts';
import { encodeLinkEvent } from '../../src/serde/link-event.ts';
import { aNewLink, type CommandBench, createCommandBench } from '../support/command-bench.ts';
import { anEvent } from '../support/link-builders.ts';
import { until } from '../support/until.ts';

const code = 'summer';

async function benchWithLink(): Promise<CommandBench> {
  const bench = createCommandBench();
  await bench.createLink(aNewLink({ alias: code, tags: ['a'], note: 'n' }), bench.context());
  return bench;
}

function expectLink(result: Link | Refusal): Link {
  if (isRefusal(result)) throw new Error(`refused: ${JSON.stringify(result)}`);
  return result;
}

describe('changing a link', () => {
  it('changes what is named and raises the version', async () => {
    const bench = await benchWithLink();
    bench.time.nowMs += 5;
    const link = expectLink(
      await bench.changeLink(code, { url: 'https://other.example/', note: null }, bench.context()),
    );
    expect(link).toMatchObject({ code, version: 2, url: 'https://other.example/', note: null, tags: ['a'] });
    expect(link.updatedAt).toBe(link.createdAt + 5);
  });

  it('is one event also when the status changes with it', async () => {
    const bench = await benchWithLink();
    expect(await bench.changeLink(code, { note: 'm', status: 'disabled' }, bench.context())).toMatchObject({
      version: 2,
      note: 'm',
      disabled: true,
    });
    expect(await bench.changeLink(code, { status: 'active' }, bench.context())).toMatchObject({ disabled: false });
    expect((await bench.table.history(code, -1, 10)).map(({ event }) => event.type)).toEqual([
      'LinkCreated',
      'LinkChanged',
      'LinkEnabled',
    ]);
  });

  it('to what it is already writes nothing', async () => {
    const bench = await benchWithLink();
    const before = bench.table.find(code);
    expect(await bench.changeLink(code, { tags: ['a'], note: 'n', status: 'active' }, bench.context())).toBe(before);
    expect(await bench.changeLink(code, {}, bench.context({ expectedVersion: 1 }))).toBe(before);
    expect(bench.log.size).toBe(1);
  });

  it('that never was, or is deleted, is refused', async () => {
    const bench = await benchWithLink();
    expect(await bench.changeLink('nowhere', { note: 'x' }, bench.context())).toEqual({
      refusal: 'link-not-found',
      code: 'nowhere',
    });
    await bench.deleteLink(code, bench.context());
    const refused = { refusal: 'link-deleted', code, deletedAt: bench.time.nowMs };
    expect(await bench.changeLink(code, { note: 'x' }, bench.context())).toEqual(refused);
    expect(await bench.changeLink(code, { note: 'x' }, bench.context({ expectedVersion: 1 }))).toEqual(refused);
  });

  it('of another version than expected is refused, also when nothing would change', async () => {
    const bench = await benchWithLink();
    await bench.changeLink(code, { note: 'x' }, bench.context({ expectedVersion: 1 }));
    const refused = { refusal: 'version-mismatch', expected: 1, actual: 2 };
    expect(await bench.changeLink(code, { note: 'y' }, bench.context({ expectedVersion: 1 }))).toEqual(refused);
    expect(await bench.changeLink(code, { note: 'x' }, bench.context({ expectedVersion: 1 }))).toEqual(refused);
    expect(bench.log.size).toBe(2);
  });
});

describe('two changes at once', () => {
  it('without an expected version both take effect, the loser after another try', async () => {
    const bench = await benchWithLink();
    const release = bench.log.holdFolding();
    const results = [
      bench.changeLink(code, { note: 'first' }, bench.context()),
      bench.anotherInstance().changeLink(code, { tags: ['second'] }, bench.context()),
    ];
    await until(() => bench.log.size === 3, 'both had decided');
    release();
    await Promise.all(results);
    expect(bench.table.find(code)).toMatchObject({ version: 3, note: 'first', tags: ['second'] });
    expect((await bench.table.history(code, -1, 10)).map(({ effective }) => effective)).toEqual([
      true,
      true,
      false,
      true,
    ]);
  });

  it('with the same expected version have one winner', async () => {
    const bench = await benchWithLink();
    const release = bench.log.holdFolding();
    const results = ['first', 'second'].map((note) =>
      bench.changeLink(code, { note }, bench.context({ expectedVersion: 1 })),
    );
    await until(() => bench.log.size === 3, 'both had decided');
    release();
    expect(await Promise.all(results)).toEqual([
      expect.objectContaining({ version: 2, note: 'first' }),
      { refusal: 'version-mismatch', expected: 1, actual: 2 },
    ]);
  });

  it('that lose four times in a row give up, and say so again when repeated', async () => {
    const bench = await benchWithLink();
    const context = bench.context();
    let rivals = 0;
    bench.log.overtakenBy = () => {
      const expectedVersion = bench.table.find(code)?.version ?? 0;
      const fact = { type: 'LinkChanged', changes: { note: `rival ${rivals}` } } as const;
      const event = { ...anEvent(expectedVersion, fact), code, commandId: `rival-${rivals++}` };
      return [{ key: code, value: encodeLinkEvent(event) }];
    };
    expect(await bench.changeLink(code, { note: 'late' }, context)).toEqual({ refusal: 'lost-race', code });
    bench.log.overtakenBy = () => [];
    const appended = bench.log.size;
    expect(await bench.changeLink(code, { note: 'late' }, context)).toEqual({ refusal: 'lost-race', code });
    expect(bench.log.size).toBe(appended);
    expect(bench.table.find(code)).toMatchObject({ version: 5, note: 'rival 3' });
  });

  it('of many writers lose no update that was answered', async () => {
    const bench = await benchWithLink();
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) => bench.changeLink(code, { note: `note ${index}` }, bench.context())),
    );
    const answered = results.filter((result) => !isRefusal(result)).length;
    expect(answered).toBeGreaterThan(0);
    expect(bench.table.find(code)?.version).toBe(1 + answered);
  });

  it('deleting wins against a change that was decided before it', async () => {
    const bench = await benchWithLink();
    const release = bench.log.holdFolding();
    const deletion = bench.deleteLink(code, bench.context());
    const change = bench.changeLink(code, { note: 'late' }, bench.context());
    await until(() => bench.log.size === 3, 'both had decided');
    release();
    expect(expectLink(await deletion).deletedAt).not.toBeNull();
    expect(await change).toMatchObject({ refusal: 'link-deleted', code });
  });
});

describe('one change twice', () => {
  it('answers the first outcome again, also when its expected version has passed by it', async () => {
    const bench = await benchWithLink();
    const context = bench.context({ expectedVersion: 1 });
    const first = await bench.changeLink(code, { note: 'x' }, context);
    expect(await bench.changeLink(code, { note: 'x' }, context)).toEqual(first);
    expect(bench.log.size).toBe(2);
  });

  it('after an answer that was lost finds that it was effective', async () => {
    const bench = await benchWithLink();
    const context = bench.context();
    bench.log.plan.push('fails-written');
    await expect(bench.deleteLink(code, context)).rejects.toThrow(LogUnavailable);
    await until(() => bench.table.find(code)?.deletedAt !== null, 'the deletion was folded');
    expect(expectLink(await bench.deleteLink(code, context))).toMatchObject({ version: 2 });
    expect(bench.log.size).toBe(2);
  });

  it('is effective once even when the second was appended before the first was folded', async () => {
    const bench = await benchWithLink();
    const context = bench.context();
    const release = bench.log.holdFolding();
    const results = [
      bench.changeLink(code, { note: 'x' }, context),
      bench.anotherInstance().changeLink(code, { note: 'x' }, context),
    ];
    await until(() => bench.log.size === 3, 'both instances had decided');
    release();
    const [first, second] = await Promise.all(results);
    expect(second).toEqual(first);
    expect(bench.table.find(code)?.version).toBe(2);
  });

  it('under the id of another command is a bug and no answer', async () => {
    const bench = await benchWithLink();
    await bench.createLink(aNewLink({ alias: 'winter' }), bench.context());
    const context = bench.context();
    await bench.changeLink(code, { note: 'x' }, context);
    await expect(bench.changeLink('winter', { note: 'x' }, context)).rejects.toThrow('two different commands');
  });

  it('while the log takes no records decides nothing', async () => {
    const bench = await benchWithLink();
    bench.log.plan.push('fails-unwritten');
    await expect(bench.changeLink(code, { note: 'x' }, bench.context())).rejects.toThrow(LogUnavailable);
    expect(bench.table.find(code)).toMatchObject({ version: 1, note: 'n' });
  });
});

describe('deleting and restoring', () => {
  it('keep settings, status and history', async () => {
    const bench = await benchWithLink();
    await bench.changeLink(code, { status: 'disabled' }, bench.context());
    const deleted = expectLink(await bench.deleteLink(code, bench.context()));
    expect(deleted).toMatchObject({ version: 3, deletedAt: bench.time.nowMs, note: 'n' });
    const restored = expectLink(await bench.restoreLink(code, bench.context()));
    expect(restored).toMatchObject({ version: 4, deletedAt: null, disabled: true, note: 'n' });
    expect(await bench.table.history(code, -1, 10)).toHaveLength(4);
  });

  it('refuse what is not there to be done', async () => {
    const bench = await benchWithLink();
    expect(await bench.restoreLink(code, bench.context())).toEqual({ refusal: 'link-not-deleted', code });
    expect(await bench.deleteLink('nowhere', bench.context())).toEqual({ refusal: 'link-not-found', code: 'nowhere' });
    await bench.deleteLink(code, bench.context());
    expect(await bench.deleteLink(code, bench.context())).toMatchObject({ refusal: 'link-deleted', code });
    expect(await bench.deleteLink(code, bench.context({ expectedVersion: 7 }))).toMatchObject({
      refusal: 'link-deleted',
    });
    expect(await bench.restoreLink(code, bench.context({ expectedVersion: 7 }))).toEqual({
      refusal: 'version-mismatch',
      expected: 7,
      actual: 2,
    });
  });
});

describe('rolling back', () => {
  it('gives the settings and status of an earlier version again, as a new one', async () => {
    const bench = await benchWithLink();
    const first = bench.table.find(code);
    await bench.changeLink(code, { url: 'https://other.example/', tags: [] }, bench.context());
    await bench.changeLink(code, { status: 'disabled' }, bench.context());
    const back = expectLink(await bench.rollBackLink(code, 1, bench.context()));
    expect(back).toEqual({ ...first, version: 4, updatedAt: bench.time.nowMs });
    expect(await bench.rollBackLink(code, 3, bench.context())).toMatchObject({
      version: 5,
      url: 'https://other.example/',
      disabled: true,
    });
  });

  it('folds only what was effective', async () => {
    const bench = await benchWithLink();
    await Promise.all(
      ['b', 'c'].map((note) => bench.changeLink(code, { note }, bench.context({ expectedVersion: 1 }))),
    );
    await bench.changeLink(code, { note: 'd' }, bench.context());
    expect(await bench.rollBackLink(code, 2, bench.context())).toMatchObject({ version: 4, note: 'b' });
  });

  it('over a deletion gives what was there before it', async () => {
    const bench = await benchWithLink();
    await bench.deleteLink(code, bench.context());
    expect(await bench.rollBackLink(code, 1, bench.context())).toMatchObject({ refusal: 'link-deleted' });
    await bench.restoreLink(code, bench.context());
    await bench.changeLink(code, { note: 'x' }, bench.context());
    expect(await bench.rollBackLink(code, 2, bench.context())).toMatchObject({
      version: 5,
      note: 'n',
      deletedAt: null,
    });
  });

  it('to the version that is there writes nothing', async () => {
    const bench = await benchWithLink();
    expect(await bench.rollBackLink(code, 1, bench.context())).toMatchObject({ version: 1 });
    expect(bench.log.size).toBe(1);
  });

  it.each([0, -1, 2, 1.5, Number.NaN])('to version %d, which never was, is refused', async (version) => {
    const bench = await benchWithLink();
    expect(await bench.rollBackLink(code, version, bench.context())).toEqual({
      refusal: 'version-unknown',
      code,
      version,
    });
  });
});
