/**
 * The most frequent values of one dimension in bounded space. A new value takes the place of the rarest one, whose count goes
 * to `other`: so the sum is always exact, a value that comes at least twice in a while stays, and a stream of made-up values
 * only pushes out other made-up ones. (The replacement rule of Space-Saving, Metwally et al. 2005, but without its
 * overestimate: counts here are lower bounds and `other` is the rest.)
 */
export interface TopValues {
  readonly ids: number[];
  readonly counts: number[];
  other: number;
}

export function createTopValues(): TopValues {
  return { ids: [], counts: [], other: 0 };
}

/** Counts one more of `id`, keeping at most `capacity` values apart. */
export function countValue(values: TopValues, id: number, capacity: number): void {
  const { ids, counts } = values;
  const at = ids.indexOf(id);
  if (at >= 0) {
    counts[at] = (counts[at] as number) + 1;
    return;
  }
  if (ids.length < capacity) {
    ids.push(id);
    counts.push(1);
    return;
  }
  let rarest = 0;
  for (let i = 1; i < counts.length; i++) {
    if ((counts[i] as number) < (counts[rarest] as number)) rarest = i;
  }
  values.other += counts[rarest] as number;
  ids[rarest] = id;
  counts[rarest] = 1;
}
