/**
 * How old the oldest visit is that is not yet in the numbers: remembers when the log's end was seen where. Bounded: when full,
 * every second mark is dropped, so that a long stall is known more coarsely, never forgotten.
 */
const marksMax = 1_024;

interface Mark {
  readonly endOffset: number;
  readonly atMs: number;
}

export class LagMarks {
  private marks: Mark[] = [];

  /** Notes where the log ends now. Cheap enough to be called at each progress. */
  note(endOffset: number, nowMs: number): void {
    const last = this.marks[this.marks.length - 1];
    if (last !== undefined && last.endOffset >= endOffset) return;
    if (this.marks.length === marksMax) this.marks = this.marks.filter((_, index) => index % 2 === 0);
    this.marks.push({ endOffset, atMs: nowMs });
  }

  /** Age in ms of the oldest record at or behind `appliedOffset`; 0 when there is none. */
  lagMs(appliedOffset: number, nowMs: number): number {
    const behind = this.marks.findIndex((mark) => mark.endOffset > appliedOffset);
    if (behind < 0) {
      this.marks = this.marks.slice(-1);
      return 0;
    }
    if (behind > 0) this.marks = this.marks.slice(behind);
    return Math.max(0, nowMs - (this.marks[0] as Mark).atMs);
  }
}
