import type { Link } from '../domain/link.ts';
import type { LinkPatch } from '../domain/link-input.ts';
import type { Refusal } from '../domain/refusal.ts';
import type { CommandContext } from './command-context.ts';

export type ChangeLink = (code: string, patch: LinkPatch, context: CommandContext) => Promise<Link | Refusal>;
