/** Entry of the thread that forwards visits: gives it a shipper to Kafka. */
import { parentPort, workerData } from 'node:worker_threads';
import { createVisitShipper } from '../adapters/kafka/kafka-visit-shipper.ts';
import { systemClock } from '../adapters/system/system-clock.ts';
import { systemRandom } from '../adapters/system/system-random.ts';
import type { ForwarderThreadData, KafkaAddress } from './forwarder-messages.ts';
import { runForwarderThread } from './run-forwarder-thread.ts';

if (parentPort === null) throw new Error('this file runs as a worker thread');
await runForwarderThread(parentPort, workerData as ForwarderThreadData<KafkaAddress>, (address, logger) =>
  createVisitShipper({ ...address, logger, clock: systemClock, random: systemRandom }),
);
