import type { Link } from '../domain/link.ts';
import type { Refusal } from '../domain/refusal.ts';
import type { CommandContext } from './command-context.ts';

export type RollBackLink = (code: string, toVersion: number, context: CommandContext) => Promise<Link | Refusal>;
