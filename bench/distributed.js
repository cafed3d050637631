/** The distributed mode against a real Kafka and a real Redis on loopback, both started for it. */
import { startServices } from '../scripts/services.js';
import { measurePartitionFold } from './partition-fold.js';

export async function measure(context) {
  const services = await startServices({ own: true, heapMb: 1_024 });
  try {
    const fold = await measurePartitionFold(context, services);
    return { rows: fold.rows, details: { fold: fold.details } };
  } finally {
    await services.stop();
  }
}
