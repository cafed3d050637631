/** Waits in real time until a condition holds; for what other processes do. */
export async function eventually(condition: () => boolean, what: string, timeoutMs = 20_000): Promise<void> {
  for (let waitedMs = 0; waitedMs < timeoutMs; waitedMs += 20) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`waited ${timeoutMs} ms in vain until ${what}`);
}
