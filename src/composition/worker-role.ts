/**
 * The role of counting alone, for one of many instances: it has tasks, answers probes, scrapers and the other instances, and
 * nobody else. No link table is opened and no visit is taken.
 */
import type { Config, DistributedConfig } from '../config.ts';
import { createInternalDoor } from '../http/internal/internal-door.ts';
import { internalTaskRoutes } from '../http/internal/store-reads.ts';
import { createOperationsListener } from '../http/operations-listener.ts';
import type { Logger } from '../ports/logger.ts';
import { openInstance } from './instance.ts';
import { createInstanceMetrics, readinessOfInstance } from './instance-operations.ts';
import type { Role } from './role.ts';

/** Throws and waits as `openInstance` does. */
export async function openWorkerRole(
  config: Config,
  settings: DistributedConfig,
  logger: Logger,
  isDraining: () => boolean,
): Promise<Role> {
  const instance = await openInstance(config, settings, logger);
  const { clock, random, local, instanceId, topology, callKey, shared } = instance;
  const metrics = createInstanceMetrics(instance, {
    progress: shared.progress,
    journalDepth: () => instance.journal?.visits.journal.depth() ?? { visits: 0, bytes: 0 },
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
      readiness: () => readinessOfInstance(instance, isDraining(), { statistics: shared.progress().halted ?? 'ok' }),
    }),
    endStreams: () => undefined,
    load: async () => ({ role: 'worker' }),
    close: () => instance.close(),
  };
}
