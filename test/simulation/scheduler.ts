/**
 * Time of a simulated world: every wait of the code under test ends when the scheduler says so, in an order that a seed decides.
 * Nothing waits for real time; between two events only promises that can go on do so.
 */
import { createSeededRandom, type SeededRandom } from '../support/seeded-random.ts';

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
  isCancelled: boolean;
}

export class Scheduler {
  readonly random: SeededRandom;
  nowMs = 0;
  /** Events that were run. */
  steps = 0;
  private readonly events: Event[] = [];
  private scheduled = 0;
  private hasDelivered = false;

  constructor(seed: number) {
    this.random = createSeededRandom(seed);
  }

  /** Runs `run` after `delayMs`; the function returned takes it back. */
  after(delayMs: number, run: () => void): () => void {
    const event: Event = { atMs: this.nowMs + delayMs, order: this.scheduled++, run, isCancelled: false };
    this.insert(event);
    return () => {
      event.isCancelled = true;
    };
  }

  /** Says that code of the tested program may go on because of this event. */
  delivers(): void {
    this.hasDelivered = true;
  }

  chance(probability: number): boolean {
    return this.random.next() < probability;
  }

  between(low: number, high: number): number {
    return low + this.random.below(high - low + 1);
  }

  /** Runs events until `isDone`. Throws when that takes more than `stepsMax` events or none is left. */
  async runUntil(isDone: () => boolean, stepsMax: number): Promise<void> {
    const lastStep = this.steps + stepsMax;
    for (;;) {
      if (isDone()) return;
      let event = this.events.pop();
      if (event === undefined) {
        await turn();
        event = this.events.pop();
        if (event === undefined) {
          if (isDone()) return;
          throw new Error(`nothing can happen any more at ${this.nowMs} ms`);
        }
      }
      if (event.isCancelled) continue;
      if (++this.steps > lastStep) throw new Error(`no end after ${stepsMax} events, at ${this.nowMs} ms`);
      this.nowMs = event.atMs;
      event.run();
      if (this.hasDelivered) {
        this.hasDelivered = false;
        await turn();
      }
    }
  }

  /** Latest first, so that the next one is at the end. */
  private insert(event: Event): void {
    const { events } = this;
    let low = 0;
    let high = events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = events[middle] as Event;
      if (other.atMs > event.atMs || (other.atMs === event.atMs && other.order > event.order)) low = middle + 1;
      else high = middle;
    }
    events.splice(low, 0, event);
  }
}

/** Lets every promise that can go on do so: ticks come after all of those. */
function turn(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
