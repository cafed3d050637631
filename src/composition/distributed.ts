/**
 * The distributed mode: one of many instances. The log is in Kafka, the journal is local and forwarded, the tasks are shared out
 * in a thread, Redis follows them, and what this instance does not have it asks of the others. Opens them in order and closes them
 * in the reverse one.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openGroupDirectory } from '../adapters/kafka/group-directory.ts';
import { type KafkaLog, openKafkaLog } from '../adapters/kafka/kafka-log.ts';
import { openProcessLock } from '../adapters/level/process-lock.ts';
import { openRedisConnection } from '../adapters/redis/redis-connection.ts';
import { createRedisKeys } from '../adapters/redis/redis-keys.ts';
import { openRedisProgress } from '../adapters/redis/redis-progress.ts';
import { createRedisStoreReader } from '../adapters/redis/redis-store-reader.ts';
import { createRedisVisitLimits } from '../adapters/redis/redis-visit-limits.ts';
import { openVisitJournal } from '../adapters/segments/open-visit-journal.ts';
import { deriveKey } from '../adapters/system/derive-key.ts';
import { systemClock } from '../adapters/system/system-clock.ts';
import { systemRandom } from '../adapters/system/system-random.ts';
import { openVisitorSalt } from '../adapters/system/visitor-salt.ts';
import type { Config, DistributedConfig } from '../config.ts';
import { createInternalDoor } from '../http/internal/internal-door.ts';
import { internalTaskRoutes } from '../http/internal/store-reads.ts';
import { LogUnavailable } from '../ports/event-log.ts';
import type { Logger } from '../ports/logger.ts';
import { StatisticsUnavailable } from '../ports/statistics-read-model.ts';
import type { LocalTasks } from '../ports/task-stores.ts';
import { createLinkBarrier } from '../projections/link-barrier.ts';
import { createMonotonicStoreReader } from '../projections/monotonic-store-reader.ts';
import { createStatisticsReadModel } from '../projections/statistics-read-model.ts';
import { visitStatistics } from '../projections/visit-statistics.ts';
import { codeOfRange, codeOfRow } from '../projections/visit-statistics-rows.ts';
import { noCounts } from '../worker/checkpoint.ts';
import { createRoutedStoreReader } from '../worker/routed-store-reader.ts';
import { topologyId } from '../worker/topology.ts';
import type { Adapters } from './adapters.ts';
import { startForwarderThread } from './forwarder-client.ts';
import { type GroupWorkerClient, startGroupWorkerThread } from './group-worker-client.ts';
import type { KafkaAddress } from './group-worker-messages.ts';
import { createInstanceClient } from './instance-client.ts';
import { readRememberedLog, refuseEmbeddedFolder, rememberLog } from './log-memory.ts';
import { openAnswers, openLinks } from './opened-stores.ts';
import { createRemoteStoreReader } from './remote-store-reader.ts';
import { createSharedProgress } from './shared-progress.ts';

const seedTimeoutMs = 2_000;
const waitForKafkaMs = 1_000;
/** A stop leaves what is not forwarded by then in the journal, for the next start. */
const lastForwardMaxMs = 3_000;

/**
 * Opens everything; waits for Kafka as long as this instance has never seen the log. Throws `StoreLocked`, `LogDamaged` of the
 * journal, `LogRefused` when Kafka holds another log or another `CODE_SECRET`; what was opened before is closed again.
 */
export async function openDistributed(config: Config, settings: DistributedConfig, logger: Logger): Promise<Adapters> {
  const { dataDir } = config;
  const common = { clock: systemClock, random: systemRandom, logger };
  const { clock, random } = common;
  const opened: (() => Promise<void> | void)[] = [];
  const close = async (): Promise<void> => {
    for (const closeOne of opened.splice(0).reverse()) await closeOne();
  };

  try {
    mkdirSync(dataDir, { recursive: true });
    refuseEmbeddedFolder(dataDir);
    const lock = await openProcessLock(dataDir);
    opened.push(() => lock.release());
    const instanceId = random.id();
    const secret = settings.codeSecret;
    const secretFingerprint = createHash('sha256').update(deriveKey(secret, 'fingerprint')).digest('hex');
    const kafka = kafkaAddress(settings, instanceId);
    const redisAddress = redisAddressOf(settings);

    let refused: Error | null = null;
    const log = await openLogPatiently({
      ...{ ...kafka, ...common, secretFingerprint },
      remembered: readRememberedLog(dataDir),
      onRefused: (error) => {
        refused = error;
      },
      logger,
    });
    opened.push(() => log.close());
    rememberLog(dataDir, log.remembered);
    const { partitions } = log.remembered;
    const partitionOf = log.partitionOf;

    const journalFolder = join(dataDir, 'journal');
    const visitJournal = await openVisitJournal({
      ...{ folder: journalFolder, logId: log.logId, partitions, visitFsync: config.visitFsync, ...common },
      maxBytes: settings.journalMaxBytes,
    });
    opened.push(() => visitJournal.close());
    const { journal } = visitJournal;
    const forwarder = startForwarderThread<KafkaAddress>({
      ...{ folder: journalFolder, journal: visitJournal, shipper: kafka, clock, logger },
    });
    opened.push(async () => {
      const drained = await forwarder.drain(lastForwardMaxMs);
      if (!drained)
        logger.warn({ visits: forwarder.figures().visits }, 'visits stay in the journal for the next start');
      await forwarder.close();
    });

    const worker = settings.roles.worker
      ? startGroupWorkerThread(
          {
            ...{ dataDir, instanceId, url: settings.advertisedUrl, remembered: log.remembered, secretFingerprint },
            ...{ standbys: settings.standbys, kafka, redis: redisAddress },
          },
          logger,
        )
      : null;
    if (worker !== null) opened.push(() => worker.close());
    const local: LocalTasks = worker ?? noLocalTasks;

    const keys = createRedisKeys(kafka.topicPrefix);
    const redis = openRedisConnection({ ...redisAddress, ...common });
    opened.push(() => redis.close());
    const redisProgress = openRedisProgress({
      ...{ ...redisAddress, ...common, connection: redis, keys, logId: log.logId, partitions },
    });
    opened.push(() => redisProgress.close());
    const redisStores = createRedisStoreReader({
      ...{ connection: redis, keys, logId: log.logId, partitions, logger },
      linkOfRow: codeOfRow,
      linkOfRange: codeOfRange,
    });

    const directory = openGroupDirectory({ kafka: { ...kafka, ...common } });
    opened.push(() => directory.close());
    const instanceKey = deriveKey(secret, 'calls between instances');
    const instances = createInstanceClient({ key: instanceKey, clock });
    opened.push(() => instances.close());
    const topology = topologyId(visitStatistics);
    const routed = createRoutedStoreReader({
      ...{ instanceId, local, directory, remote: createRemoteStoreReader(instances, topology) },
    });

    const shared = createSharedProgress({
      ...{ log, clock },
      positions: () => [...redisProgress.positions(), ...local.positions().filter(({ role }) => role === 'active')],
      journalAgeMs: () => forwarder.figures().oldestAgeMs,
      halted: () => worker?.failure() ?? haltedTask(worker),
    });
    opened.push(() => shared.close());
    redisProgress.onPosition(() => shared.changed());
    worker?.onChange(() => shared.changed());
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
    });

    const limits = createRedisVisitLimits({
      ...{ connection: redis, keys, logId: log.logId, partitionOf, ...common },
      async learn(code) {
        const partition = partitionOf(code);
        await journal.flush();
        await forwarded(visitJournal.endOffset(partition), partition);
        const endOffset = await log.endOffset('visits', partition);
        await statistics.reached(partition, endOffset, seedTimeoutMs);
        const { totals, position } = await statistics.totalsOf([code]);
        const readTo = position.partitions.find((each) => each.partition === partition)?.nextOffset ?? 0;
        if (readTo < endOffset) throw new StatisticsUnavailable('the number of visits is older than was asked for');
        return totals.get(code)?.nonBots ?? 0;
      },
    });
    opened.push(() => limits.close());

    function forwarded(offset: number, partition: number): Promise<void> {
      if (forwarder.forwardedOffset(partition) >= offset) return Promise.resolve();
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          end();
          reject(new LogUnavailable('visits of this instance are not in the log yet'));
        }, seedTimeoutMs);
        const end = forwarder.onForwarded(() => {
          if (forwarder.forwardedOffset(partition) < offset) return;
          clearTimeout(timer);
          end();
          resolve();
        });
      });
    }

    const answers = await openAnswers(dataDir, clock, logger);
    opened.push(() => answers.close());
    const salt = await openVisitorSalt({ dataDir, ...common });
    opened.push(() => salt.close());
    const linkTable = await openLinks({ dataDir, log, clock, logger });
    opened.push(() => linkTable.close());

    return {
      ...common,
      secret,
      log,
      journal,
      linkTable,
      barrier: createLinkBarrier({ log, linkTable, clock }),
      limits,
      statistics,
      answers,
      salt,
      visitsEnd: shared.endOffset,
      askVisitsEnd: (partition) => log.endOffset('visits', partition),
      foldCounts: () => worker?.counts() ?? noCounts,
      journalFigures: visitJournal.figures,
      journalBacklog: () => forwarder.figures(),
      onCommit: (listener) => worker?.onCommit(listener),
      problem: () => refused?.message ?? linkTable.halted(),
      checks: () => ({
        kafka: log.isVerified() ? 'ok' : 'away: changes are refused, visits are journaled',
        redis: redis.isReady() ? 'ok' : 'away: statistics come from the instances, links with a limit answer 503',
        journal: forwarder.figures().lastError ?? 'ok',
      }),
      internalDoor: createInternalDoor({
        ...{ key: instanceKey, ...common },
        routes: internalTaskRoutes({ instanceId, topology, local }),
      }),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The first start of an instance may come before Kafka's own. */
async function openLogPatiently(
  options: Omit<Parameters<typeof openKafkaLog>[0], 'remembered'> & {
    readonly remembered: { readonly logId: string; readonly partitions: number } | undefined;
  },
): Promise<KafkaLog> {
  const { remembered, ...others } = options;
  for (;;) {
    try {
      return await openKafkaLog({ ...others, ...(remembered && { remembered }) });
    } catch (error) {
      if (!(error instanceof LogUnavailable)) throw error;
      options.logger.warn({ err: error }, 'Kafka cannot be reached, and this instance has no links yet: waiting');
      await new Promise((resolve) => setTimeout(resolve, waitForKafkaMs));
    }
  }
}

function kafkaAddress({ kafka }: DistributedConfig, instanceId: string): KafkaAddress {
  const { brokers, tls, sasl, topicPrefix } = kafka;
  const file = (name: 'ca' | 'cert' | 'key', path: string | null) =>
    path === null ? {} : { [name]: readFileSync(path, 'utf8') };
  return {
    ...{ brokers, topicPrefix, clientId: `tallyhop-${instanceId}` },
    ...(tls && { ssl: { ...file('ca', tls.caFile), ...file('cert', tls.certFile), ...file('key', tls.keyFile) } }),
    ...(sasl && { sasl }),
  };
}

function redisAddressOf({ redis }: DistributedConfig) {
  return {
    url: redis.url,
    ...(redis.username !== null && { username: redis.username }),
    ...(redis.password !== null && { password: redis.password }),
    ...(redis.caFile !== null && { ca: readFileSync(redis.caFile, 'utf8') }),
  };
}

function haltedTask(worker: GroupWorkerClient | null): string | null {
  return worker?.statuses().find(({ state }) => state === 'halted')?.reason ?? null;
}

const noLocalTasks: LocalTasks = {
  roleOf: () => null,
  positions: () => [],
  read: () => Promise.reject(new StatisticsUnavailable('this instance has no tasks')),
};
