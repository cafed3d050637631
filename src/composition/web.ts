/** The web role: the redirect door over the adapters, and the Express application, loaded when they are there. */
import type { RequestListener } from 'node:http';
import type { Config } from '../config.ts';
import { isReserved } from '../domain/short-code.ts';
import type { Door } from '../http/app-options.ts';
import { createClientAddress } from '../http/client-address.ts';
import { createClientLimiter } from '../http/client-limiter.ts';
import { createOwnOrigins } from '../http/host-check.ts';
import { createLateApplication } from '../http/late-application.ts';
import { createLiveTotals, type LiveTotals } from '../http/live-totals.ts';
import { createMetrics } from '../http/metrics.ts';
import { createRedirectDoor } from '../http/redirect-door.ts';
import { createRedirectMisses } from '../http/redirect-misses.ts';
import { createVisitDescription } from '../http/visit-description.ts';
import { encodeVisit } from '../serde/visit.ts';
import type { Adapters } from './adapters.ts';

export interface Web {
  /** Redirects, and what other instances ask. */
  readonly door: Door;
  /** The Express application; before {@link load}, what waits for it. */
  readonly app: RequestListener;
  readonly liveTotals: LiveTotals;
  /**
   * Loads what the first visit needs, then the Express application; requests for it wait until then. Call it once the server
   * listens.
   */
  load(): Promise<void>;
}

/** @param isDraining true from the moment a stop was asked for */
export function createWeb(config: Config, adapters: Adapters, isDraining: () => boolean): Web {
  const { log, journal, linkTable, statistics, clock, logger } = adapters;
  const { isOwnHost } = createOwnOrigins(config);
  const clientAddress = createClientAddress(config.trustedProxies);
  const description = createVisitDescription(adapters.salt);
  const liveTotals = createLiveTotals({ statistics, logId: log.logId, logger });
  const partitions = log.partitions('visits');
  const metrics = createMetrics({
    visitsEndOffsets: () =>
      Array.from({ length: partitions }, (_, partition) => ({ partition, endOffset: adapters.visitsEnd(partition) })),
    progress: () => statistics.progress(),
    journalDepth: () => journal.depth(),
    links: () => linkTable.size(),
    streams: () => liveTotals.size(),
    foldCounts: () => adapters.foldCounts(),
    journalFigures: () => adapters.journalFigures(),
    ...(adapters.journalBacklog && { journalBacklog: adapters.journalBacklog }),
  });
  adapters.onCommit((durationMs) => metrics.recordCommit(durationMs));

  const late = createLateApplication();
  const misses = createRedirectMisses(() => late.listener);
  const door = createRedirectDoor({
    linkTable,
    barrier: adapters.barrier,
    journal,
    limits: adapters.limits,
    description,
    encodeVisit,
    clientAddress,
    clock,
    logger,
    isReserved,
    isOwnHost,
    missLimiter: createClientLimiter({ perMinute: config.missLimit, clock }),
    answerMiss: misses.answerMiss,
    isDraining,
    observe: metrics.recordRedirect,
  });

  const { internalDoor } = adapters;
  return {
    door:
      internalDoor === null ? door : (request, response) => internalDoor(request, response) || door(request, response),
    app: late.listener,
    liveTotals,
    async load() {
      description.warmUp();
      const { createWebApplication } = await import('./web-application.ts');
      late.arrive(
        createWebApplication(config, adapters, { door, misses, metrics, liveTotals, clientAddress, isDraining }),
      );
    },
  };
}
