/**
 * The rows of the link table's store: keys and small values. Numbers in keys have a fixed width, so that the order of
 * bytes is their order; texts of people stand in keys as digests, since keys are short ASCII.
 */
import { hash } from 'node:crypto';
import { tagKey } from '../domain/link-input.ts';
import type { CommandOutcome, FoldedEvent, TagCount } from '../ports/link-table.ts';
import { decodeLinkEvent } from '../serde/link-event.ts';
import { packId } from '../serde/packed-id.ts';
import { asBuffer } from '../worker/versioned-rows.ts';

/** Raise it when a row's form or the fold changes: stores of another version are set aside and folded anew. */
export const linkTableSchema = 4;

export const checkpointKey = '!checkpoint';

/** Command outcomes are kept in buckets of one day of stream time: the newest, and as many before it. */
export const outcomeBucketMs = 24 * 60 * 60 * 1000;
export const outcomeBucketsBefore = 2;

/** Links in order of creation: these rows are the bulk of the bytes, and LevelDB never has to sort new ones. */
export const linkPrefix = 'l/';
export const linkKey = (ordinal: number): string => linkPrefix + fixedWidth(ordinal);

/** The ordinal of a code's link. */
export const codePrefix = 'n/';
export const codeKey = (code: string): string => codePrefix + code;

/** Every link that leads or ever led to the URL. */
export const urlPrefix = (url: string): string => `u/${digest(url)}/`;
export const urlKey = (url: string, ordinal: number): string => urlPrefix(url) + fixedWidth(ordinal);

export const tagPrefix = (tag: string): string => `t/${digest(tagKey(tag))}/`;
export const taggedKey = (tag: string, ordinal: number): string => tagPrefix(tag) + fixedWidth(ordinal);

export const tagCountPrefix = 'c/';
export const tagCountKey = (tag: string): string => tagCountPrefix + digest(tagKey(tag));

/** The events of a link. Of one that was never changed the creation is left out: it stands in the link's row. */
export const historyPrefix = (code: string): string => `h/${code}/`;
export const historyKey = (code: string, offset: number): string => historyPrefix(code) + fixedWidth(offset);

export const outcomePrefix = 'k/';
export const outcomeBucketPrefix = (bucket: number): string => `${outcomePrefix}${String(bucket).padStart(9, '0')}/`;
export function outcomeKey(bucket: number, commandId: string): string {
  return outcomeBucketPrefix(bucket) + outcomeName(commandId);
}

/** Ids of our own are short ASCII; whatever else one may be, the key stays legal. */
function outcomeName(commandId: string): string {
  const id = packId(commandId);
  // A UUID that is packed is legal.
  if (id.length < commandId.length || /^[!-~]{1,200}$/.test(id)) return id;
  return `#${digest(commandId)}`;
}

/** Behind every key that begins with `prefix`, as keys continue with characters below `~`. */
export const behind = (prefix: string): string => `${prefix}~`;

/** 14 hexadecimal digits hold every safe integer. */
export function fixedWidth(value: number): string {
  return value.toString(16).padStart(14, '0');
}

function digest(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 22);
}

/** Text rows are kept as text until they are written. */
export type RowValue = string | Uint8Array;

export function textOf(value: RowValue): string {
  return typeof value === 'string' ? value : asBuffer(value).toString();
}

/** The order of creation of a record's link: the offset itself, spread over the partitions. */
export function ordinalOf(partition: number, offset: number, partitionCount: number): number {
  return offset * partitionCount + partition + 1;
}

/** The place of a link's creation in the log. */
export function creationOf(ordinal: number, partitionCount: number): { partition: number; offset: number } {
  const partition = (ordinal - 1) % partitionCount;
  return { partition, offset: (ordinal - 1 - partition) / partitionCount };
}

/** `event` is the value of the record. */
export function encodeHistoryRow(folded: Omit<FoldedEvent, 'event'>, event: Buffer): string {
  return `${folded.partition},${folded.offset},${folded.version},${folded.effective ? 1 : 0},${event.toString()}`;
}

export function decodeHistoryRow(value: RowValue): FoldedEvent {
  const [head, partition, offset, version, effective] = /^(\d+),(\d+),(\d+),([01]),/.exec(textOf(value)) ?? [];
  return {
    event: decodeLinkEvent(Buffer.from(textOf(value).slice(head?.length))),
    partition: Number(partition),
    offset: Number(offset),
    version: Number(version),
    effective: effective === '1',
  };
}

export function encodeOutcome(outcome: CommandOutcome): string {
  return `${outcome.code},${outcome.version ?? ''},${outcome.offset}`;
}

export function decodeOutcome(commandId: string, value: RowValue): CommandOutcome {
  const [code = '', version = '', offset = ''] = textOf(value).split(',');
  return { commandId, code, version: version === '' ? null : Number(version), offset: Number(offset) };
}

export function encodeTagCount(count: TagCount): string {
  return JSON.stringify([count.name, count.links]);
}

export function decodeTagCount(value: RowValue): TagCount {
  const [name, links] = JSON.parse(textOf(value)) as [string, number];
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

export function encodeCheckpoint(checkpoint: LinkTableCheckpoint): string {
  return JSON.stringify(checkpoint);
}

/** Undefined when the bytes are no checkpoint of a form known here. */
export function decodeCheckpoint(bytes: Uint8Array): LinkTableCheckpoint | undefined {
  try {
    const value = JSON.parse(textOf(bytes)) as Partial<LinkTableCheckpoint> | null;
    if (value?.schema !== linkTableSchema || !Array.isArray(value.partitions)) return undefined;
    return value as LinkTableCheckpoint;
  } catch {
    return undefined;
  }
}
