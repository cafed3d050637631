/** Reservations of human visits on links with `maxVisits`: exact, because a visit is reserved before it is answered. */
export interface VisitLimits {
  /**
   * Takes one of `maxVisits` human visits of a link: `taken`, `used-up`, or `seeding` when that is not known here; then wait
   * for `seed` and ask again. Synchronous: the redirect door calls it.
   */
  take(code: string, maxVisits: number): 'taken' | 'used-up' | 'seeding';
  /** Whether one is left, for whoever does not use it up; otherwise as `take`. */
  look(code: string, maxVisits: number): 'left' | 'used-up' | 'seeding';
  /** Makes the next `take`, or `look`, know its answer. Throws when it cannot be known now: answer 503. */
  seed(code: string, maxVisits: number, next: 'take' | 'look'): Promise<void>;
  /** Gives back a visit that was taken but could not be journaled. */
  giveBack(code: string): void;
}
