/** Time comes in through this door: nothing below `composition/` reads a clock of its own. */
export interface Clock {
  /** Wall-clock time in milliseconds since the Unix epoch, UTC. May jump in both directions. */
  nowMs(): number;
  /** Milliseconds from an arbitrary origin; never falls. For durations and deadlines. */
  monotonicMs(): number;
}
