/**
 * Reads rows of links from Redis, in place of the owner of their task. What Redis does not hold completely, and what is not
 * what was written there, is no answer: then the owner is asked.
 */
import type { Logger } from '../../ports/logger.ts';
import type { KeyRange, StoreEntry } from '../../ports/state-store.ts';
import type { StoreAnswer, StoreRequest } from '../../ports/task-stores.ts';
import { openCheckedRow, versionBytes } from './checked-row.ts';
import { parsePosition, type RedisPosition } from './position-text.ts';
import type { RedisConnection } from './redis-connection.ts';
import type { RedisKeys } from './redis-keys.ts';
import { bytesOf, listOf, textOf } from './redis-reply.ts';

export interface RedisStoreReaderOptions {
  readonly connection: RedisConnection;
  readonly keys: RedisKeys;
  readonly logId: string;
  readonly partitions: number;
  readonly logger: Logger;
  /** The link whose row it is; null for a row of no link. */
  readonly linkOfRow: (rowKey: string) => string | null;
  /** The one link of all rows that a range can hold, null when it may hold rows of others. */
  readonly linkOfRange: (range: KeyRange) => string | null;
}

export interface RedisStoreReader {
  /**
   * Null when Redis does not hold all that is asked for, or holds it at an earlier position than it was read at before: ask the
   * owner. Throws `RedisUnavailable`: ask the owner as well.
   */
  read(request: StoreRequest): Promise<StoreAnswer | null>;
  /**
   * Codes with the highest scores over all partitions, highest first, ties by code. A last visit is
   * in ms. Null when the lists are not whole. Throws `RedisUnavailable`.
   * @param count 1 to 3,000
   */
  highest(by: 'visits' | 'last-visit', count: number): Promise<readonly LinkScore[] | null>;
}

export interface LinkScore {
  readonly code: string;
  readonly score: number;
}

/** Links in one request; more are the owner's work. */
const hashesMax = 1_000;
const highestMax = 3_000;

export function createRedisStoreReader(options: RedisStoreReaderOptions): RedisStoreReader {
  const { connection, keys, logId, logger } = options;
  /** The furthest position answered for each partition: numbers that were shown never fall. */
  const answeredOffsets = new Map<number, number>();

  function positionKeys(partition: number): string[] {
    return [keys.position(partition), keys.byVisits(partition), keys.byLastVisit(partition)];
  }

  function believed(text: string, partition: number): RedisPosition | null {
    const position = parsePosition(text);
    if (position === null || position.partition !== partition || position.logId !== logId) return null;
    return position.nextOffset < (answeredOffsets.get(partition) ?? 0) ? null : position;
  }

  async function read({ partition, keys: rowKeys, range }: StoreRequest): Promise<StoreAnswer | null> {
    const rangeLink = range === undefined ? null : options.linkOfRange(range);
    const lower = range?.gte ?? range?.gt;
    if (range !== undefined && (rangeLink === null || lower === undefined || range.lt === undefined)) return null;

    // Hashes in the order of the call, the range's first, each with the places of its rows among those asked for.
    const places = new Map<string, number[]>();
    if (rangeLink !== null) places.set(keys.linkRows(partition, rangeLink), []);
    rowKeys.forEach((rowKey, place) => {
      const code = options.linkOfRow(rowKey);
      const key = code === null ? keys.ownRow(partition, rowKey) : keys.linkRows(partition, code);
      const known = places.get(key);
      if (known === undefined) places.set(key, [place]);
      else known.push(place);
    });
    if (places.size > hashesMax) return null;

    const args = [logId, String(range?.limit ?? 0), range?.gte === undefined ? '0' : '1', lower ?? '', range?.lt ?? ''];
    for (const asked of places.values()) args.push(String(asked.length), ...asked.map((place) => rowKeys[place] ?? ''));
    const answer = listOf(await connection.call('read', [...positionKeys(partition), ...places.keys()], args));
    const position = believed(textOf(answer[0]), partition);
    if (position === null) return null;

    const values: (Uint8Array | undefined)[] = new Array(rowKeys.length).fill(undefined);
    let hash = 0;
    for (const [key, asked] of places) {
      hash += 1;
      const rows = answer[hash];
      if (!Array.isArray(rows)) return null;
      for (const [index, place] of asked.entries()) {
        if (rows[index] === null || rows[index] === undefined) continue;
        const payload = await payloadOf(key, rowKeys[place] ?? '', rows[index]);
        if (payload === null) return null;
        values[place] = payload;
      }
    }
    const entries = range === undefined ? [] : await entriesOf([...places.keys()][0] ?? '', range, answer[hash + 1]);
    if (entries === null) return null;
    answeredOffsets.set(partition, Math.max(position.nextOffset, answeredOffsets.get(partition) ?? 0));
    return { nextOffset: position.nextOffset, streamTimeMs: position.streamTimeMs, values, entries };
  }

  async function entriesOf(key: string, range: KeyRange, reply: unknown): Promise<readonly StoreEntry[] | null> {
    if (!Array.isArray(reply)) return null;
    const entries: StoreEntry[] = [];
    for (let at = 0; at < reply.length; at += 2) {
      const rowKey = textOf(reply[at]);
      const payload = await payloadOf(key, rowKey, reply[at + 1]);
      if (payload === null) return null;
      entries.push([rowKey, payload]);
    }
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return range.reverse === true ? entries.reverse() : entries;
  }

  /** A row that is not what was written takes its hash with it: the follower puts the link whole at its next visit. */
  async function payloadOf(key: string, rowKey: string, value: unknown): Promise<Buffer | null> {
    const bytes = openCheckedRow(rowKey, bytesOf(value));
    if (bytes !== null) return bytes.subarray(versionBytes);
    logger.warn({ key, rowKey }, 'a row in Redis is not what was written there: deleted');
    await connection.call('forget', [key], []);
    return null;
  }

  async function highest(by: 'visits' | 'last-visit', count: number): Promise<readonly LinkScore[] | null> {
    if (count < 1 || count > highestMax) throw new RangeError(`a list has 1 to ${highestMax} links`);
    const lists = await Promise.all(
      Array.from({ length: options.partitions }, async (_, partition) => {
        const list = by === 'visits' ? keys.byVisits(partition) : keys.byLastVisit(partition);
        const answer = await connection.call('highest', [...positionKeys(partition), list], [logId, String(count)]);
        const [text, whole, ...members] = listOf(answer);
        return believed(textOf(text), partition) === null || whole === undefined ? null : members.map(textOf);
      }),
    );
    const links: LinkScore[] = [];
    for (const list of lists) {
      if (list === null) return null;
      for (let at = 0; at < list.length; at += 2) links.push({ code: list[at] ?? '', score: Number(list[at + 1]) });
    }
    return links.sort((a, b) => b.score - a.score || (a.code < b.code ? -1 : 1)).slice(0, count);
  }

  return { read, highest };
}
