/** A process that takes the lock of the folder in its argument, says so, and keeps it until it is killed. */
import { openProcessLock } from '../../../../src/adapters/level/process-lock.ts';

await openProcessLock(process.argv[2] ?? '').then(
  () => console.log('held'),
  (error: Error) => console.log(`${error.name}: ${error.message}`),
);
process.stdin.resume();
