/**
 * How far Redis follows each partition: what every instance tells its readers, who waits for which offset. Fed by the channel
 * on which each push tells its position, and by the positions themselves whenever messages may have been missed.
 */
import type { Logger } from '../../ports/logger.ts';
import type { Random } from '../../ports/random.ts';
import type { PartitionPosition } from '../../ports/statistics-read-model.ts';
import { parsePosition } from './position-text.ts';
import type { RedisAddress, RedisDeadlines } from './redis-client-options.ts';
import type { RedisConnection } from './redis-connection.ts';
import type { RedisKeys } from './redis-keys.ts';
import { textOf } from './redis-reply.ts';
import { openRedisSubscriber } from './redis-subscriber.ts';

export interface RedisProgressOptions extends RedisAddress, RedisDeadlines {
  readonly connection: RedisConnection;
  readonly keys: RedisKeys;
  readonly logId: string;
  readonly partitions: number;
  readonly logger: Logger;
  readonly random: Random;
}

export interface RedisProgress {
  /** The furthest position known of each partition that ever had one, in order of partitions. */
  positions(): readonly PartitionPosition[];
  /** Calls `listener` with each position that is further than the one before. Returns the function that ends it. */
  onPosition(listener: (position: PartitionPosition) => void): () => void;
  /** False while messages may be missed: then the positions may be old. */
  isCurrent(): boolean;
  close(): void;
}

/** Opens a connection of its own for the channel. */
export function openRedisProgress(options: RedisProgressOptions): RedisProgress {
  const { connection, keys, logId, logger, partitions } = options;
  const known = new Map<number, PartitionPosition>();
  const listeners = new Set<(position: PartitionPosition) => void>();
  let isCurrent = false;
  let reading = 0;

  function hear(text: string): void {
    const position = parsePosition(text);
    if (position === null || position.logId !== logId || position.partition >= partitions) return;
    const { partition, nextOffset, streamTimeMs } = position;
    const before = known.get(partition);
    // A Redis that was rolled back is not where the readers are.
    if (before !== undefined && before.nextOffset >= nextOffset) return;
    const further = { partition, nextOffset, streamTimeMs };
    known.set(partition, further);
    for (const listener of listeners) listener(further);
  }

  /** Both connections come back one after the other: what is read when both are there is all there is. */
  async function readAll(): Promise<void> {
    isCurrent = false;
    reading += 1;
    const current = reading;
    try {
      const all = Array.from({ length: partitions }, (_, partition) =>
        connection.call('position', [keys.position(partition)], []),
      );
      for (const text of await Promise.all(all)) hear(textOf(text));
      if (current === reading) isCurrent = true;
    } catch (error) {
      logger.debug({ err: error }, 'positions cannot be read from Redis now');
    }
  }

  const stopListening = connection.onReady(() => void readAll());
  const subscriber = openRedisSubscriber({
    ...options,
    channel: keys.progressChannel,
    onMessage: hear,
    onListening: () => void readAll(),
  });

  return {
    positions: () => [...known.values()].sort((a, b) => a.partition - b.partition),
    onPosition(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    isCurrent: () => isCurrent && subscriber.isListening(),
    close() {
      stopListening();
      listeners.clear();
      subscriber.close();
    },
  };
}
