/** Runs many simulations, one after another, and sees to it that they were not all harmless. */
import { chosenSeed } from '../support/seeded-random.ts';
import { type Happening, Simulation } from './simulation.ts';

/** What must have happened in any few thousand runs: else they prove nothing. */
const mustHappen: readonly Happening[] = [
  'killed',
  'disk lost',
  'disk rolled back',
  'paused',
  'stopped gracefully',
  'fenced',
  'two owners at once',
  'stale value rewritten',
  'stale record met by an owner',
  'own resend recognised',
  'duplicate skipped',
  'record skipped by version',
  'takeover with newer rows',
  'takeover with a value to rewrite',
  'folded anew for want of trust',
  'checkpoint that does not count',
  'compacted',
  'barrier taken away',
  'producer forgotten',
  'dead letter sent',
  'redis emptied',
  'outage',
  'night',
];

/**
 * With `SEED` set, that one alone; else `count` seeds from a random one on. Throws what was wrong with the seed that shows it, and tells
 * what happened never.
 */
export async function runManySeeds(count: number): Promise<void> {
  const first = chosenSeed();
  const seeds = process.env['SEED'] === undefined ? count : 1;
  const happened = new Set<Happening>();
  for (let seed = first; seed < first + seeds; seed++) {
    try {
      for (const what of await new Simulation(seed, { isHaunted: seed % 4 === 0 }).run()) happened.add(what);
    } catch (error) {
      throw new Error(`run again with SEED=${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
  const missing = mustHappen.filter((what) => !happened.has(what));
  if (seeds > 1 && missing.length > 0) {
    throw new Error(`in ${seeds} runs from seed ${first} on this never happened: ${missing.join(', ')}`);
  }
}
