/** Waiting comes in through this door, as time does through `Clock`: tests and simulations decide when it is over. */
export interface Timer {
  /** Calls `callback` once, `delayMs` from now at the earliest; the function returned takes that back. */
  after(delayMs: number, callback: () => void): () => void;
}
