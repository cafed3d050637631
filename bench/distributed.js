/** The distributed mode against a real Kafka and a real Redis on loopback, both started for it. */
import { startServices } from '../scripts/services.js';
import { measureDistributedSystem } from './distributed-system.js';
import { measurePartitionFold } from './partition-fold.js';
import { measureTakeover } from './takeover.js';

const parts = { fold: measurePartitionFold, system: measureDistributedSystem, takeover: measureTakeover };

export async function measure(context) {
  const rows = [];
  const details = {};
  for (const [name, measurePart] of Object.entries(parts)) {
    if (context.parts.length > 0 && !context.parts.includes(name)) continue;
    // Each with services of its own: what one leaves in them would be the next one's load.
    const services = await startServices({ own: true, heapMb: 1_024 });
    try {
      const result = await measurePart(context, services);
      rows.push(...result.rows);
      details[name] = result.details;
    } finally {
      await services.stop();
    }
  }
  return { rows, details };
}
