/** A clock and a timer that stand still until a test moves them on. */
import type { Clock } from '../../src/ports/clock.ts';
import type { Timer } from '../../src/ports/timer.ts';

export interface ManualTimer extends Timer, Clock {
  /** Moves time on and runs what is due, in order, letting promises go on in between. */
  advance(durationMs: number): Promise<void>;
}

export function createManualTimer(startMs = 1_000_000): ManualTimer {
  let nowMs = startMs;
  const due = new Set<{ readonly atMs: number; readonly run: () => void }>();
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    after(delayMs, callback) {
      const entry = { atMs: nowMs + delayMs, run: callback };
      due.add(entry);
      return () => {
        due.delete(entry);
      };
    },
    async advance(durationMs) {
      const untilMs = nowMs + durationMs;
      for (;;) {
        await settle();
        const [next] = [...due].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
        if (next === undefined) break;
        due.delete(next);
        nowMs = Math.max(nowMs, next.atMs);
        next.run();
      }
      nowMs = untilMs;
      await settle();
    },
  };
}
