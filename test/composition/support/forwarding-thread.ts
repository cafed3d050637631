/** The forwarder's thread with a shared log of files. */
import { parentPort, workerData } from 'node:worker_threads';
import { runForwarderThread } from '../../../src/composition/run-forwarder-thread.ts';
import { createFileShipper } from './file-shipper.ts';

if (parentPort === null) throw new Error('this file runs as a worker thread');
await runForwarderThread(parentPort, workerData, createFileShipper);
