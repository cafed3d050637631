/**
 * Remembers how far each partition of a journal has been forwarded, in a small file beside its segments. It is replaced as a
 * whole and not synced: an older one, or none, only means that visits are sent again.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

export class ForwardedPositions {
  readonly #folder: string;
  readonly #file: string;
  readonly #journalId: string;

  /** @param journalId id of the log that the journal is: positions of another one are not believed */
  constructor(folder: string, journalId: string) {
    this.#folder = folder;
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
    const kept = JSON.stringify([this.#checksum(offsets), this.#journalId, ...offsets]);
    writeFileSync(unfinished, kept, { flush: sync });
    renameSync(unfinished, this.#file);
    if (sync && process.platform !== 'win32') syncFolder(this.#folder);
  }

  /** A flipped digit would pass over visits that were never sent. */
  #checksum(offsets: readonly number[]): number {
    return crc32(JSON.stringify([this.#journalId, ...offsets]));
  }
}

/** Without it, the name may still lead to the older file after a power cut. */
function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function isOffset(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
