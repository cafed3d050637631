/**
 * Rows that wait to be pushed, the newest bytes of each, gathered by link: so that a link's rows travel together, and a round
 * of many need not be sorted first.
 */
import type { RowEntry } from './put-body.ts';

export class WaitingRows {
  /** Rows of each link, and under null those of no link. */
  private readonly byLink = new Map<string | null, RowEntry[]>();
  private rows = 0;
  private bytes = 0;

  get size(): number {
    return this.rows;
  }

  get byteSize(): number {
    return this.bytes;
  }

  /** Takes the place of the row that waits under its key. */
  add(code: string | null, row: RowEntry): void {
    const ofLink = this.byLink.get(code);
    if (ofLink === undefined) {
      this.byLink.set(code, [row]);
      this.rows += 1;
      this.bytes += row[1].length;
      return;
    }
    const place = ofLink.findIndex(([rowKey]) => rowKey === row[0]);
    const before = ofLink[place];
    if (before === undefined) {
      ofLink.push(row);
      this.rows += 1;
      this.bytes += row[1].length;
    } else {
      ofLink[place] = row;
      this.bytes += row[1].length - before[1].length;
    }
  }

  holds(code: string | null, rowKey: string): boolean {
    return this.byLink.get(code)?.some(([waiting]) => waiting === rowKey) ?? false;
  }

  /** Adds rows that were taken before those that wait now. */
  addOlder(older: WaitingRows): void {
    for (const [code, rows] of older.byLink) {
      for (const row of rows) if (!this.holds(code, row[0])) this.add(code, row);
    }
  }

  /** All rows, those of a link together. */
  *entries(): Generator<readonly [code: string | null, rows: readonly RowEntry[]]> {
    yield* this.byLink;
  }
}
