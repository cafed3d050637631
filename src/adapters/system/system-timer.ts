/** The machine's timers. */
import type { Timer } from '../../ports/timer.ts';

export const systemTimer: Timer = {
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
