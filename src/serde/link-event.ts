/**
 * Link events as bytes of the `links` topic: JSON in UTF-8, shaped after CloudEvents 1.0, one type and version a fact.
 * Old versions are brought to the newest while decoding; what is not understood as a whole is refused, never guessed.
 */
import { isAscii } from 'node:buffer';
import { parseUtcInstant } from '../domain/instant.ts';
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
  return decodeUsualCreation(value) ?? decodeAny(value);
}

function decodeAny(value: Buffer): LinkEvent {
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

const plain = '[\\x20-\\x21\\x23-\\x5b\\x5d-\\x7e]';
const plainText = `"(${plain}+)"`;
/** A creation exactly as {@link encodeLinkEvent} writes it, of printable ASCII without escapes: what most of the topic is. */
const usualCreation = new RegExp(
  [
    `^{"specversion":"1\\.0","id":${plainText},"source":"tallyhop","type":"tallyhop\\.link\\.created\\.v1","time":${plainText}`,
    `"subject":${plainText},"data":{"by":${plainText},"commandId":${plainText},"expectedVersion":0,"kind":${plainText}`,
    `"url":${plainText},"expiresAt":(null|0|[1-9]\\d{0,15}),"maxVisits":(null|[1-9]\\d{0,9})`,
    `"tags":(\\[(?:"${plain}*"(?:,"${plain}*")*)?\\]),"note":(null|"${plain}+")}}$`,
  ].join(','),
);

/** In a third of the time that JSON's parser and the checks of its result take; null for all others, also malformed ones. */
function decodeUsualCreation(value: Buffer): LinkEvent | null {
  const found = usualCreation.exec(value.toString('latin1'));
  if (found === null) return null;
  // As many as the groups that the expression has.
  const members = found as readonly string[];
  const code = members[3] as string;
  if (!isCode(code)) return null;
  const tagList = members[10] as string;
  const note = members[11] as string;
  return {
    id: members[1] as string,
    code,
    at: instant(members[2], 'time'),
    by: members[4] as string,
    commandId: members[5] as string,
    expectedVersion: 0,
    type: 'LinkCreated',
    kind: kind(members[6]),
    url: url(members[7]),
    expiresAt: orNull(integerIn(members[8]), 'expiresAt', milliseconds),
    maxVisits: orNull(integerIn(members[9]), 'maxVisits', visits),
    tags: tagList === '[]' ? [] : (JSON.parse(tagList) as string[]),
    note: note === 'null' ? null : note.slice(1, -1),
  };
}

function integerIn(text: string | undefined): number | null {
  return text === 'null' ? null : Number(text);
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
  const usual = parseUtcInstant(time);
  if (usual !== undefined) return usual;
  // Years before 0000 and after 9999 have another form.
  const ms = Date.parse(time);
  if (Number.isNaN(ms) || new Date(ms).toISOString() !== time) {
    throw new MalformedEvent(`"${name}" is not an instant in UTC with milliseconds`);
  }
  return ms;
}

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
