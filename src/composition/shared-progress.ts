/**
 * Where the fold of all instances stands, as one of them knows it: from its own tasks, from what Redis tells, from answers of
 * other instances; and how old what is missing can be, from where the log ends.
 */
import type { Clock } from '../ports/clock.ts';
import { type EventLog, LogUnavailable } from '../ports/event-log.ts';
import type { PartitionPosition, StatisticsProgress } from '../ports/statistics-read-model.ts';
import { LagMarks } from './lag-marks.ts';

export interface SharedProgressOptions {
  readonly log: Pick<EventLog, 'endOffset' | 'partitions'>;
  readonly clock: Clock;
  /** Positions that are known besides those told by {@link SharedProgress.note}. */
  readonly positions: () => readonly PartitionPosition[];
  /** Age of the oldest visit that this instance has journaled and that is not in the log yet, ms. */
  readonly journalAgeMs: () => number;
  /** Why tasks of this instance have stopped for good, or null. */
  readonly halted: () => string | null;
}

export interface SharedProgress {
  progress(): StatisticsProgress;
  /** The same after the log was asked where it ends, unless that was less than a moment ago. */
  progressNow(): Promise<StatisticsProgress>;
  onProgress(listener: (progress: StatisticsProgress) => void): () => void;
  /** A position was heard of. */
  note(position: PartitionPosition): void;
  /** What {@link SharedProgressOptions.positions} gives has changed. */
  changed(): void;
  /** Where a partition of visits ended when that was asked last. */
  endOffset(partition: number): number;
  /** For how long the log has not said where it ends, ms. */
  silenceMs(): number;
  close(): void;
}

const pollIntervalMs = 1_000;
const freshMs = 20;
/** Whoever asks for the progress now does not wait longer for an answer. */
const askMaxMs = 500;

export function createSharedProgress(options: SharedProgressOptions): SharedProgress {
  const { log, clock } = options;
  const partitions = log.partitions('visits');
  const known: PartitionPosition[] = Array.from({ length: partitions }, (_, partition) => {
    return { partition, nextOffset: 0, streamTimeMs: 0 };
  });
  const lags = known.map(() => new LagMarks());
  const ends = known.map(() => 0);
  const listeners = new Set<(progress: StatisticsProgress) => void>();
  let askedAtMs = clock.monotonicMs();
  let asking: Promise<void> | null = null;
  let telling = false;

  const polling = setInterval(() => void ask(), pollIntervalMs).unref();

  /** Never rejects: while the log cannot be asked, what is known gets older. */
  function ask(): Promise<void> {
    asking ??= askAll().finally(() => {
      asking = null;
    });
    return asking;
  }

  async function askAll(): Promise<void> {
    const startedAtMs = clock.monotonicMs();
    try {
      const now = await Promise.all(ends.map((_, partition) => log.endOffset('visits', partition)));
      for (const [partition, end] of now.entries()) {
        ends[partition] = Math.max(ends[partition] ?? 0, end);
        lags[partition]?.note(ends[partition] ?? 0, startedAtMs);
      }
      askedAtMs = startedAtMs;
    } catch (error) {
      if (!(error instanceof LogUnavailable)) throw error;
    }
  }

  function note(position: PartitionPosition): void {
    const before = known[position.partition];
    if (before === undefined || before.nextOffset >= position.nextOffset) return;
    known[position.partition] = { ...position, streamTimeMs: Math.max(before.streamTimeMs, position.streamTimeMs) };
    changed();
  }

  /** Many positions change within one turn: listeners hear of them once. */
  function changed(): void {
    if (telling || listeners.size === 0) return;
    telling = true;
    queueMicrotask(() => {
      telling = false;
      const now = progress();
      for (const listener of [...listeners]) listener(now);
    });
  }

  function progress(): StatisticsProgress {
    for (const position of options.positions()) {
      const before = known[position.partition];
      if (before !== undefined && before.nextOffset < position.nextOffset) known[position.partition] = { ...position };
    }
    const nowMs = clock.monotonicMs();
    const pendingMs = known.map(({ nextOffset }, partition) => lags[partition]?.lagMs(nextOffset, nowMs) ?? 0);
    // What came since the log was asked may be pending as well.
    const lagMs = Math.max(options.journalAgeMs(), ...pendingMs, nowMs - askedAtMs);
    return { partitions: [...known], lagMs, rebuild: null, halted: options.halted() };
  }

  return {
    progress,
    async progressNow() {
      if (clock.monotonicMs() - askedAtMs > freshMs) {
        let timer: NodeJS.Timeout | undefined;
        const late = new Promise<void>((resolve) => {
          timer = setTimeout(resolve, askMaxMs);
        });
        // A question that is under way may have been asked too early.
        await Promise.race([asking === null ? ask() : asking.then(ask), late]);
        clearTimeout(timer);
      }
      return progress();
    },
    onProgress(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    note,
    changed,
    endOffset: (partition) => ends[partition] ?? 0,
    silenceMs: () => clock.monotonicMs() - askedAtMs,
    close: () => clearInterval(polling),
  };
}
