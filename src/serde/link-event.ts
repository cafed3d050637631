/**
 * Link events as bytes of the `links` topic: JSON in UTF-8, shaped after CloudEvents 1.0, one type and version a fact.
 * Old versions are brought to the newest while decoding; what is not understood as a whole is refused, never guessed.
 */
import { isAscii } from 'node:buffer';
import type { LinkChanges, LinkEvent, LinkFact, LinkKind, LinkSettings } from '../domain/link.ts';
import { isCode } from '../domain/short-code.ts';

/** A type or version that this build does not know: a newer one wrote it. Park the partition until it is upgraded. */
export class UnknownEventVersion extends Error {
  override readonly name = 'UnknownEventVersion';
  readonly type: string;
  constructor(type: string) {
    super(`unknown type or version of a link event: ${type.slice(0, 100)}`);
    this.type = type;
  }
}

/** The bytes are no link event, and reading them again gives the same. Park the partition: leaving it out would change links. */
export class MalformedEvent extends Error {
  override readonly name = 'MalformedEvent';
}

/** The newest version's bytes. Times are ISO 8601 in the envelope and milliseconds since the epoch in the data. */
export function encodeLinkEvent(event: LinkEvent): Buffer {
  const { id, code, at, by, commandId, expectedVersion, type, ...facts } = event;
  return Buffer.from(
    JSON.stringify({
      specversion: '1.0',
      id,
      source: 'tallyhop',
      type: `${typePrefix}${typeNames[type]}.v1`,
      time: new Date(at).toISOString(),
      subject: code,
      data: { by, commandId, expectedVersion, ...facts },
    }),
  );
}

/**
 * The event that the bytes say, validated as a whole. Members it does not know are ignored: whoever adds one that
 * changes what the fold decides must raise the version. Throws {@link UnknownEventVersion} or {@link MalformedEvent}.
 */
export function decodeLinkEvent(value: Buffer): LinkEvent {
  const envelope = parseObject(value);
  const type = text(envelope['type'], 'type');
  if (!type.startsWith(typePrefix)) throw new MalformedEvent('"type" is not that of a link event');
  const decode = decoders.get(type.slice(typePrefix.length));
  if (decode === undefined) throw new UnknownEventVersion(type);
  const data = envelope['data'];
  if (!isMembers(data)) throw new MalformedEvent('"data" is not an object');
  const code = text(envelope['subject'], 'subject');
  if (!isCode(code)) throw new MalformedEvent('"subject" is not a code');
  return {
    id: text(envelope['id'], 'id'),
    code,
    at: instant(envelope['time'], 'time'),
    by: text(data['by'], 'by'),
    commandId: text(data['commandId'], 'commandId'),
    expectedVersion: integer(data['expectedVersion'], 'expectedVersion', 0, Number.MAX_SAFE_INTEGER),
    ...decode(data),
  };
}

const typePrefix = 'tallyhop.link.';

const typeNames: Readonly<Record<LinkFact['type'], string>> = {
  LinkCreated: 'created',
  LinkChanged: 'changed',
  LinkDisabled: 'disabled',
  LinkEnabled: 'enabled',
  LinkDeleted: 'deleted',
  LinkRestored: 'restored',
  LinkRolledBack: 'rolled-back',
};

type Members = Readonly<Record<string, unknown>>;

/** Each type and version that was ever written, with how it reads as today's fact: the upcasters stand here. */
const decoders: ReadonlyMap<string, (data: Members) => LinkFact> = new Map<string, (data: Members) => LinkFact>([
  ['created.v1', (data) => ({ type: 'LinkCreated', kind: kind(data['kind']), ...settings(data) })],
  ['changed.v1', (data) => ({ type: 'LinkChanged', changes: changes(data) })],
  ['disabled.v1', () => ({ type: 'LinkDisabled' })],
  ['enabled.v1', () => ({ type: 'LinkEnabled' })],
  ['deleted.v1', () => ({ type: 'LinkDeleted' })],
  ['restored.v1', () => ({ type: 'LinkRestored' })],
  [
    'rolled-back.v1',
    (data) => ({
      type: 'LinkRolledBack',
      toVersion: integer(data['toVersion'], 'toVersion', 1, Number.MAX_SAFE_INTEGER),
      disabled: flag(data['disabled'], 'disabled'),
      ...settings(data),
    }),
  ],
]);

/** Bytes that are not UTF-8 would otherwise be read as replacement characters. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function parseObject(value: Buffer): Members {
  let parsed: unknown;
  try {
    parsed = JSON.parse(isAscii(value) ? value.toString('latin1') : utf8.decode(value));
  } catch (error) {
    throw new MalformedEvent('not JSON in UTF-8', { cause: error });
  }
  if (!isMembers(parsed)) throw new MalformedEvent('not a JSON object');
  return parsed;
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown, name: string): string {
  if (typeof value !== 'string' || value === '') throw new MalformedEvent(`"${name}" is not a text`);
  return value;
}

function flag(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw new MalformedEvent(`"${name}" is not true or false`);
  return value;
}

function integer(value: unknown, name: string, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
    throw new MalformedEvent(`"${name}" is not an integer from ${min} to ${max}`);
  }
  return value;
}

function instant(value: unknown, name: string): number {
  const time = text(value, name);
  const ms = Date.parse(time);
  // In this form all that can be out of range and still be parsed, days 29 to 31 and hour 24, leads to another day.
  const isExact = usualInstant.test(time)
    ? new Date(ms).getUTCDate() === Number(time.slice(8, 10))
    : !Number.isNaN(ms) && new Date(ms).toISOString() === time;
  if (!isExact) {
    throw new MalformedEvent(`"${name}" is not an instant in UTC with milliseconds`);
  }
  return ms;
}

/** Four times cheaper to check than by writing it out; years beyond 9999 have another form. */
const usualInstant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

function kind(value: unknown): LinkKind {
  if (value !== 'own' && value !== 'alias' && value !== 'random')
    throw new MalformedEvent('"kind" is not a kind of link');
  return value;
}

function settings(members: Members): LinkSettings {
  return {
    url: url(members['url']),
    expiresAt: orNull(members['expiresAt'], 'expiresAt', milliseconds),
    maxVisits: orNull(members['maxVisits'], 'maxVisits', visits),
    tags: tags(members['tags']),
    note: orNull(members['note'], 'note', text),
  };
}

function changes(data: Members): LinkChanges {
  const given = data['changes'];
  if (!isMembers(given)) throw new MalformedEvent('"changes" is not an object');
  return {
    ...(Object.hasOwn(given, 'url') ? { url: url(given['url']) } : {}),
    ...(Object.hasOwn(given, 'expiresAt') ? { expiresAt: orNull(given['expiresAt'], 'expiresAt', milliseconds) } : {}),
    ...(Object.hasOwn(given, 'maxVisits') ? { maxVisits: orNull(given['maxVisits'], 'maxVisits', visits) } : {}),
    ...(Object.hasOwn(given, 'tags') ? { tags: tags(given['tags']) } : {}),
    ...(Object.hasOwn(given, 'note') ? { note: orNull(given['note'], 'note', text) } : {}),
    ...(Object.hasOwn(given, 'disabled') ? { disabled: flag(given['disabled'], 'disabled') } : {}),
  };
}

/** Not the rules for new targets, which may have changed since: only what makes it safe to send as a header. */
function url(value: unknown): string {
  const target = text(value, 'url');
  if (!/^https?:\/\/[\x21-\x7e]{1,2048}$/.test(target)) throw new MalformedEvent('"url" is not an http(s) address');
  return target;
}

function orNull<Value>(value: unknown, name: string, parse: (value: unknown, name: string) => Value): Value | null {
  return value === null ? null : parse(value, name);
}

function milliseconds(value: unknown, name: string): number {
  return integer(value, name, -8_640_000_000_000_000, 8_640_000_000_000_000);
}

function visits(value: unknown, name: string): number {
  return integer(value, name, 1, 1_000_000_000);
}

function tags(value: unknown): readonly string[] {
  if (!Array.isArray(value)) throw new MalformedEvent('"tags" is not a list');
  return (value as readonly unknown[]).map((tag) => {
    if (typeof tag !== 'string') throw new MalformedEvent('a tag is not a text');
    return tag;
  });
}
