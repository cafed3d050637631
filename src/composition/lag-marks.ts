/**
 * How old the oldest visit can be that is not yet in the numbers: remembers when the log's end was last seen in front of it.
 * Bounded: when full, every second mark is dropped, so that a long stall is known more coarsely, never forgotten.
 */
const marksMax = 1_024;

/** What is pending is never reported as nothing, however young it is. */
const pendingMinMs = 1;

interface Mark {
  /** The records before this offset, and behind the previous mark's, came after `sinceMs`. */
  readonly endOffset: number;
  readonly sinceMs: number;
}

export class LagMarks {
  private marks: Mark[] = [];
  private notedAtMs: number | null = null;

  /** Notes where the log ends now. Cheap enough to be called at each progress. */
  note(endOffset: number, nowMs: number): void {
    const sinceMs = this.notedAtMs ?? nowMs;
    this.notedAtMs = nowMs;
    const last = this.marks[this.marks.length - 1];
    if (last !== undefined && last.endOffset >= endOffset) return;
    // A mark that goes leaves its records to the next one, which must then speak for the older of them.
    if (this.marks.length === marksMax) {
      this.marks = this.marks
        .map((mark, index) => (index % 2 === 0 ? mark : { ...mark, sinceMs: (this.marks[index - 1] as Mark).sinceMs }))
        .filter((_, index) => index % 2 === 1);
    }
    this.marks.push({ endOffset, sinceMs });
  }

  /** An upper bound of the age in ms of the oldest record at or behind `appliedOffset`; 0 only when there is none. */
  lagMs(appliedOffset: number, nowMs: number): number {
    const behind = this.marks.findIndex((mark) => mark.endOffset > appliedOffset);
    if (behind < 0) {
      this.marks = this.marks.slice(-1);
      return 0;
    }
    if (behind > 0) this.marks = this.marks.slice(behind);
    return Math.max(pendingMinMs, nowMs - (this.marks[0] as Mark).sinceMs);
  }
}
