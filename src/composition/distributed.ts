/**
 * The distributed mode for instances that answer the public: links from the shared log, visits into the journal, statistics from
 * the tasks here, from Redis, or from the instance that has them.
 */

import { createSaltAgreement } from '../adapters/redis/redis-salt.ts';
import { createRedisStoreReader } from '../adapters/redis/redis-store-reader.ts';
import { createRedisVisitLimits } from '../adapters/redis/redis-visit-limits.ts';
import { openVisitorSalt } from '../adapters/system/visitor-salt.ts';
import type { Config, DistributedConfig } from '../config.ts';
import { createInternalDoor } from '../http/internal/internal-door.ts';
import { internalTaskRoutes } from '../http/internal/store-reads.ts';
import type { Logger } from '../ports/logger.ts';
import { StatisticsUnavailable } from '../ports/statistics-read-model.ts';
import { createLinkBarrier } from '../projections/link-barrier.ts';
import { createMonotonicStoreReader } from '../projections/monotonic-store-reader.ts';
import { createStatisticsReadModel } from '../projections/statistics-read-model.ts';
import { codeOfRange, codeOfRow } from '../projections/visit-statistics-rows.ts';
import { createRoutedStoreReader } from '../worker/routed-store-reader.ts';
import type { Adapters } from './adapters.ts';
import { openInstance } from './instance.ts';
import { createInstanceClient } from './instance-client.ts';
import { openAnswers, openLinks } from './opened-stores.ts';
import { createRemoteStoreReader } from './remote-store-reader.ts';

const seedTimeoutMs = 2_000;

/** Opens everything; throws and waits as {@link openInstance} does. What was opened before an error is closed again. */
export async function openDistributed(config: Config, settings: DistributedConfig, logger: Logger): Promise<Adapters> {
  const { dataDir } = config;
  const instance = await openInstance(config, settings, logger);
  const { clock, random, log, local, directory, instanceId, topology, callKey, shared, redis, redisKeys } = instance;
  const common = { clock, random, logger };
  const { logId, partitionOf } = log;
  const { partitions } = log.remembered;
  const inRedis = { connection: redis, keys: redisKeys, logId };
  const { closeFirst, journal } = instance;

  try {
    if (journal === null) throw new Error('an instance that answers requests has a journal');
    const instances = createInstanceClient({ key: callKey, clock });
    closeFirst(() => instances.close());
    const routed = createRoutedStoreReader({
      ...{ instanceId, local, directory, remote: createRemoteStoreReader(instances, topology) },
    });
    const redisStores = createRedisStoreReader({
      ...{ ...inRedis, partitions, logger },
      linkOfRow: codeOfRow,
      linkOfRange: codeOfRange,
    });
    const stores = createMonotonicStoreReader(
      (partition) =>
        local.roleOf(partition) === 'active' ? [routed.read] : [(request) => redisStores.read(request), routed.read],
      (partition, { nextOffset, streamTimeMs }) => shared.note({ partition, nextOffset, streamTimeMs }),
    );
    const statistics = createStatisticsReadModel({
      ...{ stores, partitions, partitionOf, clock },
      progress: shared.progress,
      progressNow: shared.progressNow,
      onProgress: shared.onProgress,
      async highest(by, count) {
        const found = await redisStores.highest(by === 'visits' ? 'visits' : 'last-visit', count).catch(() => null);
        return found?.map(({ code, score }) => ({ code, value: score })) ?? null;
      },
    });

    const limits = createRedisVisitLimits({
      ...{ ...inRedis, partitionOf, ...common },
      async learn(code) {
        const partition = partitionOf(code);
        await journal.forwarded(partition, seedTimeoutMs);
        const endOffset = await log.endOffset('visits', partition);
        await statistics.reached(partition, endOffset, seedTimeoutMs);
        const { totals, position } = await statistics.totalsOf([code]);
        const readTo = position.partitions.find((each) => each.partition === partition)?.nextOffset ?? 0;
        if (readTo < endOffset) throw new StatisticsUnavailable('the number of visits is older than was asked for');
        return totals.get(code)?.nonBots ?? 0;
      },
    });
    closeFirst(() => limits.close());
    const answers = await openAnswers(dataDir, clock, logger);
    closeFirst(() => answers.close());
    const salt = await openVisitorSalt({ dataDir, ...common, agree: createSaltAgreement(redis, redisKeys) });
    closeFirst(() => salt.close());
    const linkTable = await openLinks({ dataDir, log, clock, logger });
    closeFirst(() => linkTable.close());

    const { secret, foldCounts, onCommit, journalFigures, journalBacklog, checks, close } = instance;
    return {
      ...{ ...common, secret, log, journal: journal.visits.journal, linkTable, limits, statistics, answers, salt },
      ...{ foldCounts, onCommit, journalFigures, ...(journalBacklog && { journalBacklog }), checks, close },
      barrier: createLinkBarrier({ log, linkTable, clock }),
      visitsEnd: shared.endOffset,
      askVisitsEnd: (partition) => log.endOffset('visits', partition),
      problem: () => instance.refusal() ?? linkTable.halted(),
      internalDoor: createInternalDoor({
        ...{ key: callKey, ...common },
        routes: internalTaskRoutes({ instanceId, topology, local }),
      }),
    };
  } catch (error) {
    await instance.close();
    throw error;
  }
}
