/**
 * The main thread's side of the statistics thread: starts it, asks it for rows, keeps what it tells about its progress, and
 * stops it so that everything journaled is committed.
 */
import { Worker } from 'node:worker_threads';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { StatisticsProgress } from '../ports/statistics-read-model.ts';
import type { TaskStoreReader } from '../ports/task-stores.ts';
import { sumCounts, type TaskCounts } from '../worker/checkpoint.ts';
import type { TaskStatus } from '../worker/task.ts';
import { LagMarks } from './lag-marks.ts';
import { receivedFields } from './sending-logger.ts';
import type { FromStatisticsThread, StatisticsThreadData, ToStatisticsThread } from './statistics-messages.ts';
import { ThreadReads } from './thread-reads.ts';

const lagNoteIntervalMs = 50;

export interface StatisticsClientOptions {
  readonly data: StatisticsThreadData;
  /** The log's end now, all acknowledged visits included. */
  readonly endOffset: (partition: number) => number;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface StatisticsClient extends TaskStoreReader {
  progress(): StatisticsProgress;
  onProgress(listener: (progress: StatisticsProgress) => void): () => void;
  /** What became of the records of all partitions, as told last. */
  counts(): TaskCounts;
  /** Calls `listener` with the duration of each commit, ms. */
  onCommit(listener: (durationMs: number) => void): void;
  /** Folds and commits what is in the log, ends the thread. */
  close(): Promise<void>;
}

export function startStatisticsThread(options: StatisticsClientOptions): StatisticsClient {
  const { data, endOffset, clock, logger } = options;
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const thread = new Worker(new URL(`./statistics-thread.${extension}`, import.meta.url), { workerData: data });
  const reads = new ThreadReads((question) => thread.postMessage(question satisfies ToStatisticsThread));
  const listeners = new Set<(progress: StatisticsProgress) => void>();
  const statuses: (TaskStatus | undefined)[] = new Array(data.partitions).fill(undefined);
  const lags = statuses.map(() => new LagMarks());
  const commitListeners: ((durationMs: number) => void)[] = [];
  let failure: string | null = null;
  /** By partition, until the task goes on. */
  const halts = new Map<number, string>();
  let ended = false;

  const noteLags = setInterval(() => {
    for (const [partition, lag] of lags.entries()) lag.note(endOffset(partition), clock.monotonicMs());
  }, lagNoteIntervalMs);
  noteLags.unref();

  function progress(): StatisticsProgress {
    const nowMs = clock.monotonicMs();
    let lagMs = 0;
    let recordsDone = 0;
    let recordsTotal = 0;
    let readable = true;
    const partitions = statuses.map((status, partition) => {
      const applied = status?.committedOffset ?? 0;
      const lag = lags[partition] as LagMarks;
      lag.note(endOffset(partition), nowMs);
      lagMs = Math.max(lagMs, lag.lagMs(applied, nowMs));
      if (status === undefined || status.state === 'catching-up') readable = false;
      recordsDone += (status?.nextOffset ?? 0) - (status?.openedAtOffset ?? 0);
      recordsTotal += (status?.readableFromOffset ?? endOffset(partition)) - (status?.openedAtOffset ?? 0);
      return { partition, nextOffset: applied, streamTimeMs: status?.streamTimeMs ?? 0 };
    });
    const fraction = recordsTotal === 0 ? 0 : Math.min(1, recordsDone / recordsTotal);
    const rebuild = readable ? null : { fraction, recordsDone, recordsTotal };
    return { partitions, lagMs, rebuild, halted: failure ?? halts.values().next().value ?? null };
  }

  function tell(): void {
    if (listeners.size === 0) return;
    const now = progress();
    for (const listener of [...listeners]) listener(now);
  }

  thread.on('message', (message: FromStatisticsThread) => {
    switch (message.type) {
      case 'answer':
      case 'failure':
        reads.settle(message);
        break;
      case 'progress':
        statuses[message.status.partition] = message.status;
        halts.delete(message.status.partition);
        if (message.commitDurationMs !== null) {
          for (const listener of commitListeners) listener(message.commitDurationMs);
        }
        tell();
        break;
      case 'halted':
        halts.set(message.partition, message.reason);
        tell();
        break;
      case 'log':
        logger[message.level](receivedFields(message.fields), message.message);
        break;
      case 'stopped':
        break;
    }
  });

  const exited = new Promise<void>((resolve) => {
    thread.on('error', (error: Error) => {
      failure = `the statistics thread failed: ${error.message}`;
      logger.error({ err: error }, 'the statistics thread failed');
    });
    thread.on('exit', (code) => {
      // A thread whose every task has halted ends too: what halted them is what must be told.
      if (!ended && halts.size === 0) failure ??= `the statistics thread ended with code ${code}`;
      reads.rejectAll('the statistics thread ended');
      clearInterval(noteLags);
      tell();
      resolve();
    });
  });

  return {
    read: (request) => reads.read(request),
    progress,
    onProgress(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    counts: () => sumCounts(statuses.map((status) => status?.counts)),
    onCommit: (listener) => void commitListeners.push(listener),
    async close() {
      ended = true;
      thread.postMessage({ type: 'stop' } satisfies ToStatisticsThread);
      await exited;
    },
  };
}
