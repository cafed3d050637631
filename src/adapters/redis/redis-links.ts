/**
 * Links in Redis, for instances without a table and for those whose table still loads: newest version wins, and each newer one
 * is told on a channel, so that caches let the old one go. A link that is not here may exist all the same.
 */
import { crc32 } from 'node:zlib';
import type { Logger } from '../../ports/logger.ts';
import type { Random } from '../../ports/random.ts';
import type { RedisAddress, RedisDeadlines } from './redis-client-options.ts';
import type { RedisConnection } from './redis-connection.ts';
import type { RedisKeys } from './redis-keys.ts';
import { listOf, numberOf, textOf } from './redis-reply.ts';
import { openRedisSubscriber } from './redis-subscriber.ts';
import { RedisUnavailable } from './redis-unavailable.ts';

export interface RedisLinksOptions extends RedisAddress, RedisDeadlines {
  readonly connection: RedisConnection;
  readonly keys: RedisKeys;
  readonly logId: string;
  readonly partitions: number;
  readonly partitionOf: (code: string) => number;
  readonly logger: Logger;
  readonly random: Random;
  /** Whether this instance puts links: then it also voids those in a Redis that was rolled back. */
  readonly puts: boolean;
  /**
   * Whether the links found at the opening are voided: an earlier process may have ended without putting what it knew. Default no.
   */
  readonly voidsAtStart?: boolean;
  /** How long a link is kept after it was put. Default 7 days. */
  readonly ttlMs?: number;
  /** Links that wait while Redis is away; beyond it all of their partition in Redis are voided. Default 20,000. */
  readonly waitingMax?: number;
}

export interface StoredLink {
  readonly code: string;
  /** 1 after creation, one more with each effective event. */
  readonly version: number;
  /** The link as its reader wants it: opaque here. */
  readonly json: string;
}

export interface RedisLinks {
  /** Takes a link to put; never waits. A newer version takes the place of one that waits. */
  put(link: StoredLink): void;
  /** Null when it is not here. Throws `RedisUnavailable`. */
  find(code: string): Promise<StoredLink | null>;
  /**
   * Calls `listener` for each link that got a newer version, and with null when such calls may have been missed: then let all
   * go. Returns the function that ends it.
   */
  onChange(listener: (change: { readonly code: string; readonly version: number } | null) => void): () => void;
  /** Links taken that are not in Redis yet. */
  waiting(): number;
  close(): void;
}

const defaultTtlMs = 7 * 24 * 60 * 60_000;
const defaultWaitingMax = 20_000;
const linksPerCallMax = 200;
const bytesPerCallMax = 256 * 1024;
const retryMs = 250;

interface PartitionState {
  waiting: Map<string, StoredLink>;
  /** Number of the generation seen last, and calls of `put_links` seen done in it: before that stands a Redis that lost some. */
  generation: number;
  puts: number;
  isVoid: boolean;
  isPutting: boolean;
}

/** Opens a connection of its own for the channel. */
export function openRedisLinks(options: RedisLinksOptions): RedisLinks {
  const { connection, keys, logId, logger, partitionOf, random } = options;
  const ttlSeconds = Math.ceil((options.ttlMs ?? defaultTtlMs) / 1_000);
  const waitingMax = Math.ceil((options.waitingMax ?? defaultWaitingMax) / options.partitions);
  const listeners = new Set<(change: { readonly code: string; readonly version: number } | null) => void>();
  const states = Array.from(
    { length: options.partitions },
    (): PartitionState => ({
      waiting: new Map(),
      generation: 0,
      puts: 0,
      isVoid: options.voidsAtStart ?? false,
      isPutting: false,
    }),
  );
  const retries = new Set<NodeJS.Timeout>();
  let isClosed = false;

  function put(link: StoredLink): void {
    const partition = partitionOf(link.code);
    const state = states[partition];
    if (state === undefined) throw new RangeError(`no partition ${partition}`);
    if ((state.waiting.get(link.code)?.version ?? 0) > link.version) return;
    state.waiting.set(link.code, link);
    if (state.waiting.size > waitingMax) {
      state.waiting = new Map([[link.code, link]]);
      state.isVoid = true;
    }
    void putWaiting(partition, state);
  }

  async function putWaiting(partition: number, state: PartitionState): Promise<void> {
    if (state.isPutting) return;
    state.isPutting = true;
    try {
      // Links of one turn of the event loop share a call.
      await Promise.resolve();
      while (!isClosed && (state.waiting.size > 0 || state.isVoid) && connection.isReady()) {
        await putSome(partition, state);
      }
    } catch (error) {
      if (!(error instanceof RedisUnavailable))
        logger.error({ err: error, partition }, 'links cannot be put into Redis');
      const retry = setTimeout(() => {
        retries.delete(retry);
        void putWaiting(partition, state);
      }, retryMs);
      retries.add(retry);
    } finally {
      state.isPutting = false;
    }
  }

  async function putSome(partition: number, state: PartitionState): Promise<void> {
    const links: StoredLink[] = [];
    let bytes = 0;
    for (const link of state.waiting.values()) {
      if (links.length === linksPerCallMax || bytes > bytesPerCallMax) break;
      links.push(link);
      bytes += link.json.length;
    }
    const { isVoid } = state;
    const answer = await connection.call(
      'put_links',
      [keys.links(partition), ...links.map(({ code }) => keys.link(partition, code))],
      [
        logId,
        random.id(),
        String(state.generation),
        String(state.puts),
        isVoid ? '1' : '0',
        keys.linksChannel,
        String(ttlSeconds),
        ...links.flatMap((link) => [String(link.version), checkedJson(link), messageOf(link)]),
      ],
    );
    const [generation, puts] = listOf(answer).map(numberOf);
    state.generation = generation ?? 0;
    state.puts = puts ?? 0;
    if (isVoid) state.isVoid = false;
    for (const link of links) if (state.waiting.get(link.code) === link) state.waiting.delete(link.code);
  }

  async function find(code: string): Promise<StoredLink | null> {
    const partition = partitionOf(code);
    const key = keys.link(partition, code);
    const text = textOf(await connection.call('find_link', [keys.links(partition), key], [logId]));
    if (text === '') return null;
    const [, version, checksum, json] = /^\S+ (\d+) ([0-9a-f]+) ([\s\S]*)$/.exec(text) ?? [];
    const link = { code, version: Number(version), json: json ?? '' };
    if (checksum === checksumOf(link)) return link;
    logger.warn({ key }, 'a link in Redis is not what was written there: deleted');
    await connection.call('forget', [key], []);
    return null;
  }

  /** A call without links tells whether Redis lost any, and voids those that it holds when it did. */
  function onReady(): void {
    if (!options.puts) return;
    for (const [partition, state] of states.entries()) {
      putSome(partition, state).then(
        () => putWaiting(partition, state),
        (error: unknown) => logger.debug({ err: error, partition }, 'links in Redis cannot be checked now'),
      );
    }
  }

  function tell(change: { readonly code: string; readonly version: number } | null): void {
    for (const listener of listeners) listener(change);
  }

  const stopListening = connection.onReady(onReady);
  if (options.voidsAtStart) for (const [partition, state] of states.entries()) void putWaiting(partition, state);
  const subscriber = openRedisSubscriber({
    ...options,
    channel: keys.linksChannel,
    onMessage(message) {
      const [, code, version] = /^([A-Za-z0-9_-]+) (\d+)$/.exec(message) ?? [];
      if (code !== undefined) tell({ code, version: Number(version) });
    },
    onListening: () => tell(null),
  });

  return {
    put,
    find,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    waiting: () => states.reduce((sum, { waiting }) => sum + waiting.size, 0),
    close() {
      isClosed = true;
      stopListening();
      for (const retry of retries) clearTimeout(retry);
      listeners.clear();
      subscriber.close();
    },
  };
}

function messageOf(link: StoredLink): string {
  return `${link.code} ${link.version}`;
}

function checksumOf({ code, version, json }: StoredLink): string {
  return crc32(`${code} ${version} ${json}`).toString(16);
}

function checkedJson(link: StoredLink): string {
  return `${checksumOf(link)} ${link.json}`;
}
