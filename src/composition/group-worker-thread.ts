/** Entry of the thread of the shared tasks: gives the worker its stores, its log and changelog, the group, and Redis to follow. */
import { parentPort, workerData } from 'node:worker_threads';
import { createDeadLetterSender } from '../adapters/kafka/dead-letter-sender.ts';
import { openGroupMembership } from '../adapters/kafka/group-membership.ts';
import { openKafkaChangelog } from '../adapters/kafka/kafka-changelog.ts';
import { openKafkaLog } from '../adapters/kafka/kafka-log.ts';
import { foldWriteBufferBytes, openLevelStateStore } from '../adapters/level/level-state-store.ts';
import { setAsideFolder } from '../adapters/level/set-aside-folder.ts';
import { openRedisConnection } from '../adapters/redis/redis-connection.ts';
import { createRedisFollower } from '../adapters/redis/redis-follower.ts';
import { createRedisKeys } from '../adapters/redis/redis-keys.ts';
import { systemClock } from '../adapters/system/system-clock.ts';
import { systemRandom } from '../adapters/system/system-random.ts';
import { systemTimer } from '../adapters/system/system-timer.ts';
import { yieldToOtherThreads } from '../adapters/system/thread-priority.ts';
import type { StateStore } from '../ports/state-store.ts';
import { codeOfRow, rowsByLink, rowsOfLink, scoresOfRow } from '../projections/visit-statistics-rows.ts';
import { createTaskAssignor } from '../worker/task-assignor.ts';
import { GroupWorker } from './group-worker.ts';
import type { FromGroupWorkerThread, GroupWorkerThreadData, ToGroupWorkerThread } from './group-worker-messages.ts';
import { createSendingLogger } from './sending-logger.ts';

const linkTtlMs = 7 * 24 * 60 * 60_000;

const port = parentPort;
if (port === null) throw new Error('this file runs as a worker thread');
const data = workerData as GroupWorkerThreadData;
if (data.yields) yieldToOtherThreads();
const send = (message: FromGroupWorkerThread): void => port.postMessage(message);
const logger = createSendingLogger((level, fields, message) => send({ type: 'log', level, fields, message }));
const common = { logger, clock: systemClock, random: systemRandom };
const kafka = { ...data.kafka, ...common };

const { remembered, secretFingerprint } = data;
const log = await openKafkaLog({ ...kafka, remembered, secretFingerprint, onRefused: () => undefined });
// It has as many partitions as the log: an instance starts without Kafka.
const changelog = await openKafkaChangelog({ ...kafka, partitions: remembered.partitions });
const deadLetters = createDeadLetterSender(kafka);
const redis = openRedisConnection({ ...data.redis, ...common });

const worker = new GroupWorker({
  ...{ dataDir: data.dataDir, instanceId: data.instanceId, log, changelog, send, ...common },
  timer: systemTimer,
  openMembership: (callbacks) =>
    openGroupMembership({
      ...{ kafka, instanceId: data.instanceId, url: data.url, partitions: remembered.partitions, ...callbacks },
      plan: createTaskAssignor({ standbys: data.standbys }),
    }),
  createFollower(stores) {
    const storeOf = (partition: number): StateStore => {
      const store = stores(partition);
      if (store === null) throw new Error(`the store of partition ${partition} is not open`);
      return store;
    };
    return createRedisFollower({
      ...{ connection: redis, keys: createRedisKeys(data.kafka.topicPrefix), logId: log.logId, linkTtlMs, ...common },
      linkOfRow: codeOfRow,
      scoresOf: scoresOfRow,
      rowsOfLink: async (partition, code) => rowsOfLink(storeOf(partition), code),
      activeRows: (partition) => rowsByLink(storeOf(partition), systemClock.nowMs() - linkTtlMs),
    });
  },
  sendDeadLetters: (partition, letters) =>
    deadLetters.send(letters.map(({ bytes, ...letter }) => ({ topic: 'visits', partition, length: bytes, ...letter }))),
  openStore: (folder) => openLevelStateStore({ folder, writeBufferBytes: foldWriteBufferBytes }),
  setAside: (folder) => setAsideFolder(folder, systemClock),
});
port.on('message', (message: ToGroupWorkerThread) => worker.receive(message));
await worker.run();
redis.close();
await deadLetters.close();
await changelog.close();
await log.close();
port.close();
