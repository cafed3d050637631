/**
 * The role of redirecting alone, for one of many instances that keeps no links (`LINK_TABLE=off`): it looks them up at Redis or at
 * an instance that has them. Visits go through its journal as everywhere; nothing else of the public is answered.
 */
import { openRedisLinks } from '../adapters/redis/redis-links.ts';
import { createSaltAgreement } from '../adapters/redis/redis-salt.ts';
import { openVisitorSalt } from '../adapters/system/visitor-salt.ts';
import type { Config, DistributedConfig } from '../config.ts';
import type { Link } from '../domain/link.ts';
import { isReserved } from '../domain/short-code.ts';
import { createClientAddress } from '../http/client-address.ts';
import { createClientLimiter } from '../http/client-limiter.ts';
import { createOwnOrigins } from '../http/host-check.ts';
import { createInternalDoor } from '../http/internal/internal-door.ts';
import { linkFindsPath, parseFoundLink } from '../http/internal/link-finds.ts';
import { internalTaskRoutes } from '../http/internal/store-reads.ts';
import { createOperationsListener } from '../http/operations-listener.ts';
import { createPlainMisses } from '../http/plain-misses.ts';
import { createRedirectDoor } from '../http/redirect-door.ts';
import { createVisitDescription } from '../http/visit-description.ts';
import { LogUnavailable } from '../ports/event-log.ts';
import type { Logger } from '../ports/logger.ts';
import type { TaskInstance } from '../ports/task-ownership.ts';
import { createLinkCache } from '../projections/link-cache.ts';
import { decodeLinkRow } from '../serde/link-row.ts';
import { encodeVisit } from '../serde/visit.ts';
import { type Instance, openInstance } from './instance.ts';
import { InstanceUnavailable } from './instance-client.ts';
import { createInstanceMetrics, readinessOfInstance } from './instance-operations.ts';
import type { Role } from './role.ts';
import { openSharedStatistics } from './shared-statistics.ts';

/** Instances that are asked for one link before the request is told to come again. */
const askedMax = 3;

/** Throws and waits as `openInstance` does. */
export async function openRedirectRole(
  config: Config,
  settings: DistributedConfig,
  logger: Logger,
  isDraining: () => boolean,
): Promise<Role> {
  const instance = await openInstance(config, settings, logger);
  const { clock, random, log, local, instanceId, topology, callKey, redis, redisKeys, journal } = instance;
  const { closeFirst } = instance;
  const common = { clock, random, logger };
  const { logId, partitionOf } = log;
  const { partitions } = log.remembered;
  try {
    if (journal === null) throw new Error('an instance that redirects has a journal');
    const { statistics, limits } = openSharedStatistics(instance, journal);
    const redisLinks = openRedisLinks({
      ...{ ...instance.redisAddress, ...common, connection: redis, keys: redisKeys, logId, partitions, partitionOf },
      puts: false,
    });
    closeFirst(() => redisLinks.close());
    const links = createLinkCache({
      clock,
      async findShared(code) {
        const found = await redisLinks.find(code);
        return found === null ? null : decodeLinkRow(0, found.json);
      },
      ask: (code) => askForLink(instance, code),
    });
    redisLinks.onChange((change) => links.changed(change));
    const salt = await openVisitorSalt({
      ...{ dataDir: config.dataDir, ...common, agree: createSaltAgreement(redis, redisKeys) },
    });
    closeFirst(() => salt.close());

    const visits = journal.visits.journal;
    const description = createVisitDescription(salt);
    const metrics = createInstanceMetrics(instance, {
      progress: () => statistics.progress(),
      journalDepth: () => visits.depth(),
    });
    const redirectDoor = createRedirectDoor({
      ...{ linkTable: links, barrier: links, journal: visits, limits, description, encodeVisit, clock, logger },
      clientAddress: createClientAddress(config.trustedProxies),
      isReserved,
      isOwnHost: createOwnOrigins(config).isOwnHost,
      missLimiter: createClientLimiter({ perMinute: config.missLimit, clock }),
      answerMiss: createPlainMisses(config.baseUrl, random),
      isDraining,
      observe: metrics.recordRedirect,
    });
    const internalDoor = createInternalDoor({
      ...{ key: callKey, ...common },
      routes: internalTaskRoutes({ instanceId, topology, local }),
    });
    return {
      door: (request, response) => internalDoor(request, response) || redirectDoor(request, response),
      app: createOperationsListener({
        ...{ metrics, random, logger, baseUrl: config.baseUrl },
        elsewhere: 'This instance only redirects: it keeps no links, because LINK_TABLE is off.',
        readiness: () => readinessOfInstance(instance, isDraining()),
      }),
      endStreams: () => undefined,
      async load() {
        description.warmUp();
        return { role: 'web', linkTable: 'off' };
      },
      async close() {
        await visits.flush();
        await instance.close();
      },
    };
  } catch (error) {
    await instance.close();
    throw error;
  }
}

/** The link as an instance with a table has it, behind its barrier: null = there is none. Throws `LogUnavailable`. */
async function askForLink({ directory, instances, log }: Instance, code: string): Promise<Link | null> {
  const { partitions } = log.remembered;
  const asked = new Map<string, TaskInstance>();
  for (let step = 0; step < partitions && asked.size < askedMax; step++) {
    const partition = (log.partitionOf(code) + step) % partitions;
    for (const candidate of [directory.ownerOf(partition), ...directory.standbysOf(partition)]) {
      if (candidate !== undefined && asked.size < askedMax) asked.set(candidate.instanceId, candidate);
    }
  }
  for (const candidate of asked.values()) {
    try {
      const found = parseFoundLink(await instances.call(candidate, linkFindsPath, { code }), code);
      if (found !== undefined) return found;
    } catch (error) {
      // It may count alone, or have lost its log: another may know.
      if (!(error instanceof InstanceUnavailable)) throw error;
    }
  }
  throw new LogUnavailable('no instance that has the links answers');
}
