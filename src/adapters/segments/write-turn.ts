/**
 * Has all partitions of a log that were appended to in one turn of the event loop written by one callback at its end: with
 * many partitions, a callback for each would cost more than a write.
 */
export interface WrittenInTurn {
  /** Writes what waits; nothing waiting is fine. */
  writeNow(): void;
}

export class WriteTurn {
  #due: WrittenInTurn[] = [];

  /** Each partition adds itself once a turn. What is added while the turn is written belongs to the next one. */
  add(partition: WrittenInTurn): void {
    if (this.#due.push(partition) === 1) setImmediate(write, this);
  }

  write(): void {
    const due = this.#due;
    this.#due = [];
    for (const partition of due) partition.writeNow();
  }
}

function write(turn: WriteTurn): void {
  turn.write();
}
