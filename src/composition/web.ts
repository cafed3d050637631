/** The web role: the redirect door, the API, the pages and the server, over the application and its adapters. */
import type { IncomingMessage } from 'node:http';
import { deriveKey } from '../adapters/system/derive-key.ts';
import type { Config } from '../config.ts';
import { parseLinkPatch, parseNewLink } from '../domain/link-input.ts';
import { isReserved, parseAlias } from '../domain/short-code.ts';
import { ownHostsOf } from '../domain/target-url.ts';
import type { Readiness } from '../http/app-options.ts';
import { createClientAddress } from '../http/client-address.ts';
import { createClientLimiter } from '../http/client-limiter.ts';
import { createApp } from '../http/create-app.ts';
import { createOwnOrigins } from '../http/host-check.ts';
import { createHttpServer, type HttpServer } from '../http/http-server.ts';
import { createLiveTotals } from '../http/live-totals.ts';
import { createMetrics } from '../http/metrics.ts';
import { loadAssets } from '../http/pages/assets.ts';
import { createPages } from '../http/pages/create-pages.ts';
import { createProblemPage } from '../http/problem-page.ts';
import { createRedirectDoor } from '../http/redirect-door.ts';
import { createRedirectMisses } from '../http/redirect-misses.ts';
import { createVisitDescription } from '../http/visit-description.ts';
import { createVisitLimits } from '../projections/visit-limits.ts';
import { encodeVisit } from '../serde/visit.ts';
import type { Adapters } from './adapters.ts';
import { createApplication } from './application.ts';

export interface Web {
  readonly server: HttpServer;
  /** Loads what the first visit needs; call it once the server listens. */
  warmUp(): void;
}

/** @param isDraining true from the moment a stop was asked for */
export function createWeb(config: Config, adapters: Adapters, isDraining: () => boolean): Web {
  const { baseUrl, baseUrlIsDefault } = config;
  const { log, journal, linkTable, statistics, clock, random, logger } = adapters;
  const application = createApplication(adapters);
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

  const rules = { ownHosts: ownHostsOf(baseUrl, baseUrlIsDefault), allowPrivateTargets: config.allowPrivateTargets };
  const readNewLink = (body: unknown) => parseNewLink(body, { ...rules, nowMs: clock.nowMs() });

  const misses = createRedirectMisses(() => app);
  const door = createRedirectDoor({
    linkTable,
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

  const assets = loadAssets();
  const creationLimiter = createClientLimiter({ perMinute: config.rateLimit, clock });
  const clientKey = (request: IncomingMessage) => clientAddress(request).limitKey;
  const app = createApp({
    application,
    parse: {
      newLink: readNewLink,
      linkPatch: (body) => parseLinkPatch(body, { ...rules, nowMs: clock.nowMs() }),
      alias: parseAlias,
    },
    metrics,
    liveTotals,
    baseUrl,
    baseUrlIsDefault,
    logId: log.logId,
    visitsLog: { partitions, endOffset: async (partition) => adapters.visitsEnd(partition) },
    cursorKey: deriveKey(adapters.secret, 'paging cursors'),
    clientKey,
    creationLimiter,
    readiness: () => readinessOf(adapters, isDraining()),
    pages: createPages({
      application,
      baseUrl,
      assets,
      parseNewLink: readNewLink,
      creationLimiter,
      clientKey,
    }),
    problemPage: createProblemPage({ assets, clock }),
    problemOfMiss: misses.problemOf,
    door,
  });
  const server = createHttpServer({ app, door, baseUrl, random, liveTotals });
  return { server, warmUp: () => description.warmUp() };
}

/** Ready means that redirects of known links can be answered; what is degraded beside that is named, and does not matter to it. */
function readinessOf(adapters: Adapters, draining: boolean): Readiness {
  const { halted, rebuild } = adapters.statistics.progress();
  return {
    ready: !draining,
    checks: {
      server: draining ? 'draining: this process is about to stop' : 'ok',
      links: adapters.problem() ?? 'ok',
      statistics: halted ?? (rebuild === null ? 'ok' : `being folded: ${Math.floor(rebuild.fraction * 100)} %`),
    },
    rebuild,
  };
}
