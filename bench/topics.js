/** Topics for measurements, made as the program makes its own. */
import { setTimeout as delay } from 'node:timers/promises';
import { ensureTopics } from '../dist/adapters/kafka/ensure-topics.js';

const triesMax = 30;
const pauseMs = 500;

/** A broker learns of a new topic a little later than it says that it is made. */
export async function makeTopics(kafka, partitions) {
  for (let tries = 1; ; tries++) {
    try {
      await ensureTopics(kafka, partitions);
      return;
    } catch (error) {
      if (error.name !== 'LogUnavailable' || tries === triesMax) throw error;
      await delay(pauseMs);
    }
  }
}
