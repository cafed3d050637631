/** What must be done before a code may be called unknown: another instance may have created its link a moment ago. */
export interface LinkBarrier {
  /**
   * Null when this process alone writes links: then its table lacks nothing. Else resolves when the table holds every link of
   * the code's partition that the log held at the call. Rejects with `LogUnavailable` when that cannot be learned: answer 503.
   */
  pass(code: string): Promise<void> | null;
}

/** For the process that is the only one to write links. */
export const noLinkBarrier: LinkBarrier = { pass: () => null };
