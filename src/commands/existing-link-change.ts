/** What all commands on an existing link have in common: find, decide, append, and again when another change won. */
import type { Decision, Link } from '../domain/link.ts';
import { isRefusal, type Refusal } from '../domain/refusal.ts';
import type { LinkTable } from '../ports/link-table.ts';
import type { CommandContext } from './command-context.ts';
import type { LinkEventSubmission } from './link-event-submission.ts';

/** Without an expected version, a change that lost against another one is decided anew so many times. */
const retriesMax = 3;

export type ChangeExistingLink = (
  code: string,
  context: CommandContext,
  decide: (link: Link) => Decision | Promise<Decision>,
) => Promise<Link | Refusal>;

export function createExistingLinkChange(linkTable: LinkTable, submission: LinkEventSubmission): ChangeExistingLink {
  return (code, context, decide) =>
    submission.inTurn(context.commandId, async () => {
      const expected = context.expectedVersion;
      const attemptsMax = expected === null ? 1 + retriesMax : 1;
      for (let attempt = 1; attempt <= attemptsMax; attempt++) {
        let outcome = submission.outcomeOf(context, attempt);
        if (outcome === undefined) {
          const link = linkTable.find(code);
          if (link === undefined) return { refusal: 'link-not-found', code };
          const decision = await decide(link);
          if (isRefusal(decision)) return decision;
          if (expected !== null && expected !== link.version) return mismatch(expected, link);
          if (decision === 'no-change') return link;
          outcome = await submission.submit(code, decision, link.version, context, attempt);
        }
        if (outcome.code !== code) throw new Error('a command id was used for two different commands');
        if (outcome.version !== null) return submission.linkOf(outcome);
      }
      const link = linkTable.find(code);
      return expected === null || link === undefined ? { refusal: 'lost-race', code } : mismatch(expected, link);
    });
}

function mismatch(expected: number, link: Link): Refusal {
  return { refusal: 'version-mismatch', expected, actual: link.version };
}
