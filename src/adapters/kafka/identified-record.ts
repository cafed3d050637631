/**
 * Records of links and visits as they stand in Kafka: headers `p` (who wrote it), `s` (its place among that producer's) and `c`
 * (a checksum over both, key and value). A link event is a CloudEvent in binary mode: its data is the value, its attributes are
 * headers. Inside it is one JSON text again, byte for byte what was appended. What does not check is marked, never repaired.
 */
import type { LogRecord, RecordToAppend } from '../../ports/event-log.ts';
import { aRange, type BatchRecord, type ByteRange, isText, type RecordToSend } from './record-batch.ts';
import { decimalIn, headersSummed, isAscii, isHexOf, readChecksum, writtenChecksum } from './record-text.ts';

export interface Identity {
  readonly producerId: string;
  readonly sequence: number;
}

export function encodeIdentified(record: RecordToAppend, { producerId, sequence }: Identity): RecordToSend {
  const s = String(sequence);
  const { key } = record;
  // Of the value as the application knows it, so that no header is left out.
  const c = writtenChecksum(key, headersSummed(producerId, s), record.value);
  const { value, attributes } = toBinaryMode(record.value);
  return {
    key,
    // The caller may go on to use its buffer.
    value: Buffer.from(value),
    headers: ['p', producerId, 's', s, 'c', c, ...attributes],
  };
}

/** A record that no producer of ours wrote, or whose bytes are not what was written, has `invalid` set. */
export function decodeIdentified(record: BatchRecord): LogRecord {
  const { offset, bytes, keyStart, keyEnd } = record;
  const value = toStructuredMode(record);
  const refused = (invalid: string, key = ''): LogRecord => {
    return { offset, key, value: value ?? noBytes, producerId: '', sequence: 0, invalid };
  };
  if (keyStart < 0) return refused('it has no key');
  // Keys of ours are ASCII.
  if (!isAscii(bytes, keyStart, keyEnd)) {
    return refused('its key is not ASCII; here it is in base64', bytes.toString('base64', keyStart, keyEnd));
  }
  const key = bytes.toString('latin1', keyStart, keyEnd);
  if (value === null) return refused('it has no value', key);
  if (!record.findHeaders(identityHeaders, identityRanges)) {
    return refused('it has no identity (headers p, s, c)', key);
  }
  const producerId = producerIdIn(bytes, p);
  const sequence = decimalIn(bytes, s);
  if (producerId === undefined || sequence === undefined) return refused('its identity is malformed', key);
  if (!isHexOf(readChecksum(record, p, s, value), bytes, c)) return refused('its checksum does not match', key);
  return { offset, key, value, producerId, sequence };
}

const noBytes = Buffer.alloc(0);
const producerIdPattern = /^[\x21-\x7e]{1,64}$/;
/** Where the headers of the record at hand stand: used again for each, one is decoded at a time. */
const p = aRange();
const s = aRange();
const c = aRange();
const identityHeaders = ['p', 's', 'c'];
const identityRanges = [p, s, c];

/** A batch is of one producer: its id is nearly always that of the record before. */
let lastProducerId = '';

function producerIdIn(bytes: Buffer, range: ByteRange): string | undefined {
  if (isText(bytes, range, lastProducerId)) return lastProducerId;
  const id = bytes.toString('latin1', range.start, range.end);
  if (!producerIdPattern.test(id)) return undefined;
  lastProducerId = id;
  return id;
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
function toStructuredMode(record: BatchRecord): Buffer | null {
  const { value } = record;
  const hasOthers = record.headerCount > identityHeaders.length;
  if (value === null || !hasOthers || !record.findHeader('ce_specversion', c)) return value;
  const attribute = (name: string): string => record.header(`ce_${name}`) ?? '';
  const envelope = `{"specversion":"${attribute('specversion')}","id":"${attribute('id')}","source":"${attribute('source')}","type":"${attribute('type')}","time":"${attribute('time')}","subject":"${attribute('subject')}","data":`;
  const whole = Buffer.allocUnsafe(envelope.length + value.length + 1);
  whole.write(envelope, 'latin1');
  value.copy(whole, envelope.length);
  whole[whole.length - 1] = closingBrace;
  return whole;
}
