/** Starts the forwarder's thread with a shared log of files, from its sources. */
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { ForwarderThreadData } from '../../../src/composition/forwarder-messages.ts';
import type { FileShipperOptions } from './file-shipper.ts';

const program = fileURLToPath(new URL('forwarding-thread.ts', import.meta.url));

/** Through tsx's own loader: Node 20 does not take it over into a thread. */
export function startForwardingThread(workerData: ForwarderThreadData<FileShipperOptions>): Worker {
  const names = `${JSON.stringify(program)}, ${JSON.stringify(import.meta.url)}`;
  const load = `import('tsx/esm/api').then(({ tsImport }) => tsImport(${names}))`;
  return new Worker(load, { eval: true, workerData });
}
