/**
 * A short link: its state, the events that made it, and the commands that ask for them.
 * `decide…` turns a command into an event or a refusal, `evolve` folds an event; both are pure.
 */

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
export type LinkEvent = EventEnvelope &
  (
    | ({ readonly type: 'LinkCreated'; readonly kind: LinkKind } & LinkSettings)
    | { readonly type: 'LinkChanged'; readonly changes: Partial<LinkSettings> }
    | { readonly type: 'LinkDisabled' }
    | { readonly type: 'LinkEnabled' }
    | { readonly type: 'LinkDeleted' }
    | { readonly type: 'LinkRestored' }
    | ({ readonly type: 'LinkRolledBack'; readonly toVersion: number; readonly disabled: boolean } & LinkSettings)
  );
