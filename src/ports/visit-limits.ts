/** Reservations of human visits on links with `maxVisits`: exact, because a visit is reserved before it is answered. */
export interface VisitLimits {
  /**
   * Takes one of `maxVisits` human visits of a link: `taken`, `used-up`, or `seeding` when the number is not known yet
   * in this process; then wait for `seed` and ask again. Synchronous: the redirect door calls it.
   */
  take(code: string, maxVisits: number): 'taken' | 'used-up' | 'seeding';
  /** Learns the number used so far. Throws when it cannot be known now: answer 503. */
  seed(code: string): Promise<void>;
  /** Gives back a visit that was taken but could not be journaled. */
  giveBack(code: string): void;
}
