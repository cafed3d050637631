/** What happened to a link, event by event, with what each one changed. Folded anew from the link's events when asked. */
import { evolve, type Link, type LinkEvent } from '../domain/link.ts';
import type { FoldedEvent, LinkTable } from '../ports/link-table.ts';

/** Events of a link, oldest first; undefined when there never was one. `nextOffset` is the next call's `afterOffset`. */
export type LinkHistory = (
  code: string,
  afterOffset: number,
  limit: number,
) => Promise<{ readonly events: readonly HistoryEntry[]; readonly nextOffset: number | null } | undefined>;

export interface HistoryEntry extends FoldedEvent {
  /** Field by field, what the event changed; for a rejected event, what it would have changed. */
  readonly changes: Readonly<Record<string, { readonly from: unknown; readonly to: unknown }>>;
}

const eventsPerRead = 1000;
const fields = ['url', 'expiresAt', 'maxVisits', 'tags', 'note', 'disabled', 'deletedAt'] as const;

export function createLinkHistory({
  linkTable,
}: {
  readonly linkTable: Pick<LinkTable, 'find' | 'history'>;
}): LinkHistory {
  return async (code, afterOffset, limit) => {
    const { ordinal } = linkTable.find(code) ?? {};
    if (ordinal === undefined) return undefined;
    const events: HistoryEntry[] = [];
    let link: Link | undefined;
    for (let readAfter = -1; ; ) {
      const chunk = await linkTable.history(code, readAfter, eventsPerRead);
      for (const folded of chunk) {
        const after = folded.effective ? evolve(link, folded.event, ordinal) : wouldBe(link, folded.event, ordinal);
        if (folded.offset > afterOffset) {
          if (events.length === limit) return { events, nextOffset: events.at(-1)?.offset ?? null };
          events.push({ ...folded, changes: changesBetween(link, after) });
        }
        if (folded.effective) link = after;
      }
      readAfter = chunk.at(-1)?.offset ?? readAfter;
      if (chunk.length < eventsPerRead) return { events, nextOffset: null };
    }
  };
}

/** The link if the event had come in time. */
function wouldBe(link: Link | undefined, event: LinkEvent, ordinal: number): Link | undefined {
  const before = event.type === 'LinkCreated' ? undefined : link;
  return evolve(before, { ...event, expectedVersion: before?.version ?? 0 }, ordinal);
}

function changesBetween(before: Link | undefined, after: Link | undefined): HistoryEntry['changes'] {
  const changes: Record<string, { from: unknown; to: unknown }> = {};
  if (after === undefined) return changes;
  for (const field of fields) {
    const from = before?.[field] ?? absent[field];
    const to = after[field];
    if (JSON.stringify(from) !== JSON.stringify(to)) changes[field] = { from, to };
  }
  return changes;
}

/** What a link that does not exist yet has. */
const absent: Readonly<Record<(typeof fields)[number], unknown>> = {
  url: null,
  expiresAt: null,
  maxVisits: null,
  tags: [],
  note: null,
  disabled: false,
  deletedAt: null,
};
