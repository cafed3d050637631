import { createLinkHistory } from '../../src/queries/link-history.ts';
import { type LinkTableWorld, openLinkTableWorld } from '../support/link-table-world.ts';

describe('the history of a link', () => {
  let world: LinkTableWorld;

  beforeEach(async () => {
    world = await openLinkTableWorld();
  });

  afterEach(async () => {
    await world.close();
  });

  it('names what each event changed, field by field', async () => {
    const history = createLinkHistory({ linkTable: world.table() });
    await world.create('abc', { url: 'https://one.example/', tags: ['a'] });
    await world.write(
      'abc',
      { type: 'LinkChanged', changes: { url: 'https://two.example/', tags: ['a'] } },
      { expectedVersion: 1 },
    );
    await world.write('abc', { type: 'LinkDisabled' }, { expectedVersion: 2 });
    await world.write('abc', { type: 'LinkDeleted' }, { expectedVersion: 3, at: 5000 });

    const { events, nextOffset } = (await history('abc', -1, 10)) ?? { events: [], nextOffset: 0 };
    expect(events.map(({ event, version, changes }) => [event.type, version, changes])).toEqual([
      ['LinkCreated', 1, { url: { from: null, to: 'https://one.example/' }, tags: { from: [], to: ['a'] } }],
      ['LinkChanged', 2, { url: { from: 'https://one.example/', to: 'https://two.example/' } }],
      ['LinkDisabled', 3, { disabled: { from: false, to: true } }],
      ['LinkDeleted', 4, { deletedAt: { from: null, to: 5000 } }],
    ]);
    expect(nextOffset).toBeNull();
  });

  it('says of a rejected event what it would have changed, and goes on from the state that stayed', async () => {
    const history = createLinkHistory({ linkTable: world.table() });
    await world.create('abc', { note: 'first' });
    await world.create('abc', { url: 'https://other.example/' });
    await world.write('abc', { type: 'LinkChanged', changes: { note: 'lost' } }, { expectedVersion: 7 });
    await world.write('abc', { type: 'LinkChanged', changes: { note: 'won' } }, { expectedVersion: 1 });

    const events = (await history('abc', 0, 10))?.events ?? [];
    expect(events.map(({ effective, changes }) => [effective, changes])).toEqual([
      [
        false,
        { url: { from: 'https://example.com/', to: 'https://other.example/' }, note: { from: 'first', to: null } },
      ],
      [false, { note: { from: 'first', to: 'lost' } }],
      [true, { note: { from: 'first', to: 'won' } }],
    ]);
  });

  it('comes in pages and is undefined for a code that never had a link', async () => {
    const history = createLinkHistory({ linkTable: world.table() });
    await world.create('abc');
    for (let version = 1; version < 6; version += 1) {
      await world.write('abc', { type: 'LinkChanged', changes: { note: `n${version}` } }, { expectedVersion: version });
    }
    const versions: number[] = [];
    let pages = 0;
    for (let after: number | null = -1; after !== null; pages += 1) {
      const page = await history('abc', after, 2);
      versions.push(...(page?.events ?? []).map(({ version }) => version));
      after = page?.nextOffset ?? null;
    }
    expect([versions, pages]).toEqual([[1, 2, 3, 4, 5, 6], 3]);
    expect(await history('nobody', -1, 2)).toBeUndefined();
  });
});
