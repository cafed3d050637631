/** What the main thread and the statistics thread say to each other. Structured-clone values only. */
import type { LogFields } from '../ports/logger.ts';
import type { TaskStatus } from '../worker/task.ts';
import type { ReadQuestion, ReadReply } from './thread-reads.ts';

export type ToStatisticsThread = ReadQuestion | { readonly type: 'stop' };

export type FromStatisticsThread =
  | ReadReply
  | { readonly type: 'progress'; readonly status: TaskStatus; readonly commitDurationMs: number | null }
  | { readonly type: 'halted'; readonly partition: number; readonly reason: string }
  | {
      readonly type: 'log';
      readonly level: 'info' | 'warn' | 'error';
      readonly fields: LogFields;
      readonly message: string;
    }
  | { readonly type: 'stopped' };

/** What the thread is started with. */
export interface StatisticsThreadData {
  readonly dataDir: string;
  readonly logId: string;
  readonly partitions: number;
  /** What `openSegmentReader` needs to follow the log. */
  readonly shared: SharedArrayBuffer;
}
