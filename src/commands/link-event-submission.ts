/**
 * The way of a command through the log. Kafka and our own log have no conditional append, so the log is the arbiter: an
 * event is appended with the version it was decided on, and what the fold made of it is the command's outcome.
 */
import type { Link, LinkFact } from '../domain/link.ts';
import type { CodeHmac } from '../domain/short-code.ts';
import type { Clock } from '../ports/clock.ts';
import { type EventLog, LogUnavailable } from '../ports/event-log.ts';
import type { CommandOutcome, LinkTable } from '../ports/link-table.ts';
import type { Random } from '../ports/random.ts';
import { encodeLinkEvent } from '../serde/link-event.ts';
import type { CommandContext } from './command-context.ts';

export interface LinkCommandDependencies {
  readonly log: EventLog;
  readonly linkTable: LinkTable;
  readonly clock: Clock;
  readonly random: Random;
  /** HMAC-SHA-256 under the code secret. */
  readonly codeHmac: CodeHmac;
  /** Whether the human visits of a link with `maxVisits` are used up. Rejects when that cannot be known now: retry later. */
  readonly isExhausted: (link: Link) => Promise<boolean>;
}

/** Commands under way at once; beyond it a command is refused with {@link LogUnavailable}: retry later. */
const commandsUnderWayMax = 10_000;

export interface LinkEventSubmission {
  /**
   * Runs the commands of one id one after the other, so that a repeated one finds the outcome of the first. What the
   * first came to does not matter to the second.
   */
  inTurn<Result>(commandId: string, run: () => Promise<Result>): Promise<Result>;
  /** What became of a try of a command (from 1); undefined when it has never been folded. */
  outcomeOf(context: CommandContext, attempt: number): CommandOutcome | undefined;
  /**
   * Appends a fact that was decided on `expectedVersion` and waits for what the fold makes of it. Throws what the log
   * throws; whether the event was written is then unknown, and the same command again settles it.
   */
  submit(
    code: string,
    fact: LinkFact,
    expectedVersion: number,
    context: CommandContext,
    attempt: number,
  ): Promise<CommandOutcome>;
  /** The link of an outcome. */
  linkOf(outcome: CommandOutcome): Link;
}

export function createLinkEventSubmission(
  deps: Pick<LinkCommandDependencies, 'log' | 'linkTable' | 'clock' | 'random'>,
): LinkEventSubmission {
  const { log, linkTable, clock, random } = deps;
  const underWay = new Map<string, Promise<unknown>>();

  return {
    async inTurn(commandId, run) {
      for (let before = underWay.get(commandId); before !== undefined; before = underWay.get(commandId)) {
        await before.catch(() => undefined);
      }
      if (underWay.size >= commandsUnderWayMax) throw new LogUnavailable('too many commands are under way');
      const result = run();
      underWay.set(commandId, result);
      try {
        return await result;
      } finally {
        underWay.delete(commandId);
      }
    },

    outcomeOf(context, attempt) {
      return linkTable.outcomeOf(attemptId(context, attempt));
    },

    async submit(code, fact, expectedVersion, context, attempt) {
      const commandId = attemptId(context, attempt);
      const partition = log.partitionOf(code);
      const value = encodeLinkEvent({
        id: random.id(),
        code,
        at: clock.nowMs(),
        by: context.by,
        commandId,
        expectedVersion,
        ...fact,
      });
      const offset = await log.append('links', partition, [{ key: code, value }]);
      await linkTable.applied(partition, offset);
      const outcome = linkTable.outcomeOf(commandId);
      if (outcome === undefined) throw new Error(`the link table lost the outcome of the command at offset ${offset}`);
      return outcome;
    },

    linkOf(outcome) {
      const link = linkTable.find(outcome.code);
      if (link === undefined) throw new Error(`the link table lost the link ${outcome.code}`);
      return link;
    },
  };
}

/**
 * Each try that lost a race has an outcome of its own, so a repeated command walks the same tries until it meets the one
 * that was effective, and appends nothing before that.
 */
function attemptId(context: CommandContext, attempt: number): string {
  return attempt === 1 ? context.commandId : `${context.commandId}#${attempt}`;
}
