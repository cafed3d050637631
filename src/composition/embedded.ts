/**
 * The embedded mode: one process, no services. The log is a folder of segment files, the journal is its `visits` topic, the
 * stores are LevelDB folders, and the worker runs in a thread. Opens them in order and closes them in the reverse one.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openProcessLock } from '../adapters/level/process-lock.ts';
import { openSegmentLog } from '../adapters/segments/open-segment-log.ts';
import { openCodeSecret } from '../adapters/system/code-secret.ts';
import { systemClock } from '../adapters/system/system-clock.ts';
import { systemRandom } from '../adapters/system/system-random.ts';
import { openVisitorSalt } from '../adapters/system/visitor-salt.ts';
import type { Config } from '../config.ts';
import { LogDamaged } from '../ports/event-log.ts';
import { noLinkBarrier } from '../ports/link-barrier.ts';
import type { Logger } from '../ports/logger.ts';
import { createStatisticsReadModel } from '../projections/statistics-read-model.ts';
import { createVisitLimits } from '../projections/visit-limits.ts';
import type { Adapters } from './adapters.ts';
import { refuseDistributedFolder } from './log-memory.ts';
import { openAnswers, openLinks } from './opened-stores.ts';
import { startStatisticsThread } from './statistics-client.ts';

const dayMs = 24 * 60 * 60_000;

/**
 * Opens everything below `config.dataDir`. Throws `StoreLocked` when another process uses the folder, `LogDamaged` when the log
 * is not what was written, `CodeSecretRefused`; what was opened before is closed again.
 */
export async function openEmbedded(config: Config, logger: Logger): Promise<Adapters> {
  const { dataDir } = config;
  const clock = systemClock;
  const random = systemRandom;
  const opened: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closeOne of opened.splice(0).reverse()) await closeOne();
  };

  try {
    mkdirSync(dataDir, { recursive: true });
    refuseDistributedFolder(dataDir);
    const lock = await openProcessLock(dataDir);
    opened.push(() => lock.release());
    const secret = openCodeSecret(dataDir, config.codeSecret, random);

    const logFolder = join(dataDir, 'log');
    refuseStoresWithoutLog(dataDir, logFolder);
    let counted = (_partition: number): number => 0;
    const segments = await openSegmentLog({
      folder: logFolder,
      partitions: config.partitions,
      visitFsync: config.visitFsync,
      clock,
      random,
      logger,
      ...(config.visitRetentionDays === null ? {} : { visitRetentionMs: config.visitRetentionDays * dayMs }),
      // Until the worker has told where it stands, nothing is dropped.
      keepVisitsFrom: (partition) => counted(partition),
    });
    const { log, journal } = segments;
    const partitions = Array.from({ length: config.partitions }, (_, partition) => partition);
    opened.push(() => log.close());
    const visitsEnd = (partition: number): number => segments.endOffset('visits', partition);

    const thread = startStatisticsThread({
      data: { dataDir, logId: log.logId, partitions: config.partitions, shared: segments.shared },
      endOffset: visitsEnd,
      clock,
      logger,
    });
    opened.push(() => thread.close());
    counted = (partition) => thread.progress().partitions[partition]?.nextOffset ?? 0;
    const statistics = createStatisticsReadModel({
      stores: thread,
      partitions: config.partitions,
      partitionOf: log.partitionOf,
      clock,
      progress: thread.progress,
      onProgress: thread.onProgress,
    });

    const answers = await openAnswers(dataDir, clock, logger);
    opened.push(() => answers.close());
    const salt = await openVisitorSalt({ dataDir, clock, random, logger });
    opened.push(() => salt.close());

    // Last: what the table does in the background from here on would hold up the others.
    const linkTable = await openLinks({ dataDir, log, clock, logger });
    opened.push(() => linkTable.close());

    return {
      clock,
      random,
      logger,
      secret,
      log,
      journal,
      linkTable,
      barrier: noLinkBarrier,
      limits: createVisitLimits({
        statistics,
        async visitsEnd(partition) {
          await journal.flush();
          return visitsEnd(partition);
        },
        partitionOf: log.partitionOf,
      }),
      statistics,
      answers,
      salt,
      visitsEnd,
      askVisitsEnd: async (partition) => visitsEnd(partition),
      foldCounts: thread.counts,
      journalFigures() {
        const figures = partitions.map((partition) => segments.figures('visits', partition));
        return {
          writeErrors: figures.reduce((sum, { writeErrors }) => sum + writeErrors, 0),
          lastSyncMs: Math.max(...figures.map(({ lastSyncMs }) => lastSyncMs)),
        };
      },
      onCommit: thread.onCommit,
      problem: () => linkTable.halted(),
      checks: () => ({}),
      internalDoor: null,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * A new log would be made beside stores of an old one, and every link of the old one would answer 404. That is for a person to
 * want, not for a lost or half restored folder to bring about.
 */
function refuseStoresWithoutLog(dataDir: string, logFolder: string): void {
  const stores = join(dataDir, 'stores');
  if (existsSync(logFolder) || !existsSync(stores)) return;
  throw new LogDamaged(
    logFolder,
    0,
    `the log is missing, but ${stores} was folded from one; restore the log from a backup, or remove ${stores} as well to begin without any link`,
  );
}
