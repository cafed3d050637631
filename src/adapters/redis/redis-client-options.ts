/** How every connection to Redis is made: address, TLS, user, deadlines, reconnects. */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { RedisOptions } from 'ioredis';
import type { Random } from '../../ports/random.ts';

export interface RedisAddress {
  /** `redis://` or `rediss://` (TLS), with host, port, user, password and database as usual. */
  readonly url: string;
  /** User and password, in place of the URL's. */
  readonly username?: string;
  readonly password?: string;
  /** Certificates (PEM) that the server's must descend from; by default those that Node trusts. */
  readonly ca?: string;
}

export interface RedisDeadlines {
  /** A call without an answer for so long fails, and the connection is made anew. Default 800 ms. */
  readonly commandTimeoutMs?: number;
  /** Default 1,000 ms. */
  readonly connectTimeoutMs?: number;
}

const reconnectDelayMs = { first: 50, max: 2_000 };
const disconnectTimeoutMs = 500;

/** Throws for a URL that is none of Redis, and for certificates that cannot be read. */
export function redisClientOptions(
  address: RedisAddress,
  deadlines: RedisDeadlines,
  random: Random,
): RedisOptions & { readonly replyMapping: 'legacy' } {
  const url = new URL(address.url);
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:')
    throw new RangeError('a Redis URL begins with redis:// or rediss://');
  const host = url.hostname.replace(/^\[|\]$/g, '') || '127.0.0.1';
  const username = address.username ?? decodeURIComponent(url.username);
  const password = address.password ?? decodeURIComponent(url.password);
  const database = url.pathname.length > 1 ? Number(url.pathname.slice(1)) : 0;
  if (!Number.isSafeInteger(database) || database < 0)
    throw new RangeError('the path of a Redis URL is the number of a database');
  // What is no certificate would be passed over in silence.
  if (address.ca !== undefined) new X509Certificate(address.ca);
  return {
    host,
    port: url.port === '' ? 6379 : Number(url.port),
    db: database,
    ...(username === '' ? {} : { username }),
    ...(password === '' ? {} : { password }),
    ...(url.protocol === 'rediss:'
      ? {
          tls: {
            ...(isIP(host) === 0 ? { servername: host } : {}),
            ...(address.ca === undefined ? {} : { ca: address.ca }),
          },
        }
      : {}),
    protocol: 2,
    replyMapping: 'legacy',
    disableClientInfo: true,
    connectTimeout: deadlines.connectTimeoutMs ?? 1_000,
    commandTimeout: deadlines.commandTimeoutMs ?? 800,
    disconnectTimeout: disconnectTimeoutMs,
    // What was under way when a connection broke fails at once and is never sent twice; nothing waits for a connection.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    enableOfflineQueue: false,
    // Loading the functions is the check.
    enableReadyCheck: false,
    lazyConnect: true,
    retryStrategy: (attempt) => reconnectDelay(attempt, random),
  };
}

/** Between half and all of a delay that doubles, so that instances do not come back in step. */
export function reconnectDelay(attempt: number, random: Random): number {
  const delayMs = Math.min(reconnectDelayMs.first * 2 ** Math.min(attempt - 1, 16), reconnectDelayMs.max);
  return Math.round(delayMs * (0.5 + (random.bytes(1)[0] ?? 0) / 510));
}
