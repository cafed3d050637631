/**
 * `npm start` and the image bound the heap of the main thread: it needs little, and without a bound Node 24 lets more garbage gather the
 * more memory a machine has (400 MiB instead of 260 with a million links). Bounds of V8 hold for all threads that are begun later as
 * well, and those that fold would be slower under them.
 */
import { setFlagsFromString } from 'node:v8';

const bounds = ['--max-old-space-size', '--max-semi-space-size'];

/** From now on threads are begun without the bounds that Node's command line set. Those of `NODE_OPTIONS` stay. */
export function leaveThreadsUnbounded(): void {
  for (const bound of bounds) {
    if (process.execArgv.some((argument) => argument.startsWith(`${bound}=`))) setFlagsFromString(`${bound}=0`);
  }
}
