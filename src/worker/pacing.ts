/**
 * How long records are gathered before they go on together, to the store or to the shared log. A step costs more than a record in it: few
 * records are not held back, and the faster they come the longer they are gathered, so that a loaded instance spends its time on
 * records and not on steps.
 */

export interface Pace {
  /** Never shorter than this, which a lone record after a pause does not notice; ms. */
  readonly shortestMs: number;
  /** Never longer, however fast records come; ms. */
  readonly longestMs: number;
  /** How many loops share what there is of the processor, each with about as many records. */
  readonly loops: number;
}

/** Gathering time for each record that all loops together get in a second: 500 ms at 20,000 a second, 25 ms at 1,000. */
const msPerRecordASecond = 0.025;

/**
 * How long after the step before `records` go on, if no more of them come. Of records that come at an even rate, this many milliseconds
 * bring so many that it is `msPerRecordASecond` times that rate: t = m · loops · records / t.
 */
export function gatheringMs(records: number, { shortestMs, longestMs, loops }: Pace): number {
  const gatheredMs = Math.sqrt(msPerRecordASecond * 1_000 * loops * records);
  return Math.min(longestMs, Math.max(shortestMs, gatheredMs));
}
