/** A link as a row of the link table's store: a positional JSON array, without the code, which is in the row's key. */
import type { Link, LinkKind } from '../domain/link.ts';

type Row = readonly [
  url: string,
  version: number,
  kind: LinkKind,
  ordinal: number,
  createdAt: number,
  updatedAt: number,
  expiresAt: number | null,
  maxVisits: number | null,
  tags: readonly string[],
  note: string | null,
  disabled: 0 | 1,
  deletedAt: number | null,
];

/** About 150 bytes for a usual link. Change the table's schema version when the form changes. */
export function encodeLinkRow(link: Link): string {
  const row: Row = [
    link.url,
    link.version,
    link.kind,
    link.ordinal,
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
export function decodeLinkRow(code: string, text: string): Link {
  const row = JSON.parse(text) as Row;
  return {
    code,
    url: row[0],
    version: row[1],
    kind: row[2],
    createdAt: row[4],
    updatedAt: row[5],
    expiresAt: row[6],
    maxVisits: row[7],
    tags: row[8],
    note: row[9],
    disabled: row[10] === 1,
    deletedAt: row[11],
    ordinal: row[3],
  };
}
