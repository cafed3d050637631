/**
 * One of many instances, without what answers the public: the log, the journal, the tasks that it has, Redis, who else there is,
 * and how far all of them are. Opened in order, closed in the reverse one.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { type GroupDirectory, openGroupDirectory } from '../adapters/kafka/group-directory.ts';
import type { KafkaLog } from '../adapters/kafka/kafka-log.ts';
import { openProcessLock } from '../adapters/level/process-lock.ts';
import type { RedisAddress } from '../adapters/redis/redis-client-options.ts';
import { openRedisConnection, type RedisConnection } from '../adapters/redis/redis-connection.ts';
import { createRedisKeys, type RedisKeys } from '../adapters/redis/redis-keys.ts';
import { openRedisProgress } from '../adapters/redis/redis-progress.ts';
import { deriveKey } from '../adapters/system/derive-key.ts';
import { systemClock } from '../adapters/system/system-clock.ts';
import { systemRandom } from '../adapters/system/system-random.ts';
import type { Config, DistributedConfig } from '../config.ts';
import type { FoldCounts, JournalBacklog } from '../http/metrics.ts';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { Random } from '../ports/random.ts';
import { StatisticsUnavailable } from '../ports/statistics-read-model.ts';
import type { LocalTasks } from '../ports/task-stores.ts';
import { visitStatistics } from '../projections/visit-statistics.ts';
import { noCounts } from '../worker/checkpoint.ts';
import { topologyId } from '../worker/topology.ts';
import { type GroupWorkerClient, startGroupWorkerThread } from './group-worker-client.ts';
import type { KafkaAddress } from './group-worker-messages.ts';
import { createInstanceClient, type InstanceClient } from './instance-client.ts';
import { type InstanceJournal, journalFolder, openInstanceJournal } from './instance-journal.ts';
import { kafkaAddress } from './kafka-address.ts';
import { refuseEmbeddedFolder } from './log-memory.ts';
import { openSharedLog } from './shared-log.ts';
import { createSharedProgress, type SharedProgress } from './shared-progress.ts';

/** It is asked twice a second where the log ends; a leader that changes may take some seconds to answer. */
const kafkaSilenceMaxMs = 5_000;

export interface Instance {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly instanceId: string;
  /** From which codes and every other key are derived. */
  readonly secret: string;
  /** With it instances sign what they ask each other. */
  readonly callKey: Buffer;
  /** `name@version` of the topology whose rows this build has. */
  readonly topology: string;
  readonly kafka: KafkaAddress;
  readonly log: KafkaLog;
  /** Null where no visit is taken and no earlier start took any. */
  readonly journal: InstanceJournal | null;
  /** The tasks that run here: none in the role `web`. */
  readonly local: LocalTasks;
  readonly directory: GroupDirectory;
  /** Calls to the others. */
  readonly instances: InstanceClient;
  readonly redisAddress: RedisAddress;
  readonly redis: RedisConnection;
  readonly redisKeys: RedisKeys;
  readonly shared: SharedProgress;
  foldCounts(): FoldCounts;
  onCommit(listener: (durationMs: number) => void): void;
  journalFigures(): { readonly writeErrors: number; readonly lastSyncMs: number };
  readonly journalBacklog?: () => JournalBacklog;
  /** Why Kafka was refused after the start, or null. */
  refusal(): string | null;
  /** By part: `ok`, or one sentence on what is degraded. */
  checks(): Readonly<Record<string, string>>;
  /** What else was opened, to be closed before what was opened earlier. */
  closeFirst(close: () => Promise<void> | void): void;
  close(): Promise<void>;
}

/**
 * Waits for Kafka as long as this instance has never seen the log. Throws `StoreLocked`, `LogDamaged` of the journal,
 * `LogRefused` when Kafka holds another log or another `CODE_SECRET`, `TopicsRefused`; what was opened before is closed again.
 */
export async function openInstance(config: Config, settings: DistributedConfig, logger: Logger): Promise<Instance> {
  const { dataDir } = config;
  const { roles, standbys, advertisedUrl: url } = settings;
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
    const kafka = kafkaAddress(settings, `tallyhop-${instanceId}`);
    const redisAddress = redisAddressOf(settings);

    const { log, refused } = await openSharedLog({
      ...{ kafka: { ...kafka, ...common }, dataDir, partitions: config.partitions, secretFingerprint },
    });
    opened.push(() => log.close());
    const { logId } = log;
    const { partitions } = log.remembered;

    // Visits of an earlier start in another role are not left behind.
    const journals = roles.web || existsSync(journalFolder(dataDir));
    const journal = journals
      ? await openInstanceJournal({
          ...{ dataDir, kafka, logId, partitions, visitFsync: config.visitFsync, ...common },
          ...{ maxBytes: settings.journalMaxBytes, mayStart: log.isVerified },
        })
      : null;
    if (journal !== null) opened.push(() => journal.close());

    const worker = roles.worker
      ? startGroupWorkerThread(
          {
            ...{ dataDir, instanceId, url, remembered: log.remembered, secretFingerprint, standbys, kafka },
            redis: redisAddress,
            yields: roles.web,
          },
          logger,
        )
      : null;
    if (worker !== null) opened.push(() => worker.close());
    const local: LocalTasks = worker ?? noLocalTasks;

    const redisKeys = createRedisKeys(kafka.topicPrefix);
    const redis = openRedisConnection({ ...redisAddress, ...common });
    opened.push(() => redis.close());
    const redisProgress = openRedisProgress({
      ...{ ...redisAddress, ...common, connection: redis, keys: redisKeys, logId, partitions },
    });
    opened.push(() => redisProgress.close());
    const directory = openGroupDirectory({ kafka: { ...kafka, ...common } });
    opened.push(() => directory.close());
    const callKey = deriveKey(secret, 'calls between instances');
    const instances = createInstanceClient({ key: callKey, clock });
    opened.push(() => instances.close());
    const shared = createSharedProgress({
      ...{ log, clock },
      positions: () => [...redisProgress.positions(), ...local.positions().filter(({ role }) => role === 'active')],
      journalAgeMs: () => journal?.forwarder.figures().oldestAgeMs ?? 0,
      halted: () => worker?.failure() ?? haltedTask(worker),
    });
    opened.push(() => shared.close());
    redisProgress.onPosition(() => shared.changed());
    worker?.onChange(() => shared.changed());
    const isKafkaThere = (): boolean => log.isVerified() && shared.silenceMs() < kafkaSilenceMaxMs;

    return {
      ...{ ...common, instanceId, secret, callKey },
      ...{ topology: topologyId(visitStatistics), kafka, log, journal, local, directory, instances },
      ...{ redisAddress, redis, redisKeys, shared },
      foldCounts: () => worker?.counts() ?? noCounts,
      onCommit: (listener) => worker?.onCommit(listener),
      journalFigures: () => journal?.visits.figures() ?? { writeErrors: 0, lastSyncMs: 0 },
      ...(journal && { journalBacklog: () => journal.forwarder.figures() }),
      refusal: () => refused()?.message ?? null,
      checks: () => ({
        kafka: isKafkaThere() ? 'ok' : 'away: changes are refused, visits are journaled',
        redis: redisCheck(redis, partitions - redisProgress.positions().length, partitions),
        tasks: tasksCheck(directory, partitions),
        ...(journal && { journal: journal.forwarder.figures().lastError ?? 'ok' }),
      }),
      closeFirst: (closeOne) => void opened.push(closeOne),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function redisCheck(redis: RedisConnection, missing: number, partitions: number): string {
  if (!redis.isReady()) return 'away: statistics come from the instances, links with a limit answer 503';
  return missing === 0 ? 'ok' : `being filled: ${missing} of ${partitions} partitions are not there yet`;
}

function tasksCheck(directory: GroupDirectory, partitions: number): string {
  let unowned = 0;
  for (let partition = 0; partition < partitions; partition++) {
    if (directory.ownerOf(partition) === undefined) unowned++;
  }
  return unowned === 0 ? 'ok' : `${unowned} of ${partitions} have no owner now: their visits are counted later`;
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
