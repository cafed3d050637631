/** What every command carries besides its input. */
export interface CommandContext {
  /** Identity of the command: the same id twice has one effect and one outcome. Derived from `Idempotency-Key` or fresh. */
  readonly commandId: string;
  /** Who asks; `anonymous` until there are keys. */
  readonly by: string;
  /** The link's version that the caller saw (`If-Match`), or null for "whatever it is". Ignored by a creation. */
  readonly expectedVersion: number | null;
}
