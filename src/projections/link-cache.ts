/**
 * Links for an instance without a table: those that are asked for, for as long as they are fresh. What is not here is looked up
 * before a code may be called unknown, as a barrier in front of the door's answer; by then it is here, or there is no such link.
 */
import { LRUCache } from 'lru-cache';
import type { Link } from '../domain/link.ts';
import type { Clock } from '../ports/clock.ts';
import { LogUnavailable } from '../ports/event-log.ts';
import type { LinkBarrier } from '../ports/link-barrier.ts';
import type { LinkTable } from '../ports/link-table.ts';

export interface LinkCacheDeps {
  /** From the view that instances share; null = not there, which says nothing. A rejection is as good as null. */
  readonly findShared: (code: string) => Promise<Link | null>;
  /** From an instance that has the table; null = there is no such link. Rejects when none can be asked. */
  readonly ask: (code: string) => Promise<Link | null>;
  readonly clock: Clock;
  /** A change is seen after so long even if nobody told of it. Default 1,000. */
  readonly freshMs?: number;
  /** Default 50,000. */
  readonly linksMax?: number;
}

export interface LinkCache extends Pick<LinkTable, 'find'>, LinkBarrier {
  /** A link has a newer version; null = any may have one. */
  changed(change: { readonly code: string; readonly version: number } | null): void;
}

/** Codes that are looked up at once; a request for a further one is told to come again. */
const lookUpsMax = 10_000;

interface Cached {
  readonly link: Link;
  freshUntilMs: number;
}

export function createLinkCache(deps: LinkCacheDeps): LinkCache {
  const { clock, freshMs = 1_000, linksMax = 50_000 } = deps;
  const cache = new LRUCache<string, Cached>({ max: linksMax });
  const underWay = new Map<string, Promise<void>>();

  async function lookUp(code: string): Promise<void> {
    try {
      const shared = await deps.findShared(code).catch(() => null);
      const link = shared ?? (await deps.ask(code));
      if (link === null) cache.delete(code);
      else cache.set(code, { link, freshUntilMs: clock.monotonicMs() + freshMs });
    } catch (error) {
      // As an instance with a table does while the log is away: what is known goes on.
      const known = cache.get(code);
      if (known === undefined) throw error;
      known.freshUntilMs = clock.monotonicMs() + freshMs;
    }
  }

  return {
    find(code) {
      const cached = cache.get(code);
      return cached !== undefined && clock.monotonicMs() < cached.freshUntilMs ? cached.link : undefined;
    },
    pass(code) {
      const sharing = underWay.get(code);
      if (sharing !== undefined) return sharing;
      if (underWay.size >= lookUpsMax) return Promise.reject(new LogUnavailable('too many links are looked up'));
      // Who waits looks into the cache in the same turn of the event loop in which it was filled.
      const passing = lookUp(code).finally(() => underWay.delete(code));
      underWay.set(code, passing);
      return passing;
    },
    changed(change) {
      if (change === null) {
        // Still better than nothing, should nobody be there to ask.
        for (const cached of cache.values()) cached.freshUntilMs = 0;
        return;
      }
      const cached = cache.peek(change.code);
      if (cached !== undefined && cached.link.version < change.version) cache.delete(change.code);
    },
  };
}
