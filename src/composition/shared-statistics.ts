/**
 * The numbers as one of many instances reads them: from its own tasks, from Redis, or from the instance that has the task; and
 * the limits of visits, which all instances share.
 */
import { createRedisStoreReader } from '../adapters/redis/redis-store-reader.ts';
import { createRedisVisitLimits } from '../adapters/redis/redis-visit-limits.ts';
import { type StatisticsReadModel, StatisticsUnavailable } from '../ports/statistics-read-model.ts';
import type { VisitLimits } from '../ports/visit-limits.ts';
import { createMonotonicStoreReader } from '../projections/monotonic-store-reader.ts';
import { createStatisticsReadModel } from '../projections/statistics-read-model.ts';
import { codeOfRange, codeOfRow } from '../projections/visit-statistics-rows.ts';
import { createRoutedStoreReader } from '../worker/routed-store-reader.ts';
import type { Instance } from './instance.ts';
import type { InstanceJournal } from './instance-journal.ts';
import { createRemoteStoreReader } from './remote-store-reader.ts';

const seedTimeoutMs = 2_000;

/** What it opens is closed with the instance. */
export function openSharedStatistics(
  instance: Instance,
  journal: InstanceJournal,
): { readonly statistics: StatisticsReadModel; readonly limits: VisitLimits } {
  const { clock, random, logger, log, local, directory, instanceId, topology, shared, redis, redisKeys } = instance;
  const common = { clock, random, logger };
  const { logId, partitionOf } = log;
  const { partitions } = log.remembered;
  const inRedis = { connection: redis, keys: redisKeys, logId };
  const { closeFirst, instances } = instance;
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
  return { statistics, limits };
}
