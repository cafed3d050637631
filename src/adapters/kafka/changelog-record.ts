/**
 * Records of the changelog as they stand in Kafka: one byte for the kind before the key, headers `e` (the owner's epoch), `n`
 * (the send's place in it) and `c` (a checksum over all of it).
 */
import type { ChangelogEntry, ChangelogKind, ChangelogRecord } from '../../ports/changelog.ts';
import { aRange, type BatchRecord, isText, type RecordToSend } from './record-batch.ts';
import { decimalIn, headersSummed, isAscii, isHexOf, readChecksum, writtenChecksum } from './record-text.ts';

const byteOfKind: Readonly<Record<ChangelogKind, string>> = { row: 'r', checkpoint: 'c', barrier: 'b' };
const kinds = Object.keys(byteOfKind) as ChangelogKind[];
const nobodysEpoch = '-1';

/** The entries of one send. */
export function encodeChangelogEntries(
  entries: readonly ChangelogEntry[],
  epoch: number,
  send: number,
): readonly RecordToSend[] {
  const e = String(epoch);
  const n = String(send);
  // Alike in all records of a send.
  const headers = headersSummed(e, n);
  return entries.map((entry) => {
    const key = byteOfKind[entry.kind] + entry.key;
    const { value } = entry;
    return { key, value, headers: ['e', e, 'n', n, 'c', writtenChecksum(key, headers, value)] };
  });
}

/** A record that cannot be read, or whose checksum does not match, has `invalid` set. */
export function decodeChangelogRecord(record: BatchRecord): ChangelogRecord {
  const { offset, bytes, keyStart, keyEnd, value } = record;
  const refused = (invalid: string): ChangelogRecord => {
    return { offset, kind: 'row', key: '', value, epoch: -1, send: 0, invalid };
  };
  if (keyEnd - keyStart < 2 || !isAscii(bytes, keyStart, keyEnd)) return refused('its key is none of ours');
  const kind = kinds.find((known) => byteOfKind[known].charCodeAt(0) === bytes[keyStart]);
  if (kind === undefined) return refused('its kind is unknown');
  if (!record.findHeaders(sendHeaders, sendRanges)) return refused('it has no headers e, n, c');
  const epoch = isText(bytes, e, nobodysEpoch) ? -1 : decimalIn(bytes, e);
  const send = decimalIn(bytes, n);
  if (epoch === undefined || send === undefined) return refused('its epoch or its send is malformed');
  const key = bytes.toString('latin1', keyStart + 1, keyEnd);
  const found = { offset, kind, key, value, epoch, send };
  if (isHexOf(readChecksum(record, e, n, value), bytes, c)) return found;
  return { ...found, invalid: 'its checksum does not match' };
}

/** Where the headers of the record at hand stand: used again for each, one is decoded at a time. */
const e = aRange();
const n = aRange();
const c = aRange();
const sendHeaders = ['e', 'n', 'c'];
const sendRanges = [e, n, c];
