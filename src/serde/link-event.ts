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

/** The bytes are no link event; reading them again gives the same. Park the partition: nothing is skipped in silence. */
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
  const type = text(envelope, 'type');
  if (!type.startsWith(typePrefix)) throw new MalformedEvent('"type" is not that of a link event');
  const decode = decoders.get(type.slice(typePrefix.length));
  if (decode === undefined) throw new UnknownEventVersion(type);
  const data = member(envelope, 'data');
  if (!isMembers(data)) throw new MalformedEvent('"data" is not an object');
  const code = text(envelope, 'subject');
  if (!isCode(code)) throw new MalformedEvent('"subject" is not a code');
  return {
    id: text(envelope, 'id'),
    code,
    at: instant(envelope, 'time'),
    by: text(data, 'by'),
    commandId: text(data, 'commandId'),
    expectedVersion: integer(data, 'expectedVersion', 0, Number.MAX_SAFE_INTEGER),
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
  ['created.v1', (data) => ({ type: 'LinkCreated', kind: kind(data), ...settings(data) })],
  ['changed.v1', (data) => ({ type: 'LinkChanged', changes: changes(data) })],
  ['disabled.v1', () => ({ type: 'LinkDisabled' })],
  ['enabled.v1', () => ({ type: 'LinkEnabled' })],
  ['deleted.v1', () => ({ type: 'LinkDeleted' })],
  ['restored.v1', () => ({ type: 'LinkRestored' })],
  [
    'rolled-back.v1',
    (data) => ({
      type: 'LinkRolledBack',
      toVersion: integer(data, 'toVersion', 1, Number.MAX_SAFE_INTEGER),
      disabled: flag(data, 'disabled'),
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

function member(members: Members, name: string): unknown {
  return Object.hasOwn(members, name) ? members[name] : undefined;
}

function text(members: Members, name: string): string {
  const value = member(members, name);
  if (typeof value !== 'string' || value === '') throw new MalformedEvent(`"${name}" is not a text`);
  return value;
}

function flag(members: Members, name: string): boolean {
  const value = member(members, name);
  if (typeof value !== 'boolean') throw new MalformedEvent(`"${name}" is not true or false`);
  return value;
}

function integer(members: Members, name: string, min: number, max: number): number {
  const value = member(members, name);
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
    throw new MalformedEvent(`"${name}" is not an integer from ${min} to ${max}`);
  }
  return value;
}

function instant(members: Members, name: string): number {
  const value = text(members, name);
  const ms = Date.parse(value);
  if (Number.isNaN(ms) || new Date(ms).toISOString() !== value) {
    throw new MalformedEvent(`"${name}" is not an instant in UTC with milliseconds`);
  }
  return ms;
}

function kind(members: Members): LinkKind {
  const value = member(members, 'kind');
  if (value !== 'own' && value !== 'alias' && value !== 'random')
    throw new MalformedEvent('"kind" is not a kind of link');
  return value;
}

function settings(members: Members): LinkSettings {
  return {
    url: url(members),
    expiresAt: orNull(members, 'expiresAt', milliseconds),
    maxVisits: orNull(members, 'maxVisits', visits),
    tags: tags(members),
    note: orNull(members, 'note', text),
  };
}

function changes(data: Members): LinkChanges {
  const given = member(data, 'changes');
  if (!isMembers(given)) throw new MalformedEvent('"changes" is not an object');
  return {
    ...(Object.hasOwn(given, 'url') ? { url: url(given) } : {}),
    ...(Object.hasOwn(given, 'expiresAt') ? { expiresAt: orNull(given, 'expiresAt', milliseconds) } : {}),
    ...(Object.hasOwn(given, 'maxVisits') ? { maxVisits: orNull(given, 'maxVisits', visits) } : {}),
    ...(Object.hasOwn(given, 'tags') ? { tags: tags(given) } : {}),
    ...(Object.hasOwn(given, 'note') ? { note: orNull(given, 'note', text) } : {}),
    ...(Object.hasOwn(given, 'disabled') ? { disabled: flag(given, 'disabled') } : {}),
  };
}

/** Not the rules for new targets, which may have changed since: only what makes it safe to send as a header. */
function url(members: Members): string {
  const value = text(members, 'url');
  if (!/^https?:\/\/[\x21-\x7e]{1,2048}$/.test(value)) throw new MalformedEvent('"url" is not an http(s) address');
  return value;
}

function orNull<Value>(members: Members, name: string, parse: (members: Members, name: string) => Value): Value | null {
  return member(members, name) === null ? null : parse(members, name);
}

function milliseconds(members: Members, name: string): number {
  return integer(members, name, -8_640_000_000_000_000, 8_640_000_000_000_000);
}

function visits(members: Members, name: string): number {
  return integer(members, name, 1, 1_000_000_000);
}

function tags(members: Members): readonly string[] {
  const value = member(members, 'tags');
  if (!Array.isArray(value)) throw new MalformedEvent('"tags" is not a list');
  return (value as readonly unknown[]).map((tag) => {
    if (typeof tag !== 'string') throw new MalformedEvent('a tag is not a text');
    return tag;
  });
}
