/** PATCH of a link: settings and status, one event a request. */
import { decideChange, type Link } from '../domain/link.ts';
import { changesOf, type LinkPatch } from '../domain/link-input.ts';
import type { Refusal } from '../domain/refusal.ts';
import type { CommandContext } from './command-context.ts';
import type { ChangeExistingLink } from './existing-link-change.ts';

export type ChangeLink = (code: string, patch: LinkPatch, context: CommandContext) => Promise<Link | Refusal>;

/** A patch that changes nothing writes nothing and answers the link as it is. */
export function createChangeLink(changeExisting: ChangeExistingLink): ChangeLink {
  return (code, patch, context) => changeExisting(code, context, (link) => decideChange(link, changesOf(patch)));
}
