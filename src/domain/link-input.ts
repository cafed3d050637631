/**
 * What a person asks for, narrowed from untyped input. All members are checked and all errors are told at once; nothing
 * here knows which links exist. Members are read through a Map, so that no name can reach a prototype.
 */
import { parseInstant } from './instant.ts';
import type { LinkChanges, LinkSettings } from './link.ts';
import type { FieldError, FieldErrorCode, Refusal } from './refusal.ts';
import { parseAlias } from './short-code.ts';
import { parseTargetUrl, type TargetUrlRules } from './target-url.ts';

/** A parsed creation: every value is checked, `url` is `new URL(input).href`. */
export interface NewLink extends LinkSettings {
  readonly alias: string | null;
  readonly unique: boolean;
}

/** A parsed JSON Merge Patch (RFC 7396): absent members stay, null clears. */
export interface LinkPatch extends Partial<LinkSettings> {
  readonly status?: 'active' | 'disabled';
}

/** What input is measured against. */
export interface LinkInputRules extends TargetUrlRules {
  /** An expiry must lie after it. */
  readonly nowMs: number;
}

export type InvalidInput = Extract<Refusal, { readonly refusal: 'invalid' }>;

export const maxVisitsMax = 1_000_000_000;
export const tagsMax = 20;
/** In code points (what a person counts as characters, nearly), not UTF-16 units. */
export const tagMaxCharacters = 50;
/** In code points, after line ends were made `\n`. */
export const noteMaxCharacters = 1000;

/** Of a hostile body with thousands of unknown members so many are named. */
const unknownMembersNamedMax = 20;

/** A body of `POST /api/links`. Optional members that are null are taken as absent. */
export function parseNewLink(input: unknown, rules: LinkInputRules): NewLink | InvalidInput {
  const members = membersOf(input);
  if (members === undefined) return notAnObject;
  const errors: FieldError[] = unknownMembers(members, newLinkMembers);
  const optional = <Value>(name: string, absent: Value, parse: (value: unknown) => Value | FieldError): Value =>
    keep(errors, absent, parseOr(members.get(name) ?? null, absent, parse));
  const url = keep(errors, '', parseTargetUrl(members.get('url'), rules));
  const parsed: NewLink = {
    url,
    alias: optional<string | null>('alias', null, parseAlias),
    expiresAt: optional<number | null>('expiresAt', null, (value) => parseExpiresAt(value, rules.nowMs)),
    maxVisits: optional<number | null>('maxVisits', null, parseMaxVisits),
    tags: optional<readonly string[]>('tags', [], parseTags),
    note: optional<string | null>('note', null, parseNote),
    unique: optional<boolean>('unique', false, parseUnique),
  };
  return errors.length === 0 ? parsed : { refusal: 'invalid', errors };
}

/** A body of `PATCH /api/links/:code`. `url` and `status` cannot be cleared. */
export function parseLinkPatch(input: unknown, rules: LinkInputRules): LinkPatch | InvalidInput {
  const members = membersOf(input);
  if (members === undefined) return notAnObject;
  const errors: FieldError[] = unknownMembers(members, patchMembers);
  const patch: { -readonly [Name in keyof LinkPatch]: LinkPatch[Name] } = {};
  for (const [name, value] of members) {
    switch (name) {
      case 'url':
        patch.url = keep(errors, '', parseTargetUrl(value, rules));
        break;
      case 'expiresAt':
        patch.expiresAt = keep(
          errors,
          null,
          parseOr(value, null, (given) => parseExpiresAt(given, rules.nowMs)),
        );
        break;
      case 'maxVisits':
        patch.maxVisits = keep(errors, null, parseOr(value, null, parseMaxVisits));
        break;
      case 'tags':
        patch.tags = keep<readonly string[]>(errors, [], parseOr<readonly string[]>(value, [], parseTags));
        break;
      case 'note':
        patch.note = keep(errors, null, parseOr(value, null, parseNote));
        break;
      case 'status':
        patch.status = keep<'active' | 'disabled'>(errors, 'active', parseStatus(value));
        break;
    }
  }
  return errors.length === 0 ? patch : { refusal: 'invalid', errors };
}

/** A patch in the words of {@link LinkChanges}. */
export function changesOf({ status, ...settings }: LinkPatch): LinkChanges {
  return status === undefined ? settings : { ...settings, disabled: status === 'disabled' };
}

/** The form in which tags are compared: two tags with the same key are the same tag. */
export function tagKey(tag: string): string {
  return tag.toLowerCase();
}

const newLinkMembers = ['url', 'alias', 'expiresAt', 'maxVisits', 'tags', 'note', 'unique'];
const patchMembers = ['url', 'expiresAt', 'maxVisits', 'tags', 'note', 'status'];

const notAnObject: InvalidInput = {
  refusal: 'invalid',
  errors: [{ field: '', code: 'wrong-type', detail: 'The body must be a JSON object.' }],
};

function membersOf(input: unknown): ReadonlyMap<string, unknown> | undefined {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return undefined;
  return new Map<string, unknown>(Object.entries(input));
}

function unknownMembers(members: ReadonlyMap<string, unknown>, known: readonly string[]): FieldError[] {
  const errors: FieldError[] = [];
  for (const name of members.keys()) {
    if (known.includes(name)) continue;
    const shown = name.length > 64 ? `${name.slice(0, 64)}…` : name;
    errors.push(refuse(shown, 'unknown-member', `There is no member "${shown}" here; known are ${known.join(', ')}.`));
    if (errors.length === unknownMembersNamedMax) break;
  }
  return errors;
}

/** Puts an error where it is told and gives `instead` for it, so that the other members are checked as well. */
function keep<Value>(errors: FieldError[], instead: Value, parsed: Value | FieldError): Value {
  if (!isFieldError(parsed)) return parsed;
  errors.push(parsed);
  return instead;
}

function parseOr<Value>(
  value: unknown,
  absent: Value,
  parse: (value: unknown) => Value | FieldError,
): Value | FieldError {
  return value === null ? absent : parse(value);
}

function isFieldError(value: unknown): value is FieldError {
  return typeof value === 'object' && value !== null && 'field' in value && 'code' in value;
}

function parseExpiresAt(value: unknown, nowMs: number): number | FieldError {
  if (typeof value !== 'string') {
    return refuse('expiresAt', 'wrong-type', 'The expiry must be a text such as "2030-01-31T12:00:00Z".');
  }
  const instantMs = parseInstant(value);
  if (instantMs === undefined) {
    return refuse(
      'expiresAt',
      'not-an-instant',
      'Write the expiry as date, time and offset, as in 2030-01-31T12:00:00Z or 2030-01-31T12:00:00+01:00.',
    );
  }
  if (instantMs <= nowMs) return refuse('expiresAt', 'in-the-past', 'The expiry must lie in the future.');
  return instantMs;
}

function parseMaxVisits(value: unknown): number | FieldError {
  if (typeof value !== 'number') return refuse('maxVisits', 'wrong-type', 'The number of visits must be a number.');
  if (!Number.isInteger(value) || value < 1 || value > maxVisitsMax) {
    return refuse('maxVisits', 'out-of-range', 'The number of visits must be a whole number from 1 to 1,000,000,000.');
  }
  return value;
}

function parseTags(value: unknown): readonly string[] | FieldError {
  if (!Array.isArray(value)) return refuse('tags', 'wrong-type', 'The tags must be a list of texts.');
  const byKey = new Map<string, string>();
  for (const tag of value as readonly unknown[]) {
    if (typeof tag !== 'string') return refuse('tags', 'wrong-type', 'Each tag must be a text.');
    const trimmed = tag.trim();
    if (trimmed === '') return refuse('tags', 'too-short', 'A tag has at least one character besides spaces.');
    if (isLongerThan(trimmed, tagMaxCharacters)) {
      return refuse('tags', 'too-long', `A tag has at most ${tagMaxCharacters} characters.`);
    }
    if (/[\p{Cc}\p{Zl}\p{Zp}\p{Surrogate}]/u.test(trimmed)) {
      return refuse('tags', 'characters-not-allowed', 'A tag has no line breaks or other control characters.');
    }
    const key = tagKey(trimmed);
    if (!byKey.has(key)) byKey.set(key, trimmed);
    if (byKey.size > tagsMax) return refuse('tags', 'too-many', `A link has at most ${tagsMax} tags.`);
  }
  return [...byKey.values()];
}

function parseNote(value: unknown): string | null | FieldError {
  if (typeof value !== 'string') return refuse('note', 'wrong-type', 'The note must be a text.');
  // Forms send the line ends of a text area as CR LF.
  const note = value.replaceAll('\r\n', '\n');
  if (isLongerThan(note, noteMaxCharacters)) {
    return refuse('note', 'too-long', `A note has at most ${noteMaxCharacters} characters.`);
  }
  if (/[^\P{Cc}\n\t]|\p{Surrogate}/u.test(note)) {
    return refuse('note', 'characters-not-allowed', 'A note has no control characters besides line breaks and tabs.');
  }
  return note === '' ? null : note;
}

function parseUnique(value: unknown): boolean | FieldError {
  return typeof value === 'boolean' ? value : refuse('unique', 'wrong-type', '"unique" must be true or false.');
}

function parseStatus(value: unknown): 'active' | 'disabled' | FieldError {
  if (value === 'active' || value === 'disabled') return value;
  const code = typeof value === 'string' ? 'not-allowed-value' : 'wrong-type';
  return refuse('status', code, 'The status can be set to "active" or "disabled".');
}

function isLongerThan(text: string, characters: number): boolean {
  if (text.length <= characters) return false;
  return text.length > 2 * characters || [...text].length > characters;
}

function refuse(field: string, code: FieldErrorCode, detail: string): FieldError {
  return { field, code, detail };
}
