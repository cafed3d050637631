/**
 * Limits what one client may do a minute: a token bucket per client, in memory. It bounds creations, and unknown codes
 * at the redirect door. It does not know who a client is: the caller gives the key.
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../ports/clock.ts';

export interface ClientLimiter {
  /** Takes one of the client's tokens. Returns 0 when there was one, else the whole seconds until there is. Synchronous. */
  take(clientKey: string): number;
}

interface Bucket {
  tokens: number;
  filledAtMs: number;
}

/** Clients remembered at once. Beyond it the one that was silent longest is forgotten, and starts with a full bucket. */
const clientsMax = 100_000;

/**
 * @param options.perMinute tokens that flow in a minute, null for no limit; twice as many can be saved up for a burst
 */
export function createClientLimiter(options: {
  readonly perMinute: number | null;
  readonly clock: Pick<Clock, 'monotonicMs'>;
}): ClientLimiter {
  const { perMinute, clock } = options;
  if (perMinute === null) return { take: () => 0 };
  const burst = perMinute * 2;
  const tokenMs = 60_000 / perMinute;
  const buckets = new LRUCache<string, Bucket>({ max: clientsMax });

  return {
    take(clientKey) {
      const nowMs = clock.monotonicMs();
      const bucket = buckets.get(clientKey) ?? { tokens: burst, filledAtMs: nowMs };
      bucket.tokens = Math.min(burst, bucket.tokens + (nowMs - bucket.filledAtMs) / tokenMs);
      bucket.filledAtMs = nowMs;
      buckets.set(clientKey, bucket);
      const waitSeconds = ((1 - bucket.tokens) * tokenMs) / 1000;
      // The tolerance keeps a token that is there but for rounding from costing a second.
      if (waitSeconds > 1e-6) return Math.ceil(waitSeconds - 1e-6);
      bucket.tokens -= 1;
      return 0;
    },
  };
}
