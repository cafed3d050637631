/** Somebody who reads the numbers of links all the time, through every outage, and notes each that is smaller than one read before. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ProgramClient, ProgramStatistics } from './program-client.ts';

export interface NumberWatch {
  /** Totals that were seen to fall, in words. */
  readonly fallen: readonly string[];
  /** Answers with numbers until now. */
  reads(): number;
  start(): void;
  stop(): Promise<void>;
}

const pauseMs = 10;
const readTimeoutMs = 15_000;

/** @param nextCode which link is read next */
export function createNumberWatch(user: ProgramClient, nextCode: () => string): NumberWatch {
  const highest = new Map<string, number>();
  const fallen: string[] = [];
  let reads = 0;
  let running: Promise<void> | null = null;
  let stopped = false;

  function note(code: string, where: string, total: number): void {
    const before = highest.get(code) ?? 0;
    reads += 1;
    if (total < before) fallen.push(`${code} in ${where}: ${total} after ${before}`);
    highest.set(code, Math.max(before, total));
  }

  async function readOnce(): Promise<void> {
    const code = nextCode();
    const statistics = await user.api<ProgramStatistics>('GET', `/api/links/${code}/stats`);
    if (statistics.status === 200) note(code, 'statistics', statistics.body.total);
    const list = await user.api<{ links: { code: string; visits: { total: number } }[] }>('GET', '/api/links?limit=50');
    if (list.status === 200) for (const link of list.body.links) note(link.code, 'list', link.visits.total);
  }

  return {
    fallen,
    reads: () => reads,
    start() {
      running = (async () => {
        while (!stopped) {
          // While nobody is there to be asked, nothing is read.
          await Promise.race([readOnce().catch(() => undefined), delay(readTimeoutMs, undefined, { ref: false })]);
          await delay(pauseMs);
        }
      })();
    },
    async stop() {
      stopped = true;
      await running;
    },
  };
}
