import { runManySeeds } from './many-seeds.ts';

/** A file of its own, so that both processors have something to do. */
describe('a partition that moves between instances', () => {
  it('counts each visit once, with other seeds too', async () => {
    await expect(runManySeeds(5_000)).resolves.toBeUndefined();
  }, 240_000);
});
