/**
 * The rows of the link table's store: keys and small values. Numbers in keys have a fixed width, so that the order of
 * bytes is their order; texts of people stand in keys as digests, since keys are short ASCII.
 */
import { createHash } from 'node:crypto';
import { tagKey } from '../domain/link-input.ts';
import type { CommandOutcome, TagCount } from '../ports/link-table.ts';

/** Raise it when a row's form or the fold changes: stores of another version are set aside and folded anew. */
export const linkTableSchema = 1;

export const checkpointKey = '!checkpoint';

/** Command outcomes are kept in buckets of one day of stream time: the newest, and as many before it. */
export const outcomeBucketMs = 24 * 60 * 60 * 1000;
export const outcomeBucketsBefore = 2;

export const linkKey = (code: string): string => `l/${code}`;

export const ordinalPrefix = 'o/';
export const ordinalKey = (ordinal: number): string => ordinalPrefix + fixedWidth(ordinal);

/** Every link that leads or ever led to the URL. */
export const urlPrefix = (url: string): string => `u/${digest(url)}/`;
export const urlKey = (url: string, ordinal: number): string => urlPrefix(url) + fixedWidth(ordinal);

export const tagPrefix = (tag: string): string => `t/${digest(tagKey(tag))}/`;
export const taggedKey = (tag: string, ordinal: number): string => tagPrefix(tag) + fixedWidth(ordinal);

export const tagCountPrefix = 'c/';
export const tagCountKey = (tag: string): string => tagCountPrefix + digest(tagKey(tag));

export const historyPrefix = (code: string): string => `h/${code}/`;
export const historyKey = (code: string, offset: number): string => historyPrefix(code) + fixedWidth(offset);

export const outcomePrefix = 'k/';
export const outcomeBucketPrefix = (bucket: number): string => `${outcomePrefix}${String(bucket).padStart(9, '0')}/`;
export function outcomeKey(bucket: number, commandId: string): string {
  // Ids of our own are short ASCII; whatever else one may be, the key stays legal.
  const id = /^[!-~]{1,200}$/.test(commandId) ? commandId : `#${digest(commandId)}`;
  return outcomeBucketPrefix(bucket) + id;
}

/** Behind every key that begins with `prefix`, as keys continue with characters below `~`. */
export const behind = (prefix: string): string => `${prefix}~`;

/** 14 hexadecimal digits hold every safe integer. */
export function fixedWidth(value: number): string {
  return value.toString(16).padStart(14, '0');
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}

/** The code that an index row points to. */
export const encodeCode = (code: string): Buffer => Buffer.from(code, 'latin1');
export const decodeCode = (bytes: Uint8Array): string => asBuffer(bytes).toString('latin1');

export interface HistoryRow {
  readonly partition: number;
  readonly version: number;
  readonly effective: boolean;
  /** The event as it stands in the log. */
  readonly event: Buffer;
}

const historyHeaderBytes = 7;

export function encodeHistoryRow(row: HistoryRow): Buffer {
  const bytes = Buffer.allocUnsafe(historyHeaderBytes + row.event.length);
  bytes.writeUInt32LE(row.version, 0);
  bytes.writeUInt16LE(row.partition, 4);
  bytes.writeUInt8(row.effective ? 1 : 0, 6);
  bytes.set(row.event, historyHeaderBytes);
  return bytes;
}

export function decodeHistoryRow(bytes: Uint8Array): HistoryRow {
  const buffer = asBuffer(bytes);
  return {
    version: buffer.readUInt32LE(0),
    partition: buffer.readUInt16LE(4),
    effective: buffer.readUInt8(6) === 1,
    event: buffer.subarray(historyHeaderBytes),
  };
}

export function encodeOutcome(outcome: CommandOutcome): Buffer {
  return Buffer.from(JSON.stringify([outcome.code, outcome.version, outcome.offset]));
}

export function decodeOutcome(commandId: string, bytes: Uint8Array): CommandOutcome {
  const [code, version, offset] = JSON.parse(asBuffer(bytes).toString()) as [string, number | null, number];
  return { commandId, code, version, offset };
}

export function encodeTagCount(count: TagCount): Buffer {
  return Buffer.from(JSON.stringify([count.name, count.links]));
}

export function decodeTagCount(bytes: Uint8Array): TagCount {
  const [name, links] = JSON.parse(asBuffer(bytes).toString()) as [string, number];
  return { name, links };
}

/** Where the fold stands, written in the same batch as its rows. */
export interface LinkTableCheckpoint {
  readonly schema: number;
  readonly logId: string;
  readonly partitions: readonly LinkPartitionPosition[];
  /** Links in the table, deleted ones included. */
  readonly links: number;
}

export interface LinkPartitionPosition {
  readonly nextOffset: number;
  /** The highest event time folded, ms; 0 before the first. */
  readonly streamTimeMs: number;
}

export function encodeCheckpoint(checkpoint: LinkTableCheckpoint): Buffer {
  return Buffer.from(JSON.stringify(checkpoint));
}

/** Undefined when the bytes are no checkpoint of a form known here. */
export function decodeCheckpoint(bytes: Uint8Array): LinkTableCheckpoint | undefined {
  try {
    const value = JSON.parse(asBuffer(bytes).toString()) as Partial<LinkTableCheckpoint> | null;
    if (value?.schema !== linkTableSchema || !Array.isArray(value.partitions)) return undefined;
    return value as LinkTableCheckpoint;
  } catch {
    return undefined;
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
