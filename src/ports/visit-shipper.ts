/** Where the forwarder brings journaled visits: the shared log's `visits` topic. */
export interface JournaledVisit {
  /** The short code. */
  readonly key: string;
  readonly value: Buffer;
  /** Who journaled it, and its place among that producer's visits of the partition: kept through every resend. */
  readonly producerId: string;
  readonly sequence: number;
}

export interface VisitShipper {
  /**
   * Resolves when the visits are in the log, in order; they may be in it more than once. One call at a time for each partition,
   * at most 2,000 visits and 700,000 bytes of values, which may be overwritten once the call has ended. Throws `LogUnavailable` when that is not known: ship the same again.
   */
  ship(partition: number, visits: readonly JournaledVisit[]): Promise<void>;
  close(): Promise<void>;
}
