/** Bounds a wait. What is waited for goes on; its outcome is then nobody's business, and no unhandled rejection either. */
export async function within<Result>(work: Promise<Result>, maxMs: number, late: () => Error): Promise<Result> {
  work.catch(() => undefined);
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), Math.max(0, maxMs));
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
