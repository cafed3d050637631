/**
 * Records of the changelog as they stand in Kafka: one byte for the kind before the key, headers `e` (the owner's epoch), `n`
 * (the send's place in it) and `c` (a checksum over all of it).
 */
import { isAscii } from 'node:buffer';
import { crc32 } from 'node:zlib';
import type { ChangelogEntry, ChangelogKind, ChangelogRecord } from '../../ports/changelog.ts';
import { header } from './identified-record.ts';
import type { BatchRecord, RecordToSend } from './record-batch.ts';

const kindOfByte: Readonly<Record<string, ChangelogKind>> = { r: 'row', c: 'checkpoint', b: 'barrier' };
const byteOfKind: Readonly<Record<ChangelogKind, string>> = { row: 'r', checkpoint: 'c', barrier: 'b' };
const noBytes = Buffer.alloc(0);
const epochPattern = /^(?:-1|0|[1-9]\d{0,15})$/;
const sendPattern = /^(?:0|[1-9]\d{0,15})$/;

/** CRC-32 of the Kafka key, 0, `e`, 0, `n`, 0 and the value; 8 hex digits. A value that is taken away counts as no bytes. */
function checksum(key: string, epoch: string, send: string, value: Buffer | null): string {
  return crc32(value ?? noBytes, crc32(`${key}\0${epoch}\0${send}\0`))
    .toString(16)
    .padStart(8, '0');
}

export function encodeChangelogEntry(entry: ChangelogEntry, epoch: number, send: number): RecordToSend {
  const key = byteOfKind[entry.kind] + entry.key;
  const e = String(epoch);
  const n = String(send);
  return {
    key: Buffer.from(key, 'latin1'),
    // The caller may go on to use its buffer.
    value: entry.value === null ? null : Buffer.from(entry.value),
    headers: ['e', e, 'n', n, 'c', checksum(key, e, n, entry.value)],
  };
}

/** A record that cannot be read, or whose checksum does not match, has `invalid` set. */
export function decodeChangelogRecord(record: BatchRecord): ChangelogRecord {
  const { offset, value } = record;
  const refused = (invalid: string): ChangelogRecord => {
    return { offset, kind: 'row', key: '', value, epoch: -1, send: 0, invalid };
  };
  if (record.key === null || record.key.length < 2 || !isAscii(record.key)) return refused('its key is none of ours');
  const kafkaKey = record.key.toString('latin1');
  const kind = kindOfByte[kafkaKey.charAt(0)];
  if (kind === undefined) return refused('its kind is unknown');
  const e = header(record.headers, 'e');
  const n = header(record.headers, 'n');
  const c = header(record.headers, 'c');
  if (e === undefined || n === undefined || c === undefined) return refused('it has no headers e, n, c');
  if (!epochPattern.test(e) || !sendPattern.test(n)) return refused('its epoch or its send is malformed');
  const found = { offset, kind, key: kafkaKey.slice(1), value, epoch: Number(e), send: Number(n) };
  if (!Number.isSafeInteger(found.epoch) || !Number.isSafeInteger(found.send)) return refused('its epoch is malformed');
  return c === checksum(kafkaKey, e, n, value) ? found : { ...found, invalid: 'its checksum does not match' };
}
