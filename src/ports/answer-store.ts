/** Answers kept for `Idempotency-Key` (at least 24 h, across `kill -9`), so that a retry gets the first answer again. */
export interface AnswerStore {
  find(key: string): Promise<KeptAnswer | undefined>;
  /** Keeps an answer; resolves when it survives `kill -9`. */
  keep(key: string, answer: KeptAnswer): Promise<void>;
}

export interface KeptAnswer {
  /** Hash of method, path and body: another request under the same key is refused. */
  readonly fingerprint: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly keptAtMs: number;
}
