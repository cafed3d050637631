/**
 * A connection to Redis that listens to a channel. What was published while it was away is gone, so it says when it listens
 * again, and its owner reads what it needs anew.
 */
import { Redis } from 'ioredis';
import type { Logger } from '../../ports/logger.ts';
import type { Random } from '../../ports/random.ts';
import { type RedisAddress, type RedisDeadlines, reconnectDelay, redisClientOptions } from './redis-client-options.ts';

export interface RedisSubscriberOptions extends RedisAddress, RedisDeadlines {
  readonly logger: Logger;
  readonly random: Random;
  readonly channel: string;
  readonly onMessage: (message: string) => void;
  /** Called each time when it listens, first or again: messages before this moment were missed. */
  readonly onListening: () => void;
}

export interface RedisSubscriber {
  isListening(): boolean;
  close(): void;
}

/** A connection that says nothing may be dead. */
const pingIntervalMs = 5_000;

export function openRedisSubscriber(options: RedisSubscriberOptions): RedisSubscriber {
  const { channel, logger } = options;
  const client = new Redis(redisClientOptions(options, options, options.random));
  let isListening = false;
  let isClosed = false;
  let failures = 0;
  let reconnectTimer: NodeJS.Timeout | undefined;

  function reconnect(error: unknown): void {
    isListening = false;
    if (isClosed) return;
    logger.debug({ err: error, channel }, 'a channel of Redis is listened to anew');
    failures += 1;
    // A connection that is made resets the client's own delays.
    clearTimeout(reconnectTimer);
    reconnectTimer = setTimeout(() => client.disconnect(true), reconnectDelay(failures, options.random));
  }

  async function listen(): Promise<void> {
    try {
      await client.subscribe(channel);
    } catch (error) {
      reconnect(error);
      return;
    }
    isListening = true;
    failures = 0;
    options.onListening();
  }

  const pings = setInterval(() => {
    if (isListening) client.ping().catch(reconnect);
  }, pingIntervalMs);

  client.on('error', (error) => logger.debug({ err: error, channel }, 'a channel of Redis is away'));
  client.on('close', () => {
    isListening = false;
  });
  client.on('ready', () => void listen());
  client.on('message', (from: string, message: string) => {
    if (from === channel) options.onMessage(message);
  });
  client.connect().catch(() => undefined);

  return {
    isListening: () => isListening,
    close() {
      isClosed = true;
      isListening = false;
      clearInterval(pings);
      clearTimeout(reconnectTimer);
      client.disconnect();
    },
  };
}
