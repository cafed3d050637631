/**
 * How far each partition can be read, published by the one writer to the readers of other threads through shared
 * memory. A position is published after the bytes are written, so that what it covers can be read from the file.
 */
import type { Topic } from '../../ports/event-log.ts';
import { topics } from './segment-format.ts';

/** What can be read of a partition. */
export interface ReadablePosition {
  startOffset: number;
  endOffset: number;
  /** Base offset of the active segment, and how many of its bytes are whole frames. */
  activeBaseOffset: number;
  activeBytes: number;
}

// One cache line a partition: version, then four 64-bit numbers as pairs of words.
const wordsPerSlot = 16;

/** Memory for the positions of a log. Hand it to a worker thread as it is. */
export function createSharedPositions(partitions: number): SharedArrayBuffer {
  const shared = new SharedArrayBuffer((topics.length * partitions + 1) * wordsPerSlot * 4);
  new Int32Array(shared)[0] = partitions;
  return shared;
}

export function positionSlot(shared: SharedArrayBuffer, topic: Topic, partition: number): PositionSlot {
  const words = new Int32Array(shared);
  const partitions = words[0] ?? 0;
  if (!(partition >= 0 && partition < partitions)) throw new RangeError(`${topic} has no partition ${partition}`);
  return new PositionSlot(words, (1 + topics.indexOf(topic) * partitions + partition) * wordsPerSlot);
}

type WaitAsync = (
  words: Int32Array,
  index: number,
  value: number,
) => { readonly async: false } | { readonly async: true; readonly value: Promise<string> };

/**
 * A sequence lock: the version is odd while the writer writes, and a reader that saw it odd or changed reads again.
 * The version is also the word that waiting readers sleep on.
 */
export class PositionSlot {
  readonly #words: Int32Array;
  readonly #at: number;

  constructor(words: Int32Array, at: number) {
    this.#words = words;
    this.#at = at;
  }

  /** Only the one writer of the partition calls this. */
  publish(position: ReadablePosition): void {
    const words = this.#words;
    const at = this.#at;
    Atomics.add(words, at, 1);
    store(words, at + 2, position.startOffset);
    store(words, at + 4, position.endOffset);
    store(words, at + 6, position.activeBaseOffset);
    store(words, at + 8, position.activeBytes);
    Atomics.add(words, at, 1);
    Atomics.notify(words, at);
  }

  read(into: ReadablePosition): ReadablePosition {
    const words = this.#words;
    const at = this.#at;
    for (;;) {
      const version = Atomics.load(words, at);
      if (version & 1) continue;
      into.startOffset = load(words, at + 2);
      into.endOffset = load(words, at + 4);
      into.activeBaseOffset = load(words, at + 6);
      into.activeBytes = load(words, at + 8);
      if (Atomics.load(words, at) === version) return into;
    }
  }

  version(): number {
    return Atomics.load(this.#words, this.#at);
  }

  /**
   * A promise for the next change after `version`, or undefined when it has changed already. It does not keep a thread
   * alive and has no timeout: hold a timer beside it, and not more than one of them a reader.
   */
  changedSince(version: number): Promise<unknown> | undefined {
    const waitAsync: WaitAsync = (Atomics as unknown as { readonly waitAsync: WaitAsync }).waitAsync;
    const wait = waitAsync(this.#words, this.#at, version);
    return wait.async ? wait.value : undefined;
  }

  /** Wakes every waiting reader though nothing changed; each looks and waits again, or has been closed. */
  wake(): void {
    Atomics.notify(this.#words, this.#at);
  }
}

function store(words: Int32Array, at: number, value: number): void {
  Atomics.store(words, at, value | 0);
  Atomics.store(words, at + 1, Math.floor(value / 2 ** 32));
}

function load(words: Int32Array, at: number): number {
  return (Atomics.load(words, at) >>> 0) + Atomics.load(words, at + 1) * 2 ** 32;
}
