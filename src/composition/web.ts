/** The web role: the server and the redirect door over the adapters, and the Express application, loaded when they are there. */
import type { Config } from '../config.ts';
import { isReserved } from '../domain/short-code.ts';
import { createClientAddress } from '../http/client-address.ts';
import { createClientLimiter } from '../http/client-limiter.ts';
import { createOwnOrigins } from '../http/host-check.ts';
import { createHttpServer, type HttpServer } from '../http/http-server.ts';
import { createLateApplication } from '../http/late-application.ts';
import { createLiveTotals } from '../http/live-totals.ts';
import { createMetrics } from '../http/metrics.ts';
import { createRedirectDoor } from '../http/redirect-door.ts';
import { createRedirectMisses } from '../http/redirect-misses.ts';
import { createVisitDescription } from '../http/visit-description.ts';
import { createVisitLimits } from '../projections/visit-limits.ts';
import { encodeVisit } from '../serde/visit.ts';
import type { Adapters } from './adapters.ts';

export interface Web {
  readonly server: HttpServer;
  /**
   * Loads what the first visit needs, then the Express application; requests for it wait until then. Call it once the server
   * listens.
   */
  load(): Promise<void>;
}

/** @param isDraining true from the moment a stop was asked for */
export function createWeb(config: Config, adapters: Adapters, isDraining: () => boolean): Web {
  const { log, journal, linkTable, statistics, clock, random, logger } = adapters;
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
  });
  adapters.onCommit((durationMs) => metrics.recordCommit(durationMs));

  const late = createLateApplication();
  const misses = createRedirectMisses(() => late.listener);
  const door = createRedirectDoor({
    linkTable,
    barrier: adapters.barrier,
    journal,
    limits: createVisitLimits({
      statistics,
      async visitsEnd(partition) {
        await journal.flush();
        return adapters.visitsEnd(partition);
      },
      partitionOf: log.partitionOf,
    }),
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

  const server = createHttpServer({ app: late.listener, door, baseUrl: config.baseUrl, random, liveTotals });
  return {
    server,
    async load() {
      description.warmUp();
      const { createWebApplication } = await import('./web-application.ts');
      late.arrive(
        createWebApplication(config, adapters, { door, misses, metrics, liveTotals, clientAddress, isDraining }),
      );
    },
  };
}
