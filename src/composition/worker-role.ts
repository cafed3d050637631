/**
 * The role of counting alone, for one of many instances: it has tasks, answers probes, scrapers and the other instances, and
 * nobody else. No link table is opened and no visit is taken.
 */
import type { Config, DistributedConfig } from '../config.ts';
import { createInternalDoor } from '../http/internal/internal-door.ts';
import { internalTaskRoutes } from '../http/internal/store-reads.ts';
import { createMetrics } from '../http/metrics.ts';
import { createOperationsListener } from '../http/operations-listener.ts';
import type { Logger } from '../ports/logger.ts';
import { openInstance } from './instance.ts';
import type { Role } from './role.ts';

/** Throws and waits as `openInstance` does. */
export async function openWorkerRole(
  config: Config,
  settings: DistributedConfig,
  logger: Logger,
  isDraining: () => boolean,
): Promise<Role> {
  const instance = await openInstance(config, settings, logger);
  const { clock, random, log, local, instanceId, topology, callKey, shared } = instance;
  const partitions = log.partitions('visits');
  const metrics = createMetrics({
    visitsEndOffsets: () =>
      Array.from({ length: partitions }, (_, partition) => ({ partition, endOffset: shared.endOffset(partition) })),
    progress: shared.progress,
    journalDepth: () => instance.journal?.visits.journal.depth() ?? { visits: 0, bytes: 0 },
    links: () => 0,
    streams: () => 0,
    foldCounts: instance.foldCounts,
    journalFigures: instance.journalFigures,
    ...(instance.journalBacklog && { journalBacklog: instance.journalBacklog }),
  });
  instance.onCommit((durationMs) => metrics.recordCommit(durationMs));
  return {
    door: createInternalDoor({
      ...{ key: callKey, clock, random, logger },
      routes: internalTaskRoutes({ instanceId, topology, local }),
    }),
    app: createOperationsListener({
      ...{ metrics, random, logger, baseUrl: config.baseUrl },
      elsewhere: 'This instance counts visits and answers no requests: its ROLE is worker.',
      readiness: () => ({
        ready: !isDraining(),
        checks: {
          server: isDraining() ? 'draining: this process is about to stop' : 'ok',
          links: instance.refusal() ?? 'ok',
          ...instance.checks(),
          statistics: shared.progress().halted ?? 'ok',
        },
        rebuild: null,
      }),
    }),
    endStreams: () => undefined,
    load: async () => ({ role: 'worker' }),
    close: () => instance.close(),
  };
}
