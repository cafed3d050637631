/**
 * The main thread's side of the thread of the shared tasks: starts it, asks it for rows, keeps what it tells of its tasks, and
 * stops it so that everything folded is in the changelog.
 */
import { Worker } from 'node:worker_threads';
import type { Logger } from '../ports/logger.ts';
import type { LocalTasks, TaskPosition, TaskRole } from '../ports/task-stores.ts';
import { sumCounts, type TaskCounts } from '../worker/checkpoint.ts';
import type { PartitionStatus } from '../worker/partition-worker.ts';
import type { FromGroupWorkerThread, GroupWorkerThreadData, ToGroupWorkerThread } from './group-worker-messages.ts';
import { receivedFields } from './sending-logger.ts';
import { ThreadReads } from './thread-reads.ts';

export interface GroupWorkerClient extends LocalTasks {
  /** As told last, of each partition that this instance has a worker for. */
  statuses(): readonly PartitionStatus[];
  /** What became of the records of the tasks that run here. */
  counts(): TaskCounts;
  /** Calls `listener` when a task has moved or changed its state. Returns the function that ends it. */
  onChange(listener: () => void): () => void;
  onCommit(listener: (durationMs: number) => void): void;
  /** Why no task runs here any more, or null. */
  failure(): string | null;
  /** Commits and flushes what is folded, leaves the group, ends the thread. */
  close(): Promise<void>;
}

const closeTimeoutMs = 8_000;

export function startGroupWorkerThread(workerData: GroupWorkerThreadData, logger: Logger): GroupWorkerClient {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const thread = new Worker(new URL(`./group-worker-thread.${extension}`, import.meta.url), { workerData });
  const reads = new ThreadReads((question) => thread.postMessage(question satisfies ToGroupWorkerThread));
  const statuses = new Map<number, PartitionStatus>();
  const listeners = new Set<() => void>();
  const commitListeners: ((durationMs: number) => void)[] = [];
  let failure: string | null = null;
  let ended = false;

  function tell(): void {
    for (const listener of [...listeners]) listener();
  }

  /** Of many commits between two statuses the last one's. */
  function noteCommit(before: PartitionStatus | undefined, { task, commitDurationMs }: PartitionStatus): void {
    if (commitDurationMs === null || task?.committedOffset === before?.task?.committedOffset) return;
    for (const listener of commitListeners) listener(commitDurationMs);
  }

  thread.on('message', (message: FromGroupWorkerThread) => {
    switch (message.type) {
      case 'answer':
      case 'failure':
        reads.settle(message);
        break;
      case 'status':
        noteCommit(statuses.get(message.status.partition), message.status);
        statuses.set(message.status.partition, message.status);
        tell();
        break;
      case 'gone':
        statuses.delete(message.partition);
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
      failure = `the thread of the tasks failed: ${error.message}`;
      logger.error(
        { err: error },
        'the thread of the tasks failed: this instance counts no more until it is started again',
      );
    });
    thread.on('exit', (code) => {
      if (!ended) failure ??= `the thread of the tasks ended with code ${code}`;
      statuses.clear();
      reads.rejectAll('the thread of the tasks ended');
      tell();
      resolve();
    });
  });

  return {
    roleOf: (partition) => roleOf(statuses.get(partition)),
    positions: () => [...statuses.values()].flatMap(positionOf),
    read: (request) => reads.read(request),
    statuses: () => [...statuses.values()],
    counts: () => sumCounts([...statuses.values()].map(({ task }) => task?.counts)),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onCommit: (listener) => void commitListeners.push(listener),
    failure: () => failure,
    async close() {
      ended = true;
      const timer = setTimeout(() => void thread.terminate(), closeTimeoutMs);
      thread.postMessage({ type: 'stop' } satisfies ToGroupWorkerThread);
      await exited;
      clearTimeout(timer);
    },
  };
}

/** An owner that has not yet folded what was there when it took over knows less than the one before it. */
function roleOf(status: PartitionStatus | undefined): TaskRole | null {
  if (status?.state === 'running') return status.task?.state === 'running' ? 'active' : 'standby';
  return status?.state === 'standby' && status.replica !== null ? 'standby' : null;
}

function positionOf(status: PartitionStatus): readonly TaskPosition[] {
  const { partition, task, replica } = status;
  const role = roleOf(status);
  if (role === null) return [];
  const nextOffset = task?.committedOffset ?? replica?.checkpointOffset ?? 0;
  return [{ partition, role, nextOffset, streamTimeMs: task?.streamTimeMs ?? replica?.streamTimeMs ?? 0 }];
}
