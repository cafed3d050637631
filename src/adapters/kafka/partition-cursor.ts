/**
 * Reads one partition from explicit offsets on, batch by batch, with what comes next fetched ahead within a bound. An offset
 * that the log does not have is an error here, never a jump to another; it knows nothing of what stands in the records.
 */
import type { Clock } from '../../ports/clock.ts';
import { OffsetOutOfRange } from '../../ports/event-log.ts';
import type { FetchAnswer } from './broker-requests.ts';
import type { EndOffsets } from './end-offsets.ts';
import { errorName } from './kafkajs-internals.ts';
import type { PartitionFetcher } from './partition-fetcher.ts';
import { type RecordBatch, splitBatches } from './record-batch.ts';

export interface PartitionCursorOptions {
  readonly topic: string;
  readonly partition: number;
  readonly fetcher: PartitionFetcher;
  readonly endOffsets: EndOffsets;
  /** The ends that this process has seen, by topic and partition: also by its own appends. */
  readonly knownEnds: KnownEnds;
  readonly clock: Clock;
  readonly unavailable: (message: string, cause?: unknown) => Error;
}

export interface PartitionCursor {
  /**
   * The first batch that reaches `nextOffset`, null at the end as known now. Throws {@link OffsetOutOfRange}, `UnreadableBatch`,
   * and the options' error when the brokers do not answer in time.
   */
  batchAt(nextOffset: number): Promise<RecordBatch | null>;
  /** The same, of what is here already. */
  batchHere(nextOffset: number): RecordBatch | null;
  /** Forgets what is here: the next read fetches it again. */
  discard(): void;
  waitFor(nextOffset: number, timeoutMs: number): Promise<void>;
  endOffset(): number;
  startOffset(): number;
  close(): void;
}

/** The highest next offset seen of each partition. */
export interface KnownEnds {
  get(topic: string, partition: number): number | undefined;
  raise(topic: string, partition: number, nextOffset: number): void;
}

export function createKnownEnds(): KnownEnds {
  const ends = new Map<string, number>();
  return {
    get: (topic, partition) => ends.get(`${topic}/${partition}`),
    raise(topic, partition, nextOffset) {
      const key = `${topic}/${partition}`;
      if (nextOffset > (ends.get(key) ?? -1)) ends.set(key, nextOffset);
    },
  };
}

/** Below it more is fetched, so that a reader far behind never waits for an answer. With one on top, a cursor holds twice as much at the most. */
const bufferedBytesMin = 1024 * 1024;
const readMaxMs = 5_000;

export function createPartitionCursor(options: PartitionCursorOptions): PartitionCursor {
  const { topic, partition, fetcher, endOffsets, knownEnds, clock, unavailable } = options;
  /** Next to fetch; null until somebody reads. */
  let position: number | null = null;
  /** From here to `position` the buffer holds all that there is. */
  let bufferStart = 0;
  let buffer: RecordBatch[] = [];
  let bufferedBytes = 0;
  let startOffset = 0;
  let outOfRange = false;
  let damage: unknown = null;
  let closed = false;
  const listeners = new Set<() => void>();

  const remove = fetcher.add({
    topic,
    partition,
    wanted: () => (closed || outOfRange || damage !== null || bufferedBytes >= bufferedBytesMin ? null : position),
    take,
  });

  function end(): number {
    return knownEnds.get(topic, partition) ?? -1;
  }

  function take(offset: number, answer: FetchAnswer): void {
    if (offset !== position || closed) return;
    if (answer.errorCode !== 0) {
      outOfRange = errorName(answer.errorCode) === 'OFFSET_OUT_OF_RANGE';
    } else {
      startOffset = answer.logStartOffset;
      knownEnds.raise(topic, partition, answer.highWatermark);
      try {
        keep(splitBatches(ownBytes(answer.records)).filter(({ lastOffset }) => lastOffset >= offset));
      } catch (error) {
        damage = error;
      }
    }
    for (const listener of [...listeners]) listener();
  }

  function keep(batches: readonly RecordBatch[]): void {
    for (const batch of batches) {
      buffer.push(batch);
      bufferedBytes += batch.bytes.length;
      position = batch.lastOffset + 1;
    }
  }

  function seek(nextOffset: number): void {
    if (position !== null && nextOffset >= bufferStart && nextOffset <= position) return;
    buffer = [];
    bufferedBytes = 0;
    bufferStart = nextOffset;
    position = nextOffset;
    outOfRange = false;
    damage = null;
    fetcher.wake();
  }

  function batchHere(nextOffset: number): RecordBatch | null {
    let passed = 0;
    for (const batch of buffer) {
      if (batch.lastOffset >= nextOffset) break;
      passed++;
      bufferedBytes -= batch.bytes.length;
      bufferStart = batch.lastOffset + 1;
    }
    if (passed > 0) {
      buffer = buffer.slice(passed);
      if (bufferedBytes < bufferedBytesMin) fetcher.wake();
    }
    return buffer[0] ?? null;
  }

  async function learnEnds(): Promise<void> {
    try {
      const [first, next] = await Promise.all([endOffsets.start(topic, partition), endOffsets.end(topic, partition)]);
      startOffset = first;
      knownEnds.raise(topic, partition, next);
    } catch (error) {
      throw unavailable(`partition ${partition} of ${topic} cannot be read now`, error);
    }
  }

  function isReadable(nextOffset: number): boolean {
    return end() > nextOffset || outOfRange || damage !== null || closed;
  }

  /** Resolves when something came, or after `maxMs`. */
  function change(maxMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        listeners.delete(done);
        resolve();
      };
      const timer = setTimeout(done, Math.max(0, maxMs));
      listeners.add(done);
    });
  }

  async function batchAt(nextOffset: number): Promise<RecordBatch | null> {
    const giveUpAtMs = clock.monotonicMs() + readMaxMs;
    if (!Number.isSafeInteger(nextOffset) || nextOffset < 0) {
      await learnEnds();
      throw new OffsetOutOfRange(nextOffset, startOffset, end());
    }
    let asked = false;
    for (;;) {
      if (closed) throw unavailable('the reader is closed');
      if (nextOffset > end() || outOfRange) {
        // A leader that was elected a moment ago may not know the end yet: only what the log itself says is final.
        if (asked) await change(50);
        await learnEnds();
        asked = true;
        if (nextOffset < startOffset || nextOffset > end()) throw new OffsetOutOfRange(nextOffset, startOffset, end());
        if (outOfRange) position = null;
      }
      seek(nextOffset);
      if (damage !== null) throw damage;
      const found = batchHere(nextOffset);
      if (found !== null) return found;
      if (nextOffset === end()) return null;
      const leftMs = giveUpAtMs - clock.monotonicMs();
      if (leftMs <= 0) throw unavailable(`partition ${partition} of ${topic} cannot be read now`);
      await change(leftMs);
    }
  }

  return {
    batchAt,
    batchHere,
    discard() {
      buffer = [];
      bufferedBytes = 0;
      position = null;
    },
    async waitFor(nextOffset, timeoutMs) {
      const giveUpAtMs = clock.monotonicMs() + timeoutMs;
      if (isReadable(nextOffset)) return;
      if (end() < 0) {
        await Promise.race([learnEnds().catch(() => undefined), change(timeoutMs)]);
        if (end() < 0) {
          await change(giveUpAtMs - clock.monotonicMs());
          return;
        }
      }
      // Beyond the end there is nothing to ask for: what comes before it is fetched on the way.
      if (position === null || nextOffset > position) seek(Math.min(nextOffset, end()));
      else seek(nextOffset);
      while (!isReadable(nextOffset)) {
        const leftMs = giveUpAtMs - clock.monotonicMs();
        if (leftMs <= 0) return;
        await change(leftMs);
      }
    },
    endOffset: () => Math.max(0, end()),
    startOffset: () => startOffset,
    close() {
      closed = true;
      buffer = [];
      remove();
      for (const listener of [...listeners]) listener();
    },
  };
}

/** A small part of a large answer would keep all of it in memory. */
function ownBytes(records: Buffer): Buffer {
  return records.length * 2 < records.buffer.byteLength ? Buffer.from(records) : records;
}
