/**
 * Verifies the files of a closed LevelDB folder: block checksums of table files, and holes in the write-ahead log,
 * which LevelDB would skip in silence. It changes nothing.
 */
import { type FileHandle, open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { StoreDamaged } from '../../ports/state-store.ts';
import { crc32c } from '../checksum/crc.ts';
import { uncompressSnappy } from './snappy.ts';

const logBlockBytes = 32 * 1024;
const logHeaderBytes = 7;
const footerBytes = 48;
const trailerBytes = 5;
const tableMagic = 0xdb4775248b80fb57n;
const readBytes = 1024 * 1024;

/**
 * Reads the manifest, all live logs and the newest table files up to `tableBytesMax`. Throws {@link StoreDamaged} at the
 * first fault. A folder that is absent or empty is fine: it becomes a new store. Resolves with the tables that were left
 * out, newest first, for {@link verifyTable}.
 */
export async function verifyLevelFiles(folder: string, tableBytesMax: number): Promise<readonly string[]> {
  const names: readonly string[] = await readdir(folder).catch((error: unknown): string[] => {
    if ((error as { code?: unknown }).code === 'ENOENT') return [];
    throw error;
  });
  const numbers = (extension: RegExp): number[] =>
    names
      .filter((name) => extension.test(name))
      .map((name) => Number.parseInt(name, 10))
      .sort((left, right) => left - right);
  const logs = numbers(/^\d+\.log$/);
  const tables = numbers(/^\d+\.ldb$/);
  if (!names.includes('CURRENT')) {
    // LevelDB would make a new store here and delete the files of the old one.
    if (logs.length + tables.length > 0) throw new StoreDamaged(`${folder}: the file CURRENT is missing`);
    return [];
  }

  const { logNumber, liveTables } = await manifestOf(folder);
  // Zero stands in the manifest of a store that was never opened to the end.
  if (logNumber !== 0 && !logs.includes(logNumber))
    throw new StoreDamaged(`${folder}: the log ${logNumber} is missing`);
  await verifyLogs(
    folder,
    logs.filter((each) => each >= logNumber),
  );

  const left: string[] = [];
  const room = createTableRoom();
  let tableBytes = 0;
  for (const number of tables.reverse()) {
    // What a compaction had not finished is of no use to anybody; LevelDB deletes it.
    if (!liveTables.has(number)) continue;
    const file = join(folder, `${fileName(number)}.ldb`);
    tableBytes += (await stat(file)).size;
    if (tableBytes <= tableBytesMax) await verifyTable(file, room);
    else left.push(file);
  }
  return left;
}

function fileName(number: number): string {
  return String(number).padStart(6, '0');
}

interface Manifest {
  /**
   * The oldest log that is still needed. A manifest that lost its end names one that was deleted since; LevelDB would
   * take the store as it was then, without the log's rows.
   */
  logNumber: number;
  readonly liveTables: Set<number>;
}

async function manifestOf(folder: string): Promise<Manifest> {
  const current = (await readFile(join(folder, 'CURRENT'), 'utf8')).trim();
  if (!/^MANIFEST-\d+$/.test(current)) throw new StoreDamaged(`${folder}: CURRENT names no manifest`);
  const file = join(folder, current);
  const bytes = await readFile(file).catch((error: unknown) => {
    if ((error as { code?: unknown }).code === 'ENOENT') throw new StoreDamaged(`${file} is missing`);
    throw error;
  });
  const manifest: Manifest = { logNumber: 0, liveTables: new Set() };
  try {
    for (const edit of recordsOf(file, bytes).records) applyEdit(manifest, edit);
  } catch (error) {
    if (error instanceof StoreDamaged) throw error;
    throw new StoreDamaged(`${file} cannot be read`, { cause: error });
  }
  return manifest;
}

/** One edit of the manifest, as `VersionEdit::DecodeFrom` reads it. */
function applyEdit(manifest: Manifest, edit: Buffer): void {
  const cursor = { at: 0 };
  const number = (): number => readVarint(edit, cursor);
  const skipString = (): void => {
    const length = number();
    cursor.at += length;
  };
  const added: number[] = [];
  while (cursor.at < edit.length) {
    const tag = number();
    if (tag === 1) skipString();
    else if (tag === 2) manifest.logNumber = number();
    else if (tag === 3 || tag === 4 || tag === 9) number();
    else if (tag === 5) {
      number();
      skipString();
    } else if (tag === 6) {
      number();
      manifest.liveTables.delete(number());
    } else if (tag === 7) {
      number();
      added.push(number());
      number();
      skipString();
      skipString();
    } else throw new RangeError('an edit has an unknown member');
  }
  // A table that is moved to another level is deleted and added in one edit.
  for (const table of added) manifest.liveTables.add(table);
}

/**
 * LevelDB drops what is wrong in a log up to the end of its 32 KiB block and goes on behind it. At the end of the newest
 * log that is a torn tail: whole batches are missing from the end and the store is an older one. Elsewhere it is a
 * hole, which shows in the batches' sequence numbers even where the bytes were replaced by zeros.
 */
async function verifyLogs(folder: string, logs: readonly number[]): Promise<void> {
  let nextSequence: bigint | null = null;
  for (const number of logs) {
    const file = join(folder, `${fileName(number)}.log`);
    const { records, torn } = recordsOf(file, await readFile(file));
    if (torn && number !== logs.at(-1)) throw new StoreDamaged(`${file}: the log lost its end`);
    for (const batch of records) {
      if (batch.length < 12) throw new StoreDamaged(`${file}: a batch is too short`);
      const sequence = batch.readBigUInt64LE(0);
      if (nextSequence !== null && sequence !== nextSequence) throw new StoreDamaged(`${file}: a batch is missing`);
      nextSequence = sequence + BigInt(batch.readUInt32LE(8));
    }
  }
}

interface LogRecords {
  readonly records: readonly Buffer[];
  /** The last record is not whole. */
  readonly torn: boolean;
}

/** The records of a file in LevelDB's log format (`doc/log_format.md`). */
function recordsOf(file: string, bytes: Buffer): LogRecords {
  const records: Buffer[] = [];
  let fragments: Buffer[] | null = null;
  let at = 0;
  while (at < bytes.length) {
    const blockEnd = Math.min(at - (at % logBlockBytes) + logBlockBytes, bytes.length);
    if (blockEnd - at < logHeaderBytes) {
      at = blockEnd;
      continue;
    }
    const type = bytes.readUInt8(at + 6);
    const start = at + logHeaderBytes;
    const end = start + bytes.readUInt16LE(at + 4);
    const inSequence = type === 1 || type === 2 ? fragments === null : (type === 3 || type === 4) && fragments !== null;
    if (!inSequence || end > blockEnd || bytes.readUInt32LE(at) !== maskCrc(crc32c(bytes, at + 6, end))) {
      if (blockEnd === bytes.length) return { records, torn: true };
      throw new StoreDamaged(`${file}: there is a wrong record at byte ${at}`);
    }
    const fragment = bytes.subarray(start, end);
    if (type === 1) records.push(fragment);
    else {
      fragments = [...(fragments ?? []), fragment];
      if (type === 4) {
        records.push(Buffer.concat(fragments));
        fragments = null;
      }
    }
    at = end;
  }
  return { records, torn: fragments !== null };
}

/** Where a table's blocks are read into, to be used for one table after the other. */
export interface TableRoom {
  bytes: Buffer;
}

export function createTableRoom(): TableRoom {
  return { bytes: Buffer.allocUnsafeSlow(readBytes) };
}

/** Reads a table file and compares every checksum. Throws {@link StoreDamaged}, or `ENOENT` when it was deleted since. */
export async function verifyTable(file: string, room: TableRoom): Promise<void> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    if (size < footerBytes) throw new StoreDamaged(`${file}: the table is too short`);
    const footer = await readAt(handle, size - footerBytes, footerBytes);
    if (footer.readBigUInt64LE(footerBytes - 8) !== tableMagic) {
      throw new StoreDamaged(`${file}: this is not the end of a table`);
    }
    const cursor = { at: 0 };
    const metaIndex = readHandle(footer, cursor);
    const index = readHandle(footer, cursor);
    const blocks: BlockHandle[] = [metaIndex];
    for (const block of [metaIndex, index]) {
      assertInside(file, block, size);
      const stored = await readAt(handle, block.offset, block.length + trailerBytes);
      assertBlock(file, stored, 0, block);
      blocks.push(...handlesOf(contentOf(stored, block)));
    }
    await verifyBlocks(file, handle, blocks, size, room);
  } catch (error) {
    if (error instanceof StoreDamaged) throw error;
    if (typeof (error as { syscall?: unknown }).syscall === 'string') throw error;
    throw new StoreDamaged(`${file}: the table's index cannot be read`, { cause: error });
  } finally {
    await handle.close();
  }
}

interface BlockHandle {
  readonly offset: number;
  readonly length: number;
}

/** Blocks stand one behind the other, so many are read at once. */
async function verifyBlocks(
  file: string,
  handle: FileHandle,
  blocks: BlockHandle[],
  size: number,
  room: TableRoom,
): Promise<void> {
  blocks.sort((left, right) => left.offset - right.offset);
  let chunk: Buffer = room.bytes.subarray(0, 0);
  let chunkStart = 0;
  for (const block of blocks) {
    assertInside(file, block, size);
    const needed = block.length + trailerBytes;
    if (block.offset < chunkStart || block.offset + needed > chunkStart + chunk.length) {
      chunkStart = block.offset;
      if (needed > room.bytes.length) room.bytes = Buffer.allocUnsafeSlow(needed);
      const { bytes } = room;
      const { bytesRead } = await handle.read(bytes, 0, Math.min(bytes.length, size - chunkStart), chunkStart);
      chunk = bytes.subarray(0, bytesRead);
    }
    assertBlock(file, chunk, block.offset - chunkStart, block);
  }
}

function assertInside(file: string, block: BlockHandle, size: number): void {
  if (block.offset + block.length + trailerBytes > size - footerBytes) {
    throw new StoreDamaged(`${file}: a block lies outside of the table`);
  }
}

function assertBlock(file: string, bytes: Buffer, at: number, block: BlockHandle): void {
  const typeAt = at + block.length;
  if (bytes.readUInt32LE(typeAt + 1) !== maskCrc(crc32c(bytes, at, typeAt + 1))) {
    throw new StoreDamaged(`${file}: the block at byte ${block.offset} fails its checksum`);
  }
}

function contentOf(stored: Buffer, block: BlockHandle): Buffer {
  const content = stored.subarray(0, block.length);
  return stored.readUInt8(block.length) === 1 ? uncompressSnappy(content) : content;
}

/** The values of an index block: where the blocks are. */
function handlesOf(block: Buffer): BlockHandle[] {
  const restarts = block.readUInt32LE(block.length - 4);
  const end = block.length - 4 - 4 * restarts;
  const cursor = { at: 0 };
  const handles: BlockHandle[] = [];
  while (cursor.at < end) {
    readVarint(block, cursor);
    const keyBytes = readVarint(block, cursor);
    const valueBytes = readVarint(block, cursor);
    const valueAt = cursor.at + keyBytes;
    handles.push(readHandle(block, { at: valueAt }));
    cursor.at = valueAt + valueBytes;
  }
  return handles;
}

function readHandle(bytes: Buffer, cursor: { at: number }): BlockHandle {
  return { offset: readVarint(bytes, cursor), length: readVarint(bytes, cursor) };
}

function readVarint(bytes: Buffer, cursor: { at: number }): number {
  let value = 0;
  for (let scale = 1; scale < 2 ** 50; scale *= 128) {
    const next = bytes.readUInt8(cursor.at);
    cursor.at += 1;
    value += (next & 0x7f) * scale;
    if (next < 0x80) return value;
  }
  throw new RangeError('a number is too long');
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  const { bytesRead } = await handle.read(buffer, 0, length, position);
  return buffer.subarray(0, bytesRead);
}

/** LevelDB stores checksums rotated and shifted, so that a checksum of bytes that hold checksums stays strong. */
function maskCrc(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
