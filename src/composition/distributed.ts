/**
 * The distributed mode for instances that answer the public: links from the shared log, visits into the journal, statistics from
 * the tasks here, from Redis, or from the instance that has them.
 */

import { openRedisLinks } from '../adapters/redis/redis-links.ts';
import { createSaltAgreement } from '../adapters/redis/redis-salt.ts';
import { openVisitorSalt } from '../adapters/system/visitor-salt.ts';
import type { Config, DistributedConfig } from '../config.ts';
import type { Link } from '../domain/link.ts';
import { createInternalDoor } from '../http/internal/internal-door.ts';
import { linkFindsRoute } from '../http/internal/link-finds.ts';
import { internalTaskRoutes } from '../http/internal/store-reads.ts';
import type { Logger } from '../ports/logger.ts';
import { createLinkBarrier } from '../projections/link-barrier.ts';
import { encodeLinkRow } from '../serde/link-row.ts';
import type { Adapters } from './adapters.ts';
import { openInstance } from './instance.ts';
import { openAnswers, openLinks } from './opened-stores.ts';
import { openSharedStatistics } from './shared-statistics.ts';

/** Opens everything; throws and waits as {@link openInstance} does. What was opened before an error is closed again. */
export async function openDistributed(config: Config, settings: DistributedConfig, logger: Logger): Promise<Adapters> {
  const { dataDir } = config;
  const instance = await openInstance(config, settings, logger);
  const { clock, random, log, local, instanceId, topology, callKey, shared, redis, redisKeys } = instance;
  const common = { clock, random, logger };
  const { logId, partitionOf } = log;
  const { partitions } = log.remembered;
  const { closeFirst, journal } = instance;

  try {
    if (journal === null) throw new Error('an instance that answers requests has a journal');
    const { statistics, limits } = openSharedStatistics(instance, journal);
    const answers = await openAnswers(dataDir, clock, logger);
    closeFirst(() => answers.close());
    const salt = await openVisitorSalt({ dataDir, ...common, agree: createSaltAgreement(redis, redisKeys) });
    closeFirst(() => salt.close());
    const linkTable = await openLinks({ dataDir, log, clock, logger });
    closeFirst(() => linkTable.close());
    const barrier = createLinkBarrier({ log, linkTable, clock });
    // For instances without a table: links that they asked for, and changes of what may be there.
    const redisLinks = openRedisLinks({
      ...{ ...instance.redisAddress, ...common, connection: redis, keys: redisKeys, logId, partitions, partitionOf },
      ...{ puts: true, voidsAtStart: true },
    });
    closeFirst(() => redisLinks.close());
    const putLink = (link: Link) =>
      redisLinks.put({ code: link.code, version: link.version, json: encodeLinkRow(link) });
    linkTable.onChange((link) => {
      if (link.version > 1) putLink(link);
    });

    const { secret, foldCounts, onCommit, journalFigures, journalBacklog, checks, close } = instance;
    return {
      ...{ ...common, secret, log, journal: journal.visits.journal, linkTable, limits, statistics, answers, salt },
      ...{ foldCounts, onCommit, journalFigures, ...(journalBacklog && { journalBacklog }), checks, close },
      barrier,
      visitsEnd: shared.endOffset,
      askVisitsEnd: (partition) => log.endOffset('visits', partition),
      problem: () => instance.refusal() ?? linkTable.halted(),
      internalDoor: createInternalDoor({
        ...{ key: callKey, ...common },
        routes: [
          ...internalTaskRoutes({ instanceId, topology, local }),
          linkFindsRoute({ linkTable, barrier, onFound: putLink }),
        ],
      }),
    };
  } catch (error) {
    await instance.close();
    throw error;
  }
}
