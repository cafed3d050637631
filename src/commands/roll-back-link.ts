/** Gives a link the settings and status of an earlier version again, as a new version. Nothing in between is lost. */
import { decideRollBack, evolve, type Link } from '../domain/link.ts';
import type { Refusal } from '../domain/refusal.ts';
import type { LinkTable } from '../ports/link-table.ts';
import type { CommandContext } from './command-context.ts';
import type { ChangeExistingLink } from './existing-link-change.ts';

export type RollBackLink = (code: string, toVersion: number, context: CommandContext) => Promise<Link | Refusal>;

/** Events read at once. */
const historyPageEvents = 1000;

export function createRollBackLink(linkTable: LinkTable, changeExisting: ChangeExistingLink): RollBackLink {
  return (code, toVersion, context) =>
    changeExisting(code, context, async (link) =>
      decideRollBack(link, await linkAtVersion(linkTable, link, toVersion), toVersion),
    );
}

/** The link as it was at a version, folded from its own history; undefined when it never had that version. */
async function linkAtVersion(linkTable: LinkTable, link: Link, version: number): Promise<Link | undefined> {
  if (version < 1 || version > link.version) return undefined;
  let folded: Link | undefined;
  let lastReadOffset = -1;
  for (;;) {
    const page = await linkTable.history(link.code, lastReadOffset, historyPageEvents);
    for (const { event, effective, offset } of page) {
      lastReadOffset = offset;
      // The table's word counts: it also rejects a command that was effective before, which a single event cannot show.
      if (effective) folded = evolve(folded, event, link.ordinal);
      if (folded?.version === version) return folded;
    }
    if (page.length === 0) return undefined;
  }
}
