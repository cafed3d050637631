/** Deletes a link: its code answers 410 from then on and is never given away; its history stays. */
import { decideDelete, type Link } from '../domain/link.ts';
import type { Refusal } from '../domain/refusal.ts';
import type { CommandContext } from './command-context.ts';
import type { ChangeExistingLink } from './existing-link-change.ts';

export type DeleteLink = (code: string, context: CommandContext) => Promise<Link | Refusal>;

export function createDeleteLink(changeExisting: ChangeExistingLink): DeleteLink {
  return (code, context) => changeExisting(code, context, decideDelete);
}
