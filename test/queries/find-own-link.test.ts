import { createFindOwnLink } from '../../src/queries/find-own-link.ts';
import { type LinkTableWorld, openLinkTableWorld } from '../support/link-table-world.ts';

const url = 'https://example.com/page';

describe("a URL's own link", () => {
  let world: LinkTableWorld;
  const find = () =>
    createFindOwnLink({ linkTable: world.table(), ownCodes: () => ['own0', 'own1', 'own2', 'own3'] })(url)?.code;

  beforeEach(async () => {
    world = await openLinkTableWorld();
  });

  afterEach(async () => {
    await world.close();
  });

  it('is undefined while there is none', async () => {
    await world.create('elsewhere', { url });
    expect(find()).toBeUndefined();
  });

  it('is the newest on the walk, deleted or not', async () => {
    await world.create('own0', { url });
    expect(find()).toBe('own0');
    await world.write('own0', { type: 'LinkDeleted' }, { expectedVersion: 1 });
    expect(find()).toBe('own0');
    await world.create('own1', { url });
    expect(find()).toBe('own1');
  });

  it('is found when it leads elsewhere by now', async () => {
    await world.create('own0', { url });
    await world.write(
      'own0',
      { type: 'LinkChanged', changes: { url: 'https://moved.example/' } },
      { expectedVersion: 1 },
    );
    expect(find()).toBe('own0');
  });

  it('walks past an alias and past the own link of another URL, and stops at a free code', async () => {
    await world.create('own0', { url, kind: 'alias' });
    await world.create('own1', { url: 'https://collision.example/' });
    await world.create('own3', { url });
    expect(find()).toBeUndefined();
    await world.create('own2', { url: 'https://another.example/' });
    expect(find()).toBe('own3');
  });
});
