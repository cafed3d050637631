/**
 * Where the redirect door puts a visit before it answers. A visit handed back with success survives `kill -9`.
 * Embedded, the journal is the log's `visits` topic itself.
 */
export interface VisitJournal {
  /** Who writes: the visit's identity is `(producerId, sequence)`. A new one at each start of the process. */
  readonly producerId: string;
  /**
   * Takes one visit. All visits of one turn of the event loop become one frame and one write; `done` is called after
   * that write, in order, with the visit's sequence, or with an error when it was not written (then it was not counted:
   * answer 503). `value` is not kept. No promise is made per visit: this is the hot path.
   */
  append(code: string, value: Uint8Array, done: JournalCallback): void;
  /** Visits taken and not yet written, and bytes waiting (bounded; beyond the bound `done` gets an error at once). */
  depth(): { readonly visits: number; readonly bytes: number };
  /** Writes what waits and syncs it to the disk. */
  flush(): Promise<void>;
}

export type JournalCallback = (error: Error | null, sequence: number) => void;
