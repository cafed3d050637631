/** Tries again what an outage made impossible, with pauses that grow; everything else goes to the caller at once. */
import { ChangelogUnavailable } from '../ports/changelog.ts';
import { LogUnavailable } from '../ports/event-log.ts';
import type { Timer } from '../ports/timer.ts';
import type { Interrupt } from './interrupt.ts';

export interface RetryPolicy {
  readonly retryFirstMs: number;
  readonly retryMaxMs: number;
}

export interface RetryOptions {
  readonly timer: Timer;
  readonly interrupt: Interrupt;
  readonly policy: RetryPolicy;
  /** Called before each pause. */
  onOutage?(error: Error): void;
}

/**
 * Resolves with the outcome of the first attempt that the log and the changelog let through. Throws `Interrupted` when that is asked
 * for meanwhile: an attempt may then still have its effect.
 */
export async function retryOutages<Outcome>(options: RetryOptions, attempt: () => Promise<Outcome>): Promise<Outcome> {
  const { interrupt, timer, policy } = options;
  for (let pauseMs = policy.retryFirstMs; ; pauseMs = Math.min(pauseMs * 2, policy.retryMaxMs)) {
    try {
      return await interrupt.outcomeOf(attempt());
    } catch (error) {
      if (!isOutage(error)) throw error;
      options.onOutage?.(error);
    }
    await interrupt.rest(timer, pauseMs);
  }
}

export function isOutage(error: unknown): error is ChangelogUnavailable | LogUnavailable {
  return error instanceof ChangelogUnavailable || error instanceof LogUnavailable;
}
