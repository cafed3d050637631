/** The secret of a UTC day under which visitors are hashed. When its day ends it is destroyed, and no hash can be redone. */
export interface VisitorSalt {
  /** The salt of the UTC day in which `nowMs` lies. Another day than the last one asked for gets a new random salt. */
  saltAt(nowMs: number): string;
}
