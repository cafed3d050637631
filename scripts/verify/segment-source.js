/**
 * The raw log of the embedded mode, read from its files while the program may be writing them (the form stands in
 * src/adapters/segments/segment-format.ts). It checks every frame, ends at the last whole one, and changes nothing.
 */
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { NotPossible } from './not-possible.js';

const topics = ['links', 'visits'];
const segmentHeaderBytes = 52;
const frameHeaderBytes = 60;
const formatVersion = 1;
const chunkBytes = 4 * 1024 * 1024;
/** A frame that the program is writing this moment is whole soon after. */
const unfinishedTries = 20;
const unfinishedPauseMs = 50;
/** The loop is left to others after this many frames. */
const framesPerTurn = 20_000;

/** Throws NotPossible when there is no log in the folder. */
export function openSegmentSource(dataDir) {
  const folder = join(dataDir, 'log');
  const idFile = join(folder, 'log.id');
  if (!existsSync(idFile)) {
    throw new NotPossible(
      `there is no log in ${dataDir}. Set DATA_DIR, or give --data-dir, to the folder that the running program has its data in; ` +
        'for an installation on many machines set KAFKA_BROKERS and REDIS_URL as it has them.',
    );
  }
  const logId = readFileSync(idFile, 'utf8').trim();
  const partitions = readdirSync(join(folder, 'visits')).filter((name) => /^\d+$/.test(name)).length;
  /** @type {Map<string, PartitionReader>} */
  const readers = new Map();
  let taking;
  return {
    name: folder,
    logId,
    partitions,
    /** @param {Record<'links' | 'visits', (partition: number, record: object) => void>} take */
    async start(take) {
      taking = take;
    },
    /**
     * Hands out every record that was not handed out before, up to the last whole frame there is now.
     * @returns {Promise<{ startOffset: number, nextOffset: number }>}
     */
    async advance(topic, partition) {
      const place = join(folder, topic, String(partition));
      const reader = readers.get(place) ?? new PartitionReader({ folder: place, topic, partition, logId });
      readers.set(place, reader);
      await reader.advance((record) => taking[topic](partition, record));
      return { startOffset: reader.startOffset, nextOffset: reader.nextOffset };
    },
    async close() {
      for (const reader of readers.values()) reader.close();
    },
  };
}

class PartitionReader {
  constructor(place) {
    this.place = place;
    this.buffer = Buffer.allocUnsafe(chunkBytes);
    const [first] = this.segments();
    if (first === undefined) throw new NotPossible(`there is no segment in ${place.folder}: restore it from a backup.`);
    this.startOffset = first;
    this.nextOffset = first;
    this.open(first, null);
  }

  /** Base offsets of the files, ascending. */
  segments() {
    const names = readdirSync(this.place.folder).filter((name) => /^\d{20}\.log$/.test(name));
    return names.map((name) => Number(name.slice(0, 20))).sort((a, b) => a - b);
  }

  open(base, previousBase) {
    this.file = join(this.place.folder, `${String(base).padStart(20, '0')}.log`);
    this.base = base;
    this.previousBase = previousBase;
    this.fd = openSync(this.file, 'r');
    this.position = 0;
    this.bufferedFrom = 0;
    this.bufferedTo = 0;
  }

  close() {
    closeSync(this.fd);
  }

  async advance(take) {
    for (;;) {
      await this.readFile(take);
      const next = this.segments().find((base) => base > this.base);
      if (next === undefined) return;
      // The writer has left this file: now all of it is there.
      await this.readFile(take);
      if (this.position !== fstatSync(this.fd).size) this.damaged('its end is not a whole frame');
      if (next !== this.nextOffset) this.damaged(`the records from ${this.nextOffset} to ${next - 1} are missing`);
      const left = this.base;
      this.close();
      this.open(next, left);
    }
  }

  /** Reads whole frames to the end of the file, or to a tail that stays unfinished. */
  async readFile(take) {
    for (let tries = 0; tries < unfinishedTries; tries++) {
      // What was read of a frame that was being written is not what stands there now.
      this.bufferedTo = 0;
      for (let frames = 1; ; frames++) {
        const state = this.position === 0 ? this.segmentHeader() : this.frame(take);
        if (state === 'end') return;
        if (state === 'unfinished') break;
        tries = 0;
        if (frames % framesPerTurn === 0) await delay(0);
      }
      await delay(unfinishedPauseMs);
    }
    // Such a tail is cut off when the log is opened the next time: nothing of it was ever answered for.
    const rest = fstatSync(this.fd).size - this.position;
    if (!this.isCutShort() && !this.onlyZeros(rest)) this.damaged('a frame does not check');
  }

  isCutShort() {
    if (!this.buffered(frameHeaderBytes)) return true;
    return this.headerChecks() && !this.buffered(frameHeaderBytes + this.bodyBytes());
  }

  bodyBytes() {
    return this.buffer.readUInt32LE(this.position - this.bufferedFrom + 8);
  }

  /** @returns {'end' | 'unfinished' | 'read'} */
  segmentHeader() {
    if (!this.buffered(segmentHeaderBytes)) return 'end';
    const { buffer, place } = this;
    const at = this.position - this.bufferedFrom;
    if (buffer.readUInt32LE(at + 4) !== crc32(buffer.subarray(at + 8, at + segmentHeaderBytes))) return 'unfinished';
    const hex = buffer.toString('hex', at + 36, at + 52);
    const isOurs =
      buffer.toString('latin1', at, at + 4) === 'THS1' &&
      buffer.readUInt32LE(at + 8) === formatVersion &&
      topics[buffer.readUInt32LE(at + 12)] === place.topic &&
      buffer.readUInt32LE(at + 16) === place.partition &&
      safeInteger(buffer, at + 20) === this.base &&
      (this.previousBase === null || safeInteger(buffer, at + 28) === this.previousBase) &&
      hex === place.logId.replaceAll('-', '');
    if (!isOurs) this.damaged('its header is that of another place or version');
    this.position = segmentHeaderBytes;
    return 'read';
  }

  /** @returns {'end' | 'unfinished' | 'read'} */
  frame(take) {
    if (!this.buffered(1)) return 'end';
    if (!this.buffered(frameHeaderBytes) || !this.headerChecks()) return 'unfinished';
    const frameBytes = frameHeaderBytes + this.bodyBytes();
    if (!this.buffered(frameBytes)) return 'unfinished';
    const { buffer } = this;
    const start = this.position - this.bufferedFrom;
    const end = start + frameBytes;
    if (buffer.readUInt32LE(start + 12) !== crc32(buffer.subarray(start + frameHeaderBytes, end))) return 'unfinished';
    if (safeInteger(buffer, start + 20) !== this.nextOffset) this.damaged(`offset ${this.nextOffset} was due`);
    const sequence = safeInteger(buffer, start + 36);
    const producerId = buffer.toString('hex', start + 44, start + 60);
    const count = buffer.readUInt32LE(start + 16);
    let at = start + frameHeaderBytes;
    for (let index = 0; index < count; index++) {
      const keyEnd = at + 2 + buffer.readUInt16LE(at);
      const valueEnd = keyEnd + 4 + buffer.readUInt32LE(keyEnd);
      if (valueEnd > end) this.damaged('a record is longer than its frame');
      take({
        offset: this.nextOffset + index,
        key: buffer.toString('latin1', at + 2, keyEnd),
        value: buffer.subarray(keyEnd + 4, valueEnd),
        producerId,
        sequence: sequence + index,
      });
      at = valueEnd;
    }
    if (at !== end) this.damaged('the records of a frame do not fill it');
    this.position += frameBytes;
    this.nextOffset += count;
    return 'read';
  }

  headerChecks() {
    const at = this.position - this.bufferedFrom;
    const { buffer } = this;
    return (
      buffer.toString('latin1', at, at + 4) === 'THF1' &&
      buffer.readUInt32LE(at + 4) === crc32(buffer.subarray(at + 8, at + frameHeaderBytes))
    );
  }

  /** Whether the file holds `bytes` from the position on; they are then in the buffer. */
  buffered(bytes) {
    if (this.position + bytes <= this.bufferedTo) return true;
    if (bytes > this.buffer.length) this.buffer = Buffer.allocUnsafe(bytes);
    this.bufferedFrom = this.position;
    this.bufferedTo = this.position;
    while (this.bufferedTo < this.position + bytes) {
      const at = this.bufferedTo - this.bufferedFrom;
      const more = readSync(this.fd, this.buffer, at, this.buffer.length - at, this.bufferedTo);
      if (more === 0) return false;
      this.bufferedTo += more;
    }
    return true;
  }

  /** Blocks that a file system gave and that were never written. */
  onlyZeros(bytes) {
    if (!this.buffered(bytes)) return false;
    const tail = this.buffer.subarray(this.position - this.bufferedFrom, this.bufferedTo - this.bufferedFrom);
    return tail.every((byte) => byte === 0);
  }

  damaged(what) {
    throw new NotPossible(
      `the log is damaged: ${this.file} at byte ${this.position}: ${what}. Restore that file, or the whole log, from a backup.`,
    );
  }
}

function safeInteger(bytes, at) {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
}
