/** Takes a deletion back: the link is as it was before. */
import { decideRestore, type Link } from '../domain/link.ts';
import type { Refusal } from '../domain/refusal.ts';
import type { CommandContext } from './command-context.ts';
import type { ChangeExistingLink } from './existing-link-change.ts';

export type RestoreLink = (code: string, context: CommandContext) => Promise<Link | Refusal>;

export function createRestoreLink(changeExisting: ChangeExistingLink): RestoreLink {
  return (code, context) => changeExisting(code, context, decideRestore);
}
