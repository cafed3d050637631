import { runManySeeds } from './many-seeds.ts';
import { Simulation } from './simulation.ts';

describe('a partition that moves between instances', () => {
  it('counts each visit once, whatever fails and whenever', async () => {
    await expect(runManySeeds(5_000)).resolves.toBeUndefined();
  }, 240_000);

  it('does the same again for the same seed', async () => {
    const endOf = async (seed: number): Promise<unknown> => {
      const simulation = new Simulation(seed);
      const happened = await simulation.run();
      const { scheduler, changelog } = simulation;
      return { happened, steps: scheduler.steps, nowMs: scheduler.nowMs, records: changelog.records };
    };
    for (let seed = 1; seed <= 20; seed++) expect(await endOf(seed)).toEqual(await endOf(seed));
  });
});
