/**
 * A link as a row of the link table's store: a positional JSON array, without the ordinal, which is in the row's key. The
 * row of a link that was never changed is its creation too: it says what the event said beside the link.
 */
import type { Link, LinkEvent, LinkKind, LinkSettings } from '../domain/link.ts';
import { packId, unpackId } from './packed-id.ts';

/** What a creation says that is not in the link it makes. */
export type CreationEnvelope = Pick<LinkEvent, 'id' | 'by' | 'commandId'>;

type ChangedRow = [
  code: string,
  url: string,
  version: number,
  kind: LinkKind,
  createdAt: number,
  updatedAt: number,
  expiresAt: number | null,
  maxVisits: number | null,
  tags: readonly string[],
  note: string | null,
  disabled: 0 | 1,
  deletedAt: number | null,
];

/** What most creations say in these members is left out behind the last one that says something else. */
type CreatedRow = [
  code: string,
  url: string,
  id: string,
  commandId: string,
  at: number,
  kind: LinkKind,
  by?: string,
  expiresAt?: number | null,
  maxVisits?: number | null,
  tags?: readonly string[],
  note?: string | null,
];

const usualBy = 'anonymous';

/** The row of a link that `creation` made and nothing changed since. About 150 bytes for a usual link. */
export function encodeCreatedLinkRow(link: Link, { id, by, commandId }: CreationEnvelope): string {
  const { code, url, createdAt, kind, expiresAt, maxVisits, tags, note } = link;
  const row: CreatedRow = [code, url, packId(id), packId(commandId), createdAt, kind];
  if (note !== null) row.push(by, expiresAt, maxVisits, tags, note);
  else if (tags.length > 0) row.push(by, expiresAt, maxVisits, tags);
  else if (maxVisits !== null) row.push(by, expiresAt, maxVisits);
  else if (expiresAt !== null) row.push(by, expiresAt);
  else if (by !== usualBy) row.push(by);
  return JSON.stringify(row);
}

/** About 150 bytes for a usual link. Change the table's schema version when the form changes. */
export function encodeLinkRow(link: Link): string {
  const row: ChangedRow = [
    link.code,
    link.url,
    link.version,
    link.kind,
    link.createdAt,
    link.updatedAt,
    link.expiresAt,
    link.maxVisits,
    link.tags,
    link.note,
    link.disabled ? 1 : 0,
    link.deletedAt,
  ];
  return JSON.stringify(row);
}

/** The text is trusted: the store verifies that it is what was written. */
export function decodeLinkRow(ordinal: number, text: string): Link {
  const row = JSON.parse(text) as ChangedRow | CreatedRow;
  if (isCreated(row)) {
    const [code, , , , at, kind] = row;
    return {
      code,
      ...settingsOf(row),
      version: 1,
      kind,
      createdAt: at,
      updatedAt: at,
      disabled: false,
      deletedAt: null,
      ordinal,
    };
  }
  return {
    code: row[0],
    url: row[1],
    version: row[2],
    kind: row[3],
    createdAt: row[4],
    updatedAt: row[5],
    expiresAt: row[6],
    maxVisits: row[7],
    tags: row[8],
    note: row[9],
    disabled: row[10] === 1,
    deletedAt: row[11],
    ordinal,
  };
}

function isCreated(row: ChangedRow | CreatedRow): row is CreatedRow {
  return typeof row[2] === 'string';
}

function settingsOf(row: CreatedRow): LinkSettings {
  const [, url, , , , , , expiresAt = null, maxVisits = null, tags = [], note = null] = row;
  return { url, expiresAt, maxVisits, tags, note };
}

/** The code alone, without reading the rest: codes hold nothing that JSON escapes. */
export function decodeLinkRowCode(text: string): string {
  return text.slice(2, text.indexOf('"', 2));
}

/** The creation of a link that was never changed; undefined for the row of a changed one. */
export function decodeCreation(text: string): LinkEvent | undefined {
  const row = JSON.parse(text) as ChangedRow | CreatedRow;
  if (!isCreated(row)) return undefined;
  const [code, , id, commandId, at, kind, by = usualBy] = row;
  return {
    ...{ id: unpackId(id), code, at, by, commandId: unpackId(commandId) },
    ...{ expectedVersion: 0, type: 'LinkCreated', kind, ...settingsOf(row) },
  };
}
