/** The stores of a process that both modes have: its link table, and the answers that it has kept. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createLevelAnswerStore } from '../adapters/level/level-answer-store.ts';
import { openLevelStateStore } from '../adapters/level/level-state-store.ts';
import { setAsideFolder } from '../adapters/level/set-aside-folder.ts';
import type { AnswerStore } from '../ports/answer-store.ts';
import type { Clock } from '../ports/clock.ts';
import { type EventLog, LogUnavailable } from '../ports/event-log.ts';
import type { Logger } from '../ports/logger.ts';
import { type StateStore, StoreDamaged } from '../ports/state-store.ts';
import { type OpenLinkTable, openLinkTable } from '../projections/link-table.ts';

const answerSweepIntervalMs = 60 * 60_000;
/** For a store that is filled from nothing: fewer files to merge and to map while a million links are loaded. Later it costs memory. */
const linkWriteBufferBytes = { first: 8 * 1024 * 1024, later: 4 * 1024 * 1024 };
/** How often the loading of the link table is told, at the most. */
const progressIntervalMs = 1_000;
const retryMs = 1_000;

/** Opens the link table and loads it; while the log is away and no link is known, that waits. */
export async function openLinks(options: {
  readonly dataDir: string;
  readonly log: EventLog;
  readonly clock: Clock;
  readonly logger: Logger;
}): Promise<OpenLinkTable> {
  const { log, clock, logger } = options;
  const folder = join(options.dataDir, 'stores', 'links');
  const linkTable = await openLinkTable({
    openStore() {
      const writeBufferBytes = existsSync(folder) ? linkWriteBufferBytes.later : linkWriteBufferBytes.first;
      return openLevelStateStore({ folder, writeBufferBytes });
    },
    setStoreAside: async (reason) => {
      const movedTo = await setAsideFolder(folder, clock);
      logger.warn({ reason, movedTo }, 'the store of links was set aside, links are folded anew');
    },
    ...{ log, clock, logger },
  });
  let toldAtMs = clock.monotonicMs();
  for (;;) {
    try {
      await linkTable.load(({ fraction, eventsDone, eventsTotal }) => {
        if (clock.monotonicMs() - toldAtMs < progressIntervalMs) return;
        toldAtMs = clock.monotonicMs();
        logger.info({ percent: Math.floor(fraction * 100), eventsDone, eventsTotal }, 'loading links');
      });
      return linkTable;
    } catch (error) {
      if (!(error instanceof LogUnavailable)) {
        await linkTable.close();
        throw error;
      }
      logger.warn({ err: error }, 'links cannot be loaded now: trying again');
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }
}

export interface OpenAnswerStore extends AnswerStore {
  close(): Promise<void>;
}

/** Opens the store of kept answers, and has it swept from time to time. */
export async function openAnswers(dataDir: string, clock: Clock, logger: Logger): Promise<OpenAnswerStore> {
  const answers = createLevelAnswerStore(await openStore(join(dataDir, 'stores', 'answers'), clock, logger), clock);
  const sweeping = setInterval(() => {
    answers.sweep().catch((error: Error) => logger.warn({ err: error }, 'kept answers could not be swept'));
  }, answerSweepIntervalMs).unref();
  return {
    ...answers,
    close() {
      clearInterval(sweeping);
      return answers.close();
    },
  };
}

/** Kept answers cannot be made again: without them, a retry that is older than the damage is decided by its command id alone. */
async function openStore(folder: string, clock: Clock, logger: Logger): Promise<StateStore> {
  try {
    return await openLevelStateStore({ folder });
  } catch (error) {
    if (!(error instanceof StoreDamaged)) throw error;
    const movedTo = await setAsideFolder(folder, clock);
    logger.warn({ err: error, movedTo }, 'the store of kept answers was set aside');
    return openLevelStateStore({ folder });
  }
}
