/** Priority of the thread at hand, for threads whose work may wait while the processors are needed for answers. */
import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { isMainThread } from 'node:worker_threads';

/** Nice value: a tenth of the share of an ordinary thread that wants the same processor, and all of what nobody wants. */
const backgroundPriority = 10;

/**
 * Lets other threads and processes go first, for the rest of this thread's life. Linux has priorities for threads (setpriority(2),
 * "C library/kernel differences"); elsewhere, and where it is forbidden, nothing changes. Throws in the main thread, whose priority
 * would become that of all threads begun later. Returns whether the thread has it.
 */
export function yieldToOtherThreads(): boolean {
  if (isMainThread) throw new Error('the main thread yields to nobody');
  try {
    // <process>/task/<thread>
    const threadId = Number(readlinkSync('/proc/thread-self').split('/')[2]);
    if (!Number.isSafeInteger(threadId) || threadId <= 0) return false;
    setPriority(threadId, backgroundPriority);
    return true;
  } catch {
    return false;
  }
}
