/**
 * One connection to Redis for calls of our functions. When Redis is away a call fails within its deadline and after that at
 * once, until Redis is back and has the functions again. Nothing is queued, nothing is sent twice.
 */
import { Redis } from 'ioredis';
import type { Logger } from '../../ports/logger.ts';
import type { Random } from '../../ports/random.ts';
import { functionLibrary, nameInRedis, type RedisFunction } from './function-library.ts';
import { type RedisAddress, type RedisDeadlines, reconnectDelay, redisClientOptions } from './redis-client-options.ts';
import { RedisUnavailable } from './redis-unavailable.ts';

export interface RedisConnectionOptions extends RedisAddress, RedisDeadlines {
  readonly logger: Logger;
  readonly random: Random;
}

export interface RedisConnection {
  /**
   * Calls a function of the library. Texts of the answer are buffers. Throws {@link RedisUnavailable}: not asked, or the
   * outcome is unknown.
   */
  call(name: RedisFunction, keys: readonly string[], args: readonly (string | Buffer)[]): Promise<unknown>;
  /** Whether a call has a chance now. */
  isReady(): boolean;
  /** Calls `listener` each time when Redis can be asked again. Returns the function that ends it. */
  onReady(listener: () => void): () => void;
  close(): void;
}

/** Calls without an answer at once; beyond it they fail at once. */
const callsUnderWayMax = 4_096;
/** States of a server that pass, or that a person has to end; ours is only to come again. */
const passingError =
  /^(LOADING|BUSY|MASTERDOWN|READONLY|OOM|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|MISCONF|NOAUTH|NOPERM|WRONGPASS|MOVED|UNKILLABLE)\b|max number of clients/;
/** After these another connection may lead to a better server. */
const reconnectingError = /^(READONLY|NOAUTH|MASTERDOWN|MOVED)\b/;
/** The server is not ready, or somebody flushed the functions: loading them succeeds when it can be asked again. */
const reloadingError = /^(LOADING|BUSY)\b|Function not found/;

/** Begins to connect. It is ready later, or again and again: {@link RedisConnection.onReady}. */
export function openRedisConnection(options: RedisConnectionOptions): RedisConnection {
  const { logger } = options;
  const client = new Redis(redisClientOptions(options, options, options.random));
  const listeners = new Set<() => void>();
  let isReady = false;
  let isClosed = false;
  let isToldAway = false;
  let underWay = 0;
  let failedLoads = 0;
  let loadTimer: NodeJS.Timeout | undefined;

  function away(error: unknown): void {
    isReady = false;
    if (isToldAway || isClosed) return;
    isToldAway = true;
    logger.warn({ err: error }, 'Redis is away');
  }

  async function load(): Promise<void> {
    clearTimeout(loadTimer);
    try {
      await client.call('FUNCTION', 'LOAD', 'REPLACE', functionLibrary);
    } catch (error) {
      away(error);
      if (client.status !== 'ready') return;
      // A connection that is made resets the client's own delays.
      failedLoads += 1;
      const again = isTimeout(error) || reconnectingError.test(messageOf(error)) ? () => client.disconnect(true) : load;
      loadTimer = setTimeout(() => void again(), reconnectDelay(failedLoads, options.random));
      return;
    }
    if (isClosed || client.status !== 'ready') return;
    isReady = true;
    failedLoads = 0;
    if (isToldAway) logger.info({}, 'Redis is back');
    isToldAway = false;
    for (const listener of listeners) listener();
  }

  function send(name: RedisFunction, keys: readonly string[], args: readonly (string | Buffer)[]): Promise<unknown> {
    return client.callBuffer('FCALL', nameInRedis(name), keys.length, ...keys, ...args);
  }

  async function call(
    name: RedisFunction,
    keys: readonly string[],
    args: readonly (string | Buffer)[],
  ): Promise<unknown> {
    if (!isReady) throw new RedisUnavailable('Redis is away');
    if (underWay >= callsUnderWayMax) throw new RedisUnavailable('too many calls of Redis are under way');
    underWay += 1;
    try {
      return await send(name, keys, args);
    } catch (error) {
      throw unavailable(name, error);
    } finally {
      underWay -= 1;
    }
  }

  /** What a failed call means for the connection, as the error for the caller. */
  function unavailable(name: RedisFunction, error: unknown): Error {
    const message = messageOf(error);
    if (isTimeout(error)) {
      away(error);
      client.disconnect(true);
    } else if (reconnectingError.test(message)) {
      away(error);
      client.disconnect(true);
    } else if (reloadingError.test(message)) {
      away(error);
      void load();
    } else if (isReplyError(error) && !passingError.test(message)) {
      return new Error(`Redis refused ${name}: ${message}`, { cause: error });
    }
    return new RedisUnavailable(`${name}: ${message}`, { cause: error });
  }

  client.on('error', away);
  client.on('close', () => away(new RedisUnavailable('the connection to Redis ended')));
  client.on('ready', () => void load());
  client.connect().catch(away);

  return {
    call,
    isReady: () => isReady,
    onReady(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      isClosed = true;
      isReady = false;
      clearTimeout(loadTimer);
      listeners.clear();
      client.disconnect();
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function isTimeout(error: unknown): boolean {
  return messageOf(error) === 'Command timed out';
}

/** An answer of the server, not an event of the connection. */
function isReplyError(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError';
}
