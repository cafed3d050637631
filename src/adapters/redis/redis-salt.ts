/** One salt a day for all instances, kept by Redis no longer than it is needed: visitors hash alike wherever they come. */
import type { RedisConnection } from './redis-connection.ts';
import type { RedisKeys } from './redis-keys.ts';
import { textOf } from './redis-reply.ts';

/** The day itself, and what clocks of instances may be apart. */
const keptSeconds = 26 * 60 * 60;

/** A connection that has just been opened is waited for. */
const readyMaxMs = 1_000;

/**
 * Returns what `openVisitorSalt` asks: offers a salt for a UTC day and resolves with the first that was offered. An emptied Redis
 * takes it from the next instance that asks. Throws `RedisUnavailable`.
 */
export function createSaltAgreement(
  connection: RedisConnection,
  keys: RedisKeys,
): (day: number, salt: string) => Promise<string> {
  return async (day, salt) => {
    await ready(connection);
    return textOf(await connection.call('agree_on_salt', [keys.salt(day)], [salt, String(keptSeconds)]));
  };
}

/** Resolves when the connection is ready, or after a while all the same. */
function ready(connection: RedisConnection): Promise<void> {
  if (connection.isReady()) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      stop();
      resolve();
    };
    const timer = setTimeout(end, readyMaxMs);
    const stop = connection.onReady(end);
  });
}
