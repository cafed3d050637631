/** Reads that a thread was asked for and has not answered yet: bounded in number and time, settled by what it sends back. */
import { StatisticsUnavailable } from '../ports/statistics-read-model.ts';
import type { StoreAnswer, StoreRequest } from '../ports/task-stores.ts';

/** Reads under way at once; more are refused so that a stuck thread cannot fill the memory. */
const readsMax = 10_000;
const readTimeoutMs = 10_000;

export interface ReadQuestion {
  readonly type: 'read';
  readonly id: number;
  readonly request: StoreRequest;
}

export type ReadReply =
  | { readonly type: 'answer'; readonly id: number; readonly answer: StoreAnswer }
  | { readonly type: 'failure'; readonly id: number; readonly message: string };

interface PendingRead {
  readonly resolve: (answer: StoreAnswer) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export class ThreadReads {
  private readonly post: (question: ReadQuestion) => void;
  private readonly pending = new Map<number, PendingRead>();
  private nextId = 1;

  constructor(post: (question: ReadQuestion) => void) {
    this.post = post;
  }

  /** Throws `StatisticsUnavailable` when the thread fails, does not answer in time, or has too much to answer already. */
  read(request: StoreRequest): Promise<StoreAnswer> {
    return new Promise((resolve, reject) => {
      if (this.pending.size >= readsMax) {
        reject(new StatisticsUnavailable('too many reads are under way'));
        return;
      }
      const id = this.nextId++;
      const timer = setTimeout(() => {
        this.take(id)?.reject(new StatisticsUnavailable(`no answer within ${readTimeoutMs} ms`));
      }, readTimeoutMs);
      this.pending.set(id, { resolve, reject, timer });
      this.post({ type: 'read', id, request });
    });
  }

  settle(reply: ReadReply): void {
    const read = this.take(reply.id);
    if (reply.type === 'answer') read?.resolve(reply.answer);
    else read?.reject(new StatisticsUnavailable(reply.message));
  }

  /** The thread will answer none of them. */
  rejectAll(why: string): void {
    for (const id of [...this.pending.keys()]) this.take(id)?.reject(new StatisticsUnavailable(why));
  }

  private take(id: number): PendingRead | undefined {
    const read = this.pending.get(id);
    this.pending.delete(id);
    clearTimeout(read?.timer);
    return read;
  }
}
