/** Starts the forwarder's thread from its sources: with a shared log of files, or with Kafka as in the program. */
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { ForwarderThreadData } from '../../../src/composition/forwarder-messages.ts';
import type { KafkaAddress } from '../../../src/composition/group-worker-messages.ts';
import type { FileShipperOptions } from './file-shipper.ts';

export function startForwardingThread(data: ForwarderThreadData<FileShipperOptions>): Worker {
  return startFromSource('forwarding-thread.ts', data);
}

export function startKafkaForwardingThread(data: ForwarderThreadData<KafkaAddress>): Worker {
  return startFromSource('../../../src/composition/forwarder-thread.ts', data);
}

/** Through tsx's own loader: Node 20 does not take it over into a thread. */
function startFromSource(file: string, workerData: unknown): Worker {
  const program = fileURLToPath(new URL(file, import.meta.url));
  const names = `${JSON.stringify(program)}, ${JSON.stringify(import.meta.url)}`;
  const load = `import('tsx/esm/api').then(({ tsImport }) => tsImport(${names}))`;
  return new Worker(load, { eval: true, workerData });
}
