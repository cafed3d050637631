import type { FoldedEvent } from '../ports/link-table.ts';

/** Events of a link, oldest first; undefined when there never was one. */
export type LinkHistory = (
  code: string,
  afterOffset: number,
  limit: number,
) => Promise<{ readonly events: readonly HistoryEntry[]; readonly nextOffset: number | null } | undefined>;

export interface HistoryEntry extends FoldedEvent {
  /** Field by field, what the event changed; for a rejected event, what it would have changed. */
  readonly changes: Readonly<Record<string, { readonly from: unknown; readonly to: unknown }>>;
}
