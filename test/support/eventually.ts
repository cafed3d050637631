/** Waits for a condition of something outside this process, in real time; fails with its words when it does not come. */
import { setTimeout as delay } from 'node:timers/promises';

type No = undefined | null | false;

export async function eventually<Value>(
  look: () => Promise<Value | No> | Value | No,
  what: string,
  timeoutMs = 10_000,
): Promise<Value> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const value = await look();
    if (value !== undefined && value !== null && value !== false) return value;
    if (performance.now() > endMs) throw new Error(`waited in vain until ${what}`);
    await delay(10);
  }
}
