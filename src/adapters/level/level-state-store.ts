/**
 * The state store on LevelDB: one folder a store, chained batches, synchronous point reads. LevelDB as packaged checks
 * neither the checksums of its table files nor reports holes in its write-ahead log, so this adapter does both: every
 * value carries a checksum over its key, and the files are verified when the store is opened.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import {
  type KeyRange,
  type StateBatch,
  type StateSnapshot,
  type StateStore,
  StoreDamaged,
  type StoreEntry,
  StoreLocked,
} from '../../ports/state-store.ts';
import { crc32 } from '../checksum/crc.ts';
import { createTableRoom, verifyLevelFiles, verifyTable } from './level-file-check.ts';

export interface LevelStateStoreOptions {
  readonly folder: string;
  /** Cache of uncompressed blocks; default 8 MiB. */
  readonly cacheBytes?: number;
  /** LevelDB holds up to two of these in memory; default 4 MiB. */
  readonly writeBufferBytes?: number;
  /** Table files are verified before opening, newest first, up to this many bytes, the rest after it; default 8 MiB (about 0.02 s). */
  readonly verifyBytesMax?: number;
}

/** For stores that folds of visits write many rows to: with a smaller buffer, merging them costs LevelDB half as much processor time again. */
export const foldWriteBufferBytes = 16 * 1024 * 1024;

type Level = ClassicLevel<string, Buffer>;
type LevelSnapshot = ReturnType<Level['snapshot']>;

const checksumBytes = 4;
/** The fewest that LevelDB takes. It maps each open table into memory: with its default of 1,000, a huge store becomes resident as a whole. */
const maxOpenFiles = 74;
/** Left in the folder of a store that was found damaged while it was read, so that the next opening refuses it. */
const damageMarker = 'DAMAGED';
const entriesPerRead = 1000;
const shortTextMax = 40;
const keptHeadMax = 512;

/**
 * Opens the store in `folder`, which is made when it is absent. Throws {@link StoreLocked} when another process holds
 * it, {@link StoreDamaged} when its files are not what was written: then `setAsideFolder` and open again.
 */
export async function openLevelStateStore(options: LevelStateStoreOptions): Promise<StateStore> {
  const { folder } = options;
  const marker = join(folder, damageMarker);
  if (existsSync(marker)) throw new StoreDamaged(`${folder}: wrong bytes were read from this store before`);
  const unverified = await verifyLevelFiles(folder, options.verifyBytesMax ?? 8 * 1024 * 1024);

  const db: Level = new ClassicLevel<string, Buffer>(folder, { keyEncoding: 'utf8', valueEncoding: 'buffer' });
  try {
    await db.open({
      maxOpenFiles,
      cacheSize: options.cacheBytes ?? 8 * 1024 * 1024,
      // Fewer files than with the default of 2 MiB, and less sorting while millions of rows are written.
      // Only the open tables are mapped, 128 MiB at the most: with larger ones, a million links become resident as a whole.
      maxFileSize: 2 * 1024 * 1024,
      writeBufferSize: options.writeBufferBytes ?? 4 * 1024 * 1024,
    });
  } catch (error) {
    await db.close().catch(() => undefined);
    throw translated(error, folder);
  }

  let scratch = Buffer.allocUnsafe(4096);
  /** The first bytes of `scratch`, by how many. */
  let heads: Buffer[] = [];
  let broken: StoreDamaged | null = null;
  let closing = false;

  function damaged(what: string): StoreDamaged {
    // The folder is moved away at the next start: a store that lied once is not asked again.
    try {
      writeFileSync(marker, what);
    } catch {
      // A disk that takes no marker changes nothing about the answer.
    }
    broken ??= new StoreDamaged(what.startsWith(folder) ? what : `${folder}: ${what}`);
    return broken;
  }

  /** From the first damage on nothing is read: a row may be missing as well as wrong. */
  function assertWhole(): void {
    if (broken !== null) throw broken;
  }

  async function verifyRest(): Promise<void> {
    const room = createTableRoom();
    for (const file of unverified) {
      if (closing || broken !== null) return;
      try {
        await verifyTable(file, room);
      } catch (error) {
        // A table that is gone was replaced by a compaction; one that cannot be read now shows when it is.
        if (error instanceof StoreDamaged) damaged(error.message);
      }
    }
  }

  function failed(error: unknown): unknown {
    const typed = translated(error, folder);
    return typed instanceof StoreDamaged && typed !== broken ? damaged(typed.message) : typed;
  }

  /** The value without its checksum, which covers the key too: a block that was moved is found as well. */
  function opened(key: string, stored: Buffer): Uint8Array {
    const length = stored.length - checksumBytes;
    if (length < 0) throw damaged(`the row ${key} is too short`);
    const value = stored.subarray(0, length);
    if (stored.readInt32LE(length) !== crc32(value, 0, length, seedOf(key)))
      throw damaged(`the row ${key} fails its checksum`);
    return value;
  }

  /** Kept, since most rows have one of few lengths and a view of its own for each would be garbage at once. */
  function headOfScratch(length: number): Buffer {
    if (length > keptHeadMax) return scratch.subarray(0, length);
    heads[length] ??= scratch.subarray(0, length);
    return heads[length];
  }

  /** The value followed by its checksum, in a buffer that the next call uses again: LevelDB's batch copies it. */
  function sealed(key: string, value: Uint8Array | string): Buffer {
    // A UTF-16 unit takes up to three bytes of UTF-8.
    const bytesMax = checksumBytes + (typeof value === 'string' ? 3 * value.length : value.length);
    const room = bytesMax > scratch.length ? Buffer.allocUnsafe(bytesMax) : scratch;
    let length = value.length;
    if (typeof value === 'string') length = writeText(room, value);
    else room.set(value);
    room.writeInt32LE(crc32(room, 0, length, seedOf(key)), length);
    // One huge value must not hold its memory for ever.
    if (room !== scratch && bytesMax <= 1024 * 1024) {
      scratch = room;
      heads = [];
    }
    return room === scratch ? headOfScratch(length + checksumBytes) : room.subarray(0, length + checksumBytes);
  }

  async function getMany(keys: readonly string[], snapshot?: LevelSnapshot): Promise<(Uint8Array | undefined)[]> {
    assertWhole();
    try {
      const wanted = [...keys];
      const found = await (snapshot === undefined ? db.getMany(wanted) : db.getMany(wanted, { snapshot }));
      return found.map((stored, index) => (stored === undefined ? undefined : opened(keys[index] ?? '', stored)));
    } catch (error) {
      throw failed(error);
    }
  }

  async function range(wanted: KeyRange, snapshot?: LevelSnapshot): Promise<StoreEntry[]> {
    assertWhole();
    try {
      const iterator = db.iterator({
        ...lowerBound(wanted),
        ...(wanted.lt === undefined ? {} : { lt: wanted.lt }),
        reverse: wanted.reverse === true,
        limit: wanted.limit,
        highWaterMarkBytes: 256 * 1024,
        ...(snapshot === undefined ? {} : { snapshot }),
      });
      const entries: StoreEntry[] = [];
      try {
        for (;;) {
          const chunk = await iterator.nextv(entriesPerRead);
          if (chunk.length === 0) break;
          for (const [key, stored] of chunk) entries.push([key, opened(key, stored)]);
        }
      } finally {
        await iterator.close();
      }
      return entries;
    } catch (error) {
      throw failed(error);
    }
  }

  const verification = verifyRest();
  return {
    getSync(key) {
      assertWhole();
      let stored: Buffer | undefined;
      try {
        stored = db.getSync(key);
      } catch (error) {
        throw failed(error);
      }
      return stored === undefined ? undefined : opened(key, stored);
    },
    getMany: (keys) => getMany(keys),
    range: (wanted) => range(wanted),
    batch(): StateBatch {
      const batch = db.batch();
      return {
        put(key, value) {
          batch.put(key, sealed(key, value));
        },
        delete(key) {
          batch.del(key);
        },
        async write(writeOptions) {
          try {
            await batch.write({ sync: writeOptions?.sync === true });
          } catch (error) {
            throw failed(error);
          }
        },
      };
    },
    async clear({ gte, lt }) {
      assertWhole();
      try {
        await db.clear({ gte, lt });
      } catch (error) {
        throw failed(error);
      }
    },
    snapshot(): StateSnapshot {
      const snapshot = db.snapshot();
      return {
        getMany: (keys) => getMany(keys, snapshot),
        range: (wanted) => range(wanted, snapshot),
        close: () => snapshot.close(),
      };
    },
    async close() {
      closing = true;
      await verification;
      await db.close();
    },
  };
}

/** As UTF-8. A call of Node's costs more than the characters of a short text do. */
function writeText(room: Buffer, text: string): number {
  if (text.length > shortTextMax) return room.write(text);
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit > 0x7f) return room.write(text);
    room[at] = unit;
  }
  return text.length;
}

/** Ties a value to its key (FNV-1a): a row that turns up under another key fails its checksum. */
function seedOf(key: string): number {
  let seed = 0x811c9dc5;
  for (let index = 0; index < key.length; index += 1) seed = Math.imul(seed ^ key.charCodeAt(index), 0x01000193);
  return seed;
}

/** LevelDB takes one lower bound: the tighter one. */
function lowerBound({ gte, gt }: KeyRange): { gte?: string; gt?: string } {
  if (gt !== undefined && (gte === undefined || gt >= gte)) return { gt };
  return gte === undefined ? {} : { gte };
}

/** LevelDB's error as the port names it; others pass as they are. */
function translated(error: unknown, folder: string): unknown {
  if (error instanceof StoreDamaged || error instanceof StoreLocked) return error;
  const code = codeOf(causeOf(error)) ?? codeOf(error);
  const detail = messageOf(causeOf(error) ?? error);
  if (code === 'LEVEL_LOCKED') return new StoreLocked(`${folder} is in use by another process`, { cause: error });
  if (code === 'LEVEL_CORRUPTION') return new StoreDamaged(`${folder}: ${detail}`, { cause: error });
  // A file that the manifest names and the folder lacks is reported as an error of input and output.
  if (code === 'LEVEL_IO_ERROR' && /No such file or directory/.test(detail)) {
    return new StoreDamaged(`${folder}: ${detail}`, { cause: error });
  }
  return error;
}

function causeOf(error: unknown): unknown {
  return (error as { cause?: unknown } | null | undefined)?.cause;
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

function messageOf(error: unknown): string {
  return String((error as { message?: unknown } | null | undefined)?.message ?? error);
}
