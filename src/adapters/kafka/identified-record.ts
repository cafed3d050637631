/**
 * Records of links and visits as they stand in Kafka: headers `p` (who wrote it), `s` (its place among that producer's) and `c`
 * (a checksum over both, key and value). A link event is a CloudEvent in binary mode: its data is the value, its attributes are
 * headers. Inside it is one JSON text again, byte for byte what was appended. What does not check is marked, never repaired.
 */
import { isAscii } from 'node:buffer';
import { crc32 } from 'node:zlib';
import type { LogRecord, RecordToAppend } from '../../ports/event-log.ts';
import type { BatchRecord, RecordToSend } from './record-batch.ts';

export interface Identity {
  readonly producerId: string;
  readonly sequence: number;
}

/** CRC-32 of key, 0, `p`, 0, `s`, 0 and the value as the application knows it, so that no header is left out; 8 hex digits. */
function checksum(key: string, producerId: string, sequence: string, value: Buffer): string {
  return crc32(value, crc32(`${key}\0${producerId}\0${sequence}\0`))
    .toString(16)
    .padStart(8, '0');
}

export function encodeIdentified(record: RecordToAppend, { producerId, sequence }: Identity): RecordToSend {
  const s = String(sequence);
  const c = checksum(record.key, producerId, s, record.value);
  const { value, attributes } = toBinaryMode(record.value);
  return {
    key: Buffer.from(record.key, 'latin1'),
    // The caller may go on to use its buffer.
    value: Buffer.from(value),
    headers: ['p', producerId, 's', s, 'c', c, ...attributes],
  };
}

/** A record that no producer of ours wrote, or whose bytes are not what was written, has `invalid` set. */
export function decodeIdentified(record: BatchRecord): LogRecord {
  const { offset } = record;
  const value = toStructuredMode(record.value ?? noBytes, record.headers);
  const refused = (invalid: string): LogRecord => ({ offset, key, value, producerId: '', sequence: 0, invalid });
  let key = '';
  if (record.key === null) return refused('it has no key');
  if (isAscii(record.key)) {
    key = record.key.toString('latin1');
  } else {
    // Keys of ours are ASCII.
    key = record.key.toString('base64');
    return refused('its key is not ASCII; here it is in base64');
  }
  if (record.value === null) return refused('it has no value');
  const p = header(record.headers, 'p');
  const s = header(record.headers, 's');
  const c = header(record.headers, 'c');
  if (p === undefined || s === undefined || c === undefined) return refused('it has no identity (headers p, s, c)');
  if (!producerIdPattern.test(p) || !sequencePattern.test(s)) return refused('its identity is malformed');
  const sequence = Number(s);
  if (!Number.isSafeInteger(sequence)) return refused('its identity is malformed');
  if (c !== checksum(key, p, s, value)) return refused('its checksum does not match');
  return { offset, key, value, producerId: p, sequence };
}

const noBytes = Buffer.alloc(0);
const producerIdPattern = /^[\x21-\x7e]{1,64}$/;
const sequencePattern = /^(?:0|[1-9]\d{0,15})$/;

export function header(headers: readonly string[], name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return headers[i + 1];
  return undefined;
}

/** The envelope as `serde/link-event` writes it: members in this order, values that need no escape. Anything else stays as it is. */
const envelopePattern =
  /^\{"specversion":"1\.0","id":"([\x20\x21\x23-\x5b\x5d-\x7e]+)","source":"([\x20\x21\x23-\x5b\x5d-\x7e]+)","type":"([\x20\x21\x23-\x5b\x5d-\x7e]+)","time":"([\x20\x21\x23-\x5b\x5d-\x7e]+)","subject":"([\x20\x21\x23-\x5b\x5d-\x7e]+)","data":(?=\{)/;
const envelopeStart = Buffer.from('{"specversion":"1.0"');
const envelopeBytesMax = 1_000;
const closingBrace = 0x7d;

/** CloudEvents 1.0, Kafka protocol binding, 3.2. What is no link event is left alone. */
function toBinaryMode(value: Buffer): { readonly value: Buffer; readonly attributes: readonly string[] } {
  if (envelopeStart.compare(value, 0, Math.min(envelopeStart.length, value.length)) !== 0) return asItIs(value);
  const found = envelopePattern.exec(value.toString('latin1', 0, envelopeBytesMax));
  if (found === null || value.at(-1) !== closingBrace) return asItIs(value);
  const [envelope, id = '', source = '', type = '', time = '', subject = ''] = found;
  return {
    value: value.subarray(envelope.length, -1),
    attributes: [
      'ce_specversion',
      '1.0',
      'ce_id',
      id,
      'ce_source',
      source,
      'ce_type',
      type,
      'ce_time',
      time,
      'ce_subject',
      subject,
      'content-type',
      'application/json',
    ],
  };
}

function asItIs(value: Buffer): { readonly value: Buffer; readonly attributes: readonly string[] } {
  return { value, attributes: [] };
}

/** The inverse, for what {@link toBinaryMode} made; attributes in another form are a stranger's, and fail the checksum. */
function toStructuredMode(value: Buffer, headers: readonly string[]): Buffer {
  if (header(headers, 'ce_specversion') === undefined) return value;
  const attribute = (name: string): string => header(headers, `ce_${name}`) ?? '';
  const envelope = `{"specversion":"${attribute('specversion')}","id":"${attribute('id')}","source":"${attribute('source')}","type":"${attribute('type')}","time":"${attribute('time')}","subject":"${attribute('subject')}","data":`;
  const whole = Buffer.allocUnsafe(envelope.length + value.length + 1);
  whole.write(envelope, 'latin1');
  value.copy(whole, envelope.length);
  whole[whole.length - 1] = closingBrace;
  return whole;
}
