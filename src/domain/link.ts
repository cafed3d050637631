/**
 * A short link: its state, the events that made it, and the commands that ask for them.
 * `decide…` turns a command into an event or a refusal, `evolve` folds an event; both are pure.
 */
import type { Refusal } from './refusal.ts';

/** State of a link as folded from its events. Times are milliseconds since the epoch, UTC. */
export interface Link {
  readonly code: string;
  /** The target: exactly `new URL(input).href` of what was asked for. */
  readonly url: string;
  /** 1 after creation, one more with each effective event. */
  readonly version: number;
  readonly kind: LinkKind;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly expiresAt: number | null;
  /** Human visits allowed, 1 to 10⁹, or null for no limit. */
  readonly maxVisits: number | null;
  readonly tags: readonly string[];
  readonly note: string | null;
  readonly disabled: boolean;
  readonly deletedAt: number | null;
  /** Place among all created links of this log, from 1: the order of lists. Given by the fold. */
  readonly ordinal: number;
}

/** `own`: the code is derived from the URL; `alias`: chosen by a person; `random`: made for this link alone. */
export type LinkKind = 'own' | 'alias' | 'random';

/** What a person may change about a link. */
export interface LinkSettings {
  readonly url: string;
  readonly expiresAt: number | null;
  readonly maxVisits: number | null;
  readonly tags: readonly string[];
  readonly note: string | null;
}

interface EventEnvelope {
  /** Unique id of the event (UUID v7). */
  readonly id: string;
  readonly code: string;
  /** When it was decided, ms. */
  readonly at: number;
  /** Who asked for it; `anonymous` until there are keys. */
  readonly by: string;
  /** Identity of the command that asked for it: a command is effective at most once. */
  readonly commandId: string;
  /** The event is effective only if this is the link's version when it is folded; 0 for a creation. */
  readonly expectedVersion: number;
}

/** Facts about a link, in the past tense. Stored for ever: add optional members or a new type, never change one. */
export type LinkEvent = EventEnvelope & LinkFact;

/** What an event says, without who, when and at which version. */
export type LinkFact =
  | ({ readonly type: 'LinkCreated'; readonly kind: LinkKind } & LinkSettings)
  | { readonly type: 'LinkChanged'; readonly changes: LinkChanges }
  | { readonly type: 'LinkDisabled' }
  | { readonly type: 'LinkEnabled' }
  | { readonly type: 'LinkDeleted' }
  | { readonly type: 'LinkRestored' }
  | ({ readonly type: 'LinkRolledBack'; readonly toVersion: number; readonly disabled: boolean } & LinkSettings);

/** Members to set; absent ones stay as they are. */
export interface LinkChanges extends Partial<LinkSettings> {
  readonly disabled?: boolean;
}

/** What a command comes to: a fact to append, a refusal, or nothing because the link is already as it was asked for. */
export type Decision = LinkFact | Refusal | 'no-change';

/** What a visitor meets. `expired` and `exhausted` follow from the time and the visits, they are not events. */
export type LinkStatus = 'active' | 'disabled' | 'expired' | 'exhausted' | 'deleted';

/**
 * Whether `event` changes `link`: it was decided on the version that the link has now, and makes sense for it. Codes are
 * never recycled: a creation is effective only where there never was a link, and a deleted link can only be restored.
 */
export function isEffective(link: Link | undefined, event: LinkEvent): boolean {
  if (event.expectedVersion !== (link === undefined ? 0 : link.version)) return false;
  if (link === undefined) return event.type === 'LinkCreated';
  if (event.code !== link.code) return false;
  switch (event.type) {
    case 'LinkCreated':
      return false;
    case 'LinkRestored':
      return link.deletedAt !== null;
    case 'LinkRolledBack':
      return link.deletedAt === null && event.toVersion < link.version;
    case 'LinkChanged':
    case 'LinkDisabled':
    case 'LinkEnabled':
    case 'LinkDeleted':
      return link.deletedAt === null;
    default:
      return false;
  }
}

/**
 * The link after `event`; `link` itself (the same object) when the event is not effective. Total: it never throws,
 * whatever the sequence. `ordinalIfCreated` is the ordinal that a link gets which this event creates.
 */
export function evolve(link: Link | undefined, event: LinkEvent, ordinalIfCreated: number): Link | undefined {
  if (!isEffective(link, event)) return link;
  if (link === undefined) {
    return event.type === 'LinkCreated' ? created(event, ordinalIfCreated) : undefined;
  }
  const next = { ...link, version: link.version + 1, updatedAt: event.at };
  switch (event.type) {
    case 'LinkCreated':
      return link;
    case 'LinkChanged':
      return { ...next, ...settingsIn(event.changes), disabled: event.changes.disabled ?? link.disabled };
    case 'LinkDisabled':
      return { ...next, disabled: true };
    case 'LinkEnabled':
      return { ...next, disabled: false };
    case 'LinkDeleted':
      return { ...next, deletedAt: event.at };
    case 'LinkRestored':
      return { ...next, deletedAt: null };
    case 'LinkRolledBack':
      return { ...next, ...settingsOf(event), disabled: event.disabled };
    default:
      return link;
  }
}

/** Deleted before disabled before expired before exhausted: the first that applies. `humanVisits` are all-time. */
export function statusOf(link: Link, nowMs: number, humanVisits: number): LinkStatus {
  if (link.deletedAt !== null) return 'deleted';
  if (link.disabled) return 'disabled';
  if (link.expiresAt !== null && nowMs >= link.expiresAt) return 'expired';
  if (link.maxVisits !== null && humanVisits >= link.maxVisits) return 'exhausted';
  return 'active';
}

/** A code that ever had a link is taken for good. */
export function decideCreate(
  existing: Link | undefined,
  code: string,
  kind: LinkKind,
  settings: LinkSettings,
): LinkFact | Refusal {
  if (existing !== undefined) return { refusal: 'alias-taken', alias: code };
  return { type: 'LinkCreated', kind, ...settingsOf(settings) };
}

/** One request is one event: a change of the status alone is a disabling or an enabling, anything else a change. */
export function decideChange(link: Link, changes: LinkChanges): Decision {
  if (link.deletedAt !== null) return deleted(link, link.deletedAt);
  const settings = settingsIn(changes);
  const differing: { -readonly [K in keyof LinkChanges]: LinkChanges[K] } = {};
  if (settings.url !== undefined && settings.url !== link.url) differing.url = settings.url;
  if (settings.expiresAt !== undefined && settings.expiresAt !== link.expiresAt)
    differing.expiresAt = settings.expiresAt;
  if (settings.maxVisits !== undefined && settings.maxVisits !== link.maxVisits)
    differing.maxVisits = settings.maxVisits;
  if (settings.tags !== undefined && !sameTags(settings.tags, link.tags)) differing.tags = settings.tags;
  if (settings.note !== undefined && settings.note !== link.note) differing.note = settings.note;
  const statusDiffers = changes.disabled !== undefined && changes.disabled !== link.disabled;
  if (Object.keys(differing).length === 0) {
    if (!statusDiffers) return 'no-change';
    return changes.disabled === true ? { type: 'LinkDisabled' } : { type: 'LinkEnabled' };
  }
  if (statusDiffers && changes.disabled !== undefined) differing.disabled = changes.disabled;
  return { type: 'LinkChanged', changes: differing };
}

export function decideDisable(link: Link): Decision {
  return decideChange(link, { disabled: true });
}

export function decideEnable(link: Link): Decision {
  return decideChange(link, { disabled: false });
}

export function decideDelete(link: Link): Decision {
  return link.deletedAt === null ? { type: 'LinkDeleted' } : deleted(link, link.deletedAt);
}

export function decideRestore(link: Link): Decision {
  return link.deletedAt === null ? { refusal: 'link-not-deleted', code: link.code } : { type: 'LinkRestored' };
}

/** `earlier` is the link as folded up to `toVersion`, undefined when it never had that version. */
export function decideRollBack(link: Link, earlier: Link | undefined, toVersion: number): Decision {
  if (link.deletedAt !== null) return deleted(link, link.deletedAt);
  if (earlier === undefined || earlier.version !== toVersion || toVersion > link.version) {
    return { refusal: 'version-unknown', code: link.code, version: toVersion };
  }
  if (toVersion === link.version) return 'no-change';
  if (decideChange(link, { ...settingsOf(earlier), disabled: earlier.disabled }) === 'no-change') return 'no-change';
  return { type: 'LinkRolledBack', toVersion, disabled: earlier.disabled, ...settingsOf(earlier) };
}

function created(event: LinkEvent & { readonly type: 'LinkCreated' }, ordinal: number): Link {
  return {
    code: event.code,
    ...settingsOf(event),
    version: 1,
    kind: event.kind,
    createdAt: event.at,
    updatedAt: event.at,
    disabled: false,
    deletedAt: null,
    ordinal,
  };
}

function deleted(link: Link, deletedAt: number): Refusal {
  return { refusal: 'link-deleted', code: link.code, deletedAt };
}

/** The settings and nothing else: an object that holds more must not put more into an event or a link. */
function settingsOf({ url, expiresAt, maxVisits, tags, note }: LinkSettings): LinkSettings {
  return { url, expiresAt, maxVisits, tags, note };
}

function settingsIn(changes: LinkChanges): Partial<LinkSettings> {
  return {
    ...(changes.url === undefined ? {} : { url: changes.url }),
    ...(changes.expiresAt === undefined ? {} : { expiresAt: changes.expiresAt }),
    ...(changes.maxVisits === undefined ? {} : { maxVisits: changes.maxVisits }),
    ...(changes.tags === undefined ? {} : { tags: changes.tags }),
    ...(changes.note === undefined ? {} : { note: changes.note }),
  };
}

function sameTags(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((tag, index) => tag === right[index]);
}
