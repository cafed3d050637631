/**
 * Remembers how far each partition of a journal has been forwarded, in a small file beside its segments. It is replaced as a
 * whole and not synced: an older one, or none, only means that visits are sent again.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

export class ForwardedPositions {
  readonly #file: string;
  readonly #journalId: string;

  /** @param journalId id of the log that the journal is: positions of another one are not believed */
  constructor(folder: string, journalId: string) {
    this.#file = join(folder, 'forwarded.json');
    this.#journalId = journalId;
  }

  /** The next offset to forward of each partition as written last, or null when that cannot be told. */
  read(partitions: number): readonly number[] | null {
    let kept: unknown;
    try {
      kept = JSON.parse(readFileSync(this.#file, 'utf8'));
    } catch {
      return null;
    }
    if (!Array.isArray(kept)) return null;
    const [checksum, journalId, ...offsets] = kept as readonly unknown[];
    if (journalId !== this.#journalId || offsets.length !== partitions || !offsets.every(isOffset)) return null;
    return checksum === this.#checksum(offsets) ? offsets : null;
  }

  /** Throws a system error; what was written before is then still there. `sync` waits for the disk. */
  write(offsets: readonly number[], sync = false): void {
    const unfinished = `${this.#file}.new`;
    const fd = openSync(unfinished, 'w', 0o600);
    try {
      writeSync(fd, JSON.stringify([this.#checksum(offsets), this.#journalId, ...offsets]));
      if (sync) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(unfinished, this.#file);
  }

  /** A flipped digit would pass over visits that were never sent. */
  #checksum(offsets: readonly number[]): number {
    return crc32(JSON.stringify([this.#journalId, ...offsets]));
  }
}

function isOffset(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
