/** What visitors saw beside what the service counted: the promise that every answered visit is counted once, link by link. */
import { inParallel } from './in-parallel.ts';
import { eventually, type ProgramClient } from './program-client.ts';
import { sumOf } from './visitors.ts';

export interface Seen {
  readonly answered: ReadonlyMap<string, number>;
  readonly unknown: ReadonlyMap<string, number>;
}

export interface Ledger {
  readonly answered: number;
  readonly unknown: number;
  readonly counted: number;
  /** Answered and not counted. */
  readonly lost: number;
  /** Counted beyond what was answered or unknown. */
  readonly duplicated: number;
  /** Links whose number is not within its bounds, in words. */
  readonly wrong: readonly string[];
}

export function compareLedger({ answered, unknown }: Seen, counted: ReadonlyMap<string, number>): Ledger {
  let lost = 0;
  let duplicated = 0;
  const wrong: string[] = [];
  for (const code of new Set([...answered.keys(), ...unknown.keys(), ...counted.keys()])) {
    const least = answered.get(code) ?? 0;
    const most = least + (unknown.get(code) ?? 0);
    const number = counted.get(code) ?? 0;
    lost += Math.max(0, least - number);
    duplicated += Math.max(0, number - most);
    if (number < least || number > most) wrong.push(`${code}: counted ${number}, answered ${least}, at most ${most}`);
  }
  return { answered: sumOf(answered), unknown: sumOf(unknown), counted: sumOf(counted), lost, duplicated, wrong };
}

/**
 * The totals of links as one instance tells them when nothing that was in the log before the call is missing. What does not come
 * in time is told as it is: a finding like all others.
 */
export async function countedBy(
  user: ProgramClient,
  codes: Iterable<string>,
  timeoutMs = 60_000,
): Promise<Map<string, number>> {
  const calledAtMs = performance.now();
  const counted = new Map<string, number>();
  await inParallel(8, codes, async (code) => {
    let last = 0;
    await eventually(
      `all visits of ${code} are counted`,
      async () => {
        const askedAtMs = performance.now();
        const { total, position } = await user.statistics(code);
        last = total;
        return position.lagMs < askedAtMs - calledAtMs ? true : undefined;
      },
      timeoutMs,
    ).catch(() => undefined);
    counted.set(code, last);
  });
  return counted;
}
