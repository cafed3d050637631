/** One opened set of adapters: what a mode gives to the application, whatever the mode. */

import type { Door } from '../http/app-options.ts';
import type { FoldCounts, JournalBacklog } from '../http/metrics.ts';
import type { AnswerStore } from '../ports/answer-store.ts';
import type { Clock } from '../ports/clock.ts';
import type { EventLog } from '../ports/event-log.ts';
import type { LinkBarrier } from '../ports/link-barrier.ts';
import type { Logger } from '../ports/logger.ts';
import type { Random } from '../ports/random.ts';
import type { StatisticsReadModel } from '../ports/statistics-read-model.ts';
import type { VisitJournal } from '../ports/visit-journal.ts';
import type { VisitLimits } from '../ports/visit-limits.ts';
import type { VisitorSalt } from '../ports/visitor-salt.ts';
import type { OpenLinkTable } from '../projections/link-table.ts';

export interface Adapters {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** From which codes and every other key are derived. */
  readonly secret: string;
  readonly log: EventLog;
  readonly journal: VisitJournal;
  /** Loaded: it holds every event that the log held when it was opened. */
  readonly linkTable: OpenLinkTable;
  readonly barrier: LinkBarrier;
  readonly limits: VisitLimits;
  readonly statistics: StatisticsReadModel;
  readonly answers: AnswerStore;
  readonly salt: VisitorSalt;
  /** The next offset of a partition of `visits`, as known now; embedded it includes everything journaled. */
  visitsEnd(partition: number): number;
  /** The same, asked of the log. Rejects with `LogUnavailable`. */
  askVisitsEnd(partition: number): Promise<number>;
  /** What became of the visits that the log held, since their stores were made. */
  foldCounts(): FoldCounts;
  /** Write errors of the journal since the start, and how long its last sync took, ms. */
  journalFigures(): { readonly writeErrors: number; readonly lastSyncMs: number };
  /** What of the journal is yet to be forwarded; not there where the journal is the log itself. */
  readonly journalBacklog?: () => JournalBacklog;
  /** Calls `listener` with the duration of each commit of the fold, ms. */
  onCommit(listener: (durationMs: number) => void): void;
  /** Why changes are no longer taken, or null. */
  problem(): string | null;
  /** By part that this mode has beside links and statistics: `ok`, or one sentence on what is degraded. */
  checks(): Readonly<Record<string, string>>;
  /** What other instances ask, if there are any. */
  readonly internalDoor: Door | null;
  /** Commits what is folded and closes everything; nothing is lost without it, the next start only takes longer. */
  close(): Promise<void>;
}
