/** A task's store as the Redis follower sees it: visits counted in rows with versions, by a few lines of a test's own. */
import type { FollowedCommit, RedisFollowerOptions } from '../../src/adapters/redis/redis-follower.ts';
import type { KeyRange } from '../../src/ports/state-store.ts';

const dayMs = 86_400_000;

export const linkOfRow = (rowKey: string): string | null => {
  if (rowKey.startsWith('t')) return rowKey.slice(1);
  return rowKey.startsWith('d') ? rowKey.slice(1, rowKey.indexOf('!')) : null;
};

export const linkOfRange = ({ gte, gt, lt }: KeyRange): string | null => {
  const lower = gte ?? gt ?? '';
  const code = linkOfRow(lower);
  return lower.startsWith('d') && lt?.startsWith(`d${code}!`) ? code : null;
};

export const scoresOf = (rowKey: string, bytes: Uint8Array) => {
  if (!rowKey.startsWith('t')) return null;
  const [visits, lastVisitAt] = textOf(bytes).split(' ').map(Number);
  return { visits: visits ?? 0, lastVisitAt: lastVisitAt ?? 0 };
};

export function totalsKey(code: string): string {
  return `t${code}`;
}

export function dayKey(code: string, day: number): string {
  return `d${code}!${String(day).padStart(6, '0')}`;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).subarray(8).toString();
}

export class FollowedStore {
  readonly partition: number;
  readonly rows = new Map<string, Buffer>();
  /** How often rows were read for a refill or to put a link whole. */
  readonly reads = { refills: 0, links: 0 };
  nextOffset = 0;
  streamTimeMs = 0;
  private changed = new Map<string, Buffer>();

  constructor(partition = 0) {
    this.partition = partition;
  }

  /** Counts a visit: as `<visits> <last visit>` in the link's totals and day, and in the row of no link. */
  visit(code: string, at: number): void {
    const day = Math.floor(at / dayMs);
    for (const rowKey of [totalsKey(code), dayKey(code, day), 'o']) {
      const before = this.rows.get(rowKey);
      const [visits = 0, lastVisitAt = 0] = before === undefined ? [] : textOf(before).split(' ').map(Number);
      const row = Buffer.alloc(8);
      row.writeBigUInt64BE(BigInt(this.nextOffset));
      const bytes = Buffer.concat([row, Buffer.from(`${visits + 1} ${Math.max(lastVisitAt, at)}`)]);
      this.rows.set(rowKey, bytes);
      this.changed.set(rowKey, bytes);
    }
    this.nextOffset += 1;
    this.streamTimeMs = Math.max(this.streamTimeMs, at);
  }

  commit(): FollowedCommit {
    const rows = this.changed;
    this.changed = new Map();
    return { partition: this.partition, nextOffset: this.nextOffset, streamTimeMs: this.streamTimeMs, rows };
  }

  position() {
    return { nextOffset: this.nextOffset, streamTimeMs: this.streamTimeMs };
  }

  /** What a row says, as text. */
  textOf(rowKey: string): string | undefined {
    const bytes = this.rows.get(rowKey);
    return bytes === undefined ? undefined : textOf(bytes);
  }

  rowsOf(code: string): (readonly [string, Buffer])[] {
    return [...this.rows].filter(([rowKey]) => linkOfRow(rowKey) === code);
  }

  async *arraysOfRows(): AsyncGenerator<readonly (readonly [string, Buffer])[]> {
    this.reads.refills += 1;
    const own = [...this.rows].filter(([rowKey]) => linkOfRow(rowKey) === null);
    if (own.length > 0) yield own;
    const codes = [...new Set([...this.rows.keys()].map(linkOfRow))].filter((code) => code !== null);
    for (let at = 0; at < codes.length; at += 300) {
      // By link, in one pass.
      const wanted = new Set(codes.slice(at, at + 300));
      yield [...this.rows].filter(([rowKey]) => wanted.has(linkOfRow(rowKey) ?? ''));
    }
  }
}

/** The functions of a follower over several such stores. */
export function functionsOver(
  stores: readonly FollowedStore[],
): Pick<RedisFollowerOptions, 'linkOfRow' | 'scoresOf' | 'rowsOfLink' | 'activeRows'> {
  const storeOf = (partition: number): FollowedStore => {
    const store = stores.find((candidate) => candidate.partition === partition);
    if (store === undefined) throw new Error(`no store of partition ${partition}`);
    return store;
  };
  return {
    linkOfRow,
    scoresOf,
    async rowsOfLink(partition, code) {
      const store = storeOf(partition);
      store.reads.links += 1;
      return store.rowsOf(code);
    },
    activeRows: (partition) => storeOf(partition).arraysOfRows(),
  };
}
