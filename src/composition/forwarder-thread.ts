/** Entry of the thread that brings journaled visits to Kafka. */
import { parentPort, workerData } from 'node:worker_threads';
import { createVisitShipper } from '../adapters/kafka/kafka-visit-shipper.ts';
import { systemClock } from '../adapters/system/system-clock.ts';
import { systemRandom } from '../adapters/system/system-random.ts';
import { yieldToOtherThreads } from '../adapters/system/thread-priority.ts';
import type { ForwarderThreadData } from './forwarder-messages.ts';
import type { KafkaAddress } from './group-worker-messages.ts';
import { runForwarderThread } from './run-forwarder-thread.ts';

if (parentPort === null) throw new Error('this file runs as a worker thread');
// Visits are safe in the journal; redirects go first where processors are short.
yieldToOtherThreads();
await runForwarderThread(parentPort, workerData as ForwarderThreadData<KafkaAddress>, (kafka, logger) =>
  createVisitShipper({ ...kafka, logger, clock: systemClock, random: systemRandom }),
);
