/** A link and an event with usual values, of which a test names those that matter to it. */
import type { Link, LinkEvent, LinkFact, LinkSettings } from '../../src/domain/link.ts';

export const someSettings: LinkSettings = {
  url: 'https://example.com/',
  expiresAt: null,
  maxVisits: null,
  tags: [],
  note: null,
};

export function aLink(members: Partial<Link> = {}): Link {
  return {
    code: 'aB3dE6g',
    ...someSettings,
    version: 1,
    kind: 'own',
    createdAt: 1_000,
    updatedAt: 1_000,
    disabled: false,
    deletedAt: null,
    ordinal: 1,
    ...members,
  };
}

export function anEvent(expectedVersion: number, fact: LinkFact, at = 2_000): LinkEvent {
  return {
    id: `event-${expectedVersion}`,
    code: 'aB3dE6g',
    at,
    by: 'anonymous',
    commandId: `command-${expectedVersion}`,
    expectedVersion,
    ...fact,
  };
}
