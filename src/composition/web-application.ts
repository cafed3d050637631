/** The Express side of the web role: the API and the pages. Loaded once redirects are answered, because it takes long to load. */
import type { IncomingMessage, RequestListener } from 'node:http';
import { deriveKey } from '../adapters/system/derive-key.ts';
import type { Config } from '../config.ts';
import { parseLinkPatch, parseNewLink } from '../domain/link-input.ts';
import { parseAlias } from '../domain/short-code.ts';
import { ownHostsOf } from '../domain/target-url.ts';
import type { Readiness } from '../http/app-options.ts';
import type { FindClientAddress } from '../http/client-address.ts';
import { createClientLimiter } from '../http/client-limiter.ts';
import { createApp } from '../http/create-app.ts';
import type { LiveTotals } from '../http/live-totals.ts';
import type { Metrics } from '../http/metrics.ts';
import { loadAssets } from '../http/pages/assets.ts';
import { createPages } from '../http/pages/create-pages.ts';
import { createProblemPage } from '../http/problem-page.ts';
import type { RedirectDoor } from '../http/redirect-door.ts';
import type { RedirectMisses } from '../http/redirect-misses.ts';
import type { Adapters } from './adapters.ts';
import { createApplication } from './application.ts';

/** What the door and the application share. */
export interface WebParts {
  readonly door: RedirectDoor;
  readonly misses: RedirectMisses;
  readonly metrics: Metrics;
  readonly liveTotals: LiveTotals;
  readonly clientAddress: FindClientAddress;
  /** True from the moment a stop was asked for. */
  readonly isDraining: () => boolean;
}

export function createWebApplication(config: Config, adapters: Adapters, parts: WebParts): RequestListener {
  const { baseUrl, baseUrlIsDefault } = config;
  const { log, clock } = adapters;
  const { door, misses, metrics, liveTotals, clientAddress, isDraining } = parts;
  const application = createApplication(adapters);
  const partitions = log.partitions('visits');
  const rules = { ownHosts: ownHostsOf(baseUrl, baseUrlIsDefault), allowPrivateTargets: config.allowPrivateTargets };
  const readNewLink = (body: unknown) => parseNewLink(body, { ...rules, nowMs: clock.nowMs() });

  const assets = loadAssets();
  const creationLimiter = createClientLimiter({ perMinute: config.rateLimit, clock });
  const clientKey = (request: IncomingMessage) => clientAddress(request).limitKey;
  return createApp({
    application,
    parse: {
      newLink: readNewLink,
      linkPatch: (body) => parseLinkPatch(body, { ...rules, nowMs: clock.nowMs() }),
      alias: parseAlias,
    },
    barrier: adapters.barrier,
    metrics,
    liveTotals,
    baseUrl,
    baseUrlIsDefault,
    logId: log.logId,
    visitsLog: { partitions, endOffset: adapters.askVisitsEnd },
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
}

/** Ready means that redirects of known links can be answered; what is degraded beside that is named, and does not matter to it. */
function readinessOf(adapters: Adapters, draining: boolean): Readiness {
  const { halted, rebuild } = adapters.statistics.progress();
  return {
    ready: !draining,
    checks: {
      server: draining ? 'draining: this process is about to stop' : 'ok',
      links: adapters.problem() ?? 'ok',
      ...adapters.checks(),
      statistics: halted ?? (rebuild === null ? 'ok' : `being folded: ${Math.floor(rebuild.fraction * 100)} %`),
    },
    rebuild,
  };
}
