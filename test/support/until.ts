/** Waits for a condition turn by turn of the event loop; fails with its words after so many turns that it is stuck. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let turns = 0; turns < 10_000; turns++) {
    if (condition()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error(`waited in vain until ${what}`);
}
