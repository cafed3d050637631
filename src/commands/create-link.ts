import type { Link } from '../domain/link.ts';
import type { NewLink } from '../domain/link-input.ts';
import type { Refusal } from '../domain/refusal.ts';
import type { CommandContext } from './command-context.ts';

export type CreateLink = (input: NewLink, context: CommandContext) => Promise<CreatedLink | Refusal>;

export interface CreatedLink {
  readonly link: Link;
  /** False when the URL had its own link (or this alias) already. */
  readonly created: boolean;
}
