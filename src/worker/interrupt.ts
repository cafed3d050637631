/**
 * Ends waits early: whatever a partition's worker waits for, it gives up when another wish comes. What was waited for goes on by
 * itself and nobody looks at its outcome, so only wait this way for what may happen or not.
 */
import type { Timer } from '../ports/timer.ts';

/** The wait was given up. Close what is open and look at what is wanted now. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

export class Interrupt {
  private readonly waiting = new Set<() => void>();
  private isRequested = false;

  get requested(): boolean {
    return this.isRequested;
  }

  /** Ends all waits, now and from now on. */
  request(): void {
    this.isRequested = true;
    for (const giveUp of [...this.waiting]) giveUp();
  }

  throwIfRequested(): void {
    if (this.isRequested) throw new Interrupted('the wait was given up');
  }

  /** The outcome of `work`; throws {@link Interrupted} when that is asked for first. */
  outcomeOf<Outcome>(work: Promise<Outcome>): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        this.waiting.delete(giveUp);
        reject(new Interrupted('the wait was given up'));
      };
      this.waiting.add(giveUp);
      work.then(
        (outcome) => {
          this.waiting.delete(giveUp);
          resolve(outcome);
        },
        (error: unknown) => {
          this.waiting.delete(giveUp);
          reject(error);
        },
      );
      if (this.isRequested) giveUp();
    });
  }

  /** Rests for `durationMs`; throws {@link Interrupted} when that is asked for first. */
  rest(timer: Timer, durationMs: number): Promise<void> {
    let cancel = (): void => undefined;
    const rested = new Promise<void>((resolve) => {
      cancel = timer.after(durationMs, resolve);
    });
    return this.outcomeOf(rested).finally(() => cancel());
  }
}
