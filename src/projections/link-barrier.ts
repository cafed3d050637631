/**
 * The barrier in front of "no link has this code": asks the log where a partition of `links` ends and waits until this
 * instance's table is there. All who ask within a short while share one question, so a flood of unknown codes costs little.
 */
import type { Clock } from '../ports/clock.ts';
import { type EventLog, LogUnavailable } from '../ports/event-log.ts';
import type { LinkBarrier } from '../ports/link-barrier.ts';
import type { LinkTable } from '../ports/link-table.ts';

export interface LinkBarrierDeps {
  readonly log: Pick<EventLog, 'endOffset' | 'partitionOf'>;
  readonly linkTable: Pick<LinkTable, 'applied'>;
  readonly clock: Clock;
  /** Time between two questions about a partition, ms. Default 50. */
  readonly sharedMs?: number;
  /** How long one question may take, the waiting for the table included. Default 2,000. */
  readonly timeoutMs?: number;
}

interface Questions {
  lastAskedAtMs: number;
  /** Not yet asked: whoever comes now may share it. */
  next: Promise<void> | null;
}

export function createLinkBarrier(deps: LinkBarrierDeps): LinkBarrier {
  const { log, linkTable, clock } = deps;
  const sharedMs = deps.sharedMs ?? 50;
  const timeoutMs = deps.timeoutMs ?? 2_000;
  const byPartition = new Map<number, Questions>();

  async function ask(partition: number): Promise<void> {
    const endOffset = await log.endOffset('links', partition);
    if (endOffset > 0) await linkTable.applied(partition, endOffset - 1);
  }

  function askNow(partition: number, questions: Questions): Promise<void> {
    questions.next = null;
    questions.lastAskedAtMs = clock.monotonicMs();
    return within(ask(partition), timeoutMs);
  }

  return {
    /** A question answers those who came before it was asked: who comes after it shares the next one. */
    pass(code) {
      const partition = log.partitionOf(code);
      let questions = byPartition.get(partition);
      if (questions === undefined) {
        questions = { lastAskedAtMs: Number.NEGATIVE_INFINITY, next: null };
        byPartition.set(partition, questions);
      }
      if (questions.next !== null) return questions.next;
      const waitMs = questions.lastAskedAtMs + sharedMs - clock.monotonicMs();
      if (waitMs <= 0) return askNow(partition, questions);
      const asked = questions;
      questions.next = rest(waitMs).then(() => askNow(partition, asked));
      return questions.next;
    },
  };
}

function rest(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

async function within(work: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new LogUnavailable(`no answer about new links within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
