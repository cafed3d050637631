/**
 * What must come out: folds each visit as soon as it is in the log, by code that shares nothing with the worker's, and remembers
 * every value that every row ever had.
 */
import type { LogRecord } from '../../src/ports/event-log.ts';

interface Tally {
  count: number;
  hash: number;
}

export interface OraclePoint {
  readonly streamTimeMs: number;
  /** By producer: highest sequence and the stream time at it. Silent ones left out. */
  readonly watermarks: Readonly<Record<string, readonly [number, number]>>;
  readonly folded: number;
}

export class Oracle {
  private readonly silenceMs: number;
  private readonly tallies = new Map<string, Tally>();
  private readonly values = new Map<string, Map<number, string>>();
  private readonly points: OraclePoint[] = [];
  private readonly seen = new Map<string, readonly [number, number]>();
  private streamTimeMs = 0;
  private folded = 0;

  constructor(silenceMs: number) {
    this.silenceMs = silenceMs;
    this.note();
  }

  take(record: LogRecord): void {
    this.fold(record);
    this.note();
  }

  /** What was known before the record at `offset`. */
  at(offset: number): OraclePoint {
    const point = this.points[offset];
    if (point === undefined) throw new Error(`the log has not come to ${offset}`);
    return point;
  }

  /** The row's text at a version; undefined if it never had that version. */
  valueAt(key: string, version: number): string | undefined {
    return this.values.get(key)?.get(version);
  }

  /** Each row's text and version now. */
  rows(): Map<string, readonly [version: number, text: string]> {
    const rows = new Map<string, readonly [number, string]>();
    for (const [key, versions] of this.values) {
      const last = [...versions].at(-1);
      if (last !== undefined) rows.set(key, last);
    }
    return rows;
  }

  private fold(record: LogRecord): void {
    if (record.invalid !== undefined) return;
    const known = this.seen.get(record.producerId);
    const isAlive = known !== undefined && this.streamTimeMs - known[1] <= this.silenceMs;
    if (isAlive && record.sequence <= known[0]) return;
    const text = record.value.toString();
    if (text === 'poison') return;
    const eventTimeMs = Number(text);
    for (const key of [`t${record.key}`, 'o']) {
      const tally = this.tallies.get(key) ?? { count: 0, hash: 7 };
      tally.count += 1;
      tally.hash = (tally.hash * 31 + (eventTimeMs % 1_000_003)) % 2_147_483_647;
      this.tallies.set(key, tally);
      const versions = this.values.get(key) ?? new Map<number, string>();
      versions.set(record.offset, `${tally.count},${tally.hash}`);
      this.values.set(key, versions);
    }
    this.streamTimeMs = Math.max(this.streamTimeMs, eventTimeMs);
    this.seen.set(record.producerId, [record.sequence, this.streamTimeMs]);
    this.folded += 1;
  }

  private note(): void {
    const alive = [...this.seen].filter(([, [, lastSeenMs]]) => this.streamTimeMs - lastSeenMs <= this.silenceMs);
    const { streamTimeMs, folded } = this;
    this.points.push({
      streamTimeMs,
      folded,
      watermarks: Object.fromEntries(alive.sort(([a], [b]) => (a < b ? -1 : 1))),
    });
  }
}
