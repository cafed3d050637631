/** Random numbers that a seed repeats: a failing run is run again with `SEED=<the seed it printed>`. */
export interface SeededRandom {
  readonly seed: number;
  /** From 0 inclusive to 1 exclusive. */
  next(): number;
  /** A whole number from 0 inclusive to `limit` exclusive. */
  below(limit: number): number;
  pick<Value>(values: readonly Value[]): Value;
}

/** The seed of this run: `SEED` when it is set. */
export function chosenSeed(): number {
  const given = Number(process.env['SEED']);
  return Number.isSafeInteger(given) && given > 0 ? given : Math.floor(Math.random() * 2 ** 31) + 1;
}

/** Mulberry32: small, and good enough to place faults. */
export function createSeededRandom(seed: number): SeededRandom {
  let state = seed | 0;
  function next(): number {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  const below = (limit: number) => Math.floor(next() * limit);
  return {
    seed,
    next,
    below,
    pick(values) {
      const index = below(values.length);
      if (index >= values.length) throw new RangeError('there is nothing to pick from');
      return values[index] as (typeof values)[number];
    },
  };
}
