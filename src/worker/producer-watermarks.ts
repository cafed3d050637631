/**
 * Which records are effective: each producer's records of a partition carry a dense sequence, and only one above the
 * highest seen before counts. Duplicates vanish; a gap is told. (As Kafka's brokers keep the last sequence per producer: KIP-98.)
 * What is remembered is a function of the records alone, never of when they were committed: any two owners judge alike.
 */
import type { StoreEntry } from '../ports/state-store.ts';

/** Rows of producers in a task's store: `!p/<producerId>`. */
export const producerKeyPrefix = '!p/';

/** A sequence further ahead than this is not believed: one forged record would silence its producer for good. */
const reachableSequences = 100_000_000;

/** Producers remembered: with ids of `producerIdLengthMax`, all of them fit in one record of the changelog. Past that, the longest silent is forgotten. */
const producersMax = 8_000;
const producerIdLengthMax = 48;

/** The highest sequence folded of a producer, and the stream time (ms) at that record. */
export type Watermark = readonly [sequence: number, lastSeenMs: number];

interface Producer {
  readonly id: string;
  /** Highest sequence folded, -1 before the first. */
  sequence: number;
  /** Stream time at that record. */
  lastSeenMs: number;
  dirty: boolean;
}

export type SequenceVerdict = 'effective' | 'effective-after-gap' | 'duplicate' | 'out-of-reach' | 'malformed-producer';

export class ProducerWatermarks {
  private readonly silenceMs: number;
  private readonly producers = new Map<string, Producer>();
  private dirty: Producer[] = [];
  private forgotten: string[] = [];
  private last: Producer = unknownProducer('');

  /** @param silenceMs a producer that was silent for longer, in stream time, counts as one never seen */
  constructor(silenceMs: number) {
    this.silenceMs = silenceMs;
  }

  /** Takes up a watermark as it was kept. */
  restore(id: string, [sequence, lastSeenMs]: Watermark): void {
    this.producers.set(id, { id, sequence, lastSeenMs, dirty: false });
  }

  /**
   * What a record's identity says at this stream time (of the records before it), without taking note of it: the record may
   * still prove to be poison.
   */
  judge(producerId: string, sequence: number, streamTimeMs: number): SequenceVerdict {
    const producer = this.producer(producerId);
    const isKnown = streamTimeMs - producer.lastSeenMs <= this.silenceMs;
    const ahead = sequence - (isKnown ? producer.sequence : -1);
    if (ahead === 1) return this.isSound(producer) ? 'effective' : 'malformed-producer';
    if (ahead <= 0) return 'duplicate';
    if (!this.isSound(producer)) return 'malformed-producer';
    return ahead <= reachableSequences ? 'effective-after-gap' : 'out-of-reach';
  }

  /** Raises the producer's watermark: the record is folded. */
  raise(producerId: string, sequence: number, streamTimeMs: number): void {
    const producer = this.producer(producerId);
    if (producer.sequence < 0) {
      if (this.producers.size >= producersMax) this.forgetLongestSilent();
      this.producers.set(producerId, producer);
    }
    producer.sequence = sequence;
    producer.lastSeenMs = streamTimeMs;
    if (!producer.dirty) {
      producer.dirty = true;
      this.dirty.push(producer);
    }
  }

  /** Drops silent producers and returns what changed since the last call; null = forgotten. */
  drain(streamTimeMs: number): Map<string, Watermark | null> {
    const changes = new Map<string, Watermark | null>();
    for (const id of this.forgotten) changes.set(id, null);
    this.forgotten = [];
    for (const producer of this.dirty) {
      producer.dirty = false;
      if (this.producers.get(producer.id) === producer)
        changes.set(producer.id, [producer.sequence, producer.lastSeenMs]);
    }
    this.dirty = [];
    for (const producer of this.producers.values()) {
      if (streamTimeMs - producer.lastSeenMs <= this.silenceMs) continue;
      this.forget(producer);
      changes.set(producer.id, null);
    }
    return changes;
  }

  size(): number {
    return this.producers.size;
  }

  private isSound(producer: Producer): boolean {
    if (producer.sequence >= 0) return true;
    return producer.id.length <= producerIdLengthMax && /^[\x21-\x7e]+$/.test(producer.id);
  }

  private producer(id: string): Producer {
    if (this.last.id === id) return this.last;
    this.last = this.producers.get(id) ?? unknownProducer(id);
    return this.last;
  }

  /** Ties go to the smaller id, so that it does not matter in which order the producers were restored. */
  private forgetLongestSilent(): void {
    let longest: Producer | null = null;
    for (const producer of this.producers.values()) {
      const isLonger =
        longest === null ||
        producer.lastSeenMs < longest.lastSeenMs ||
        (producer.lastSeenMs === longest.lastSeenMs && producer.id < longest.id);
      if (isLonger) longest = producer;
    }
    if (longest === null) return;
    this.forget(longest);
    this.forgotten.push(longest.id);
  }

  private forget(producer: Producer): void {
    this.producers.delete(producer.id);
    if (this.last === producer) this.last = unknownProducer('');
  }
}

function unknownProducer(id: string): Producer {
  return { id, sequence: -1, lastSeenMs: Number.NEGATIVE_INFINITY, dirty: false };
}

/** A watermark as a row of a task's store. */
export function encodeWatermark(watermark: Watermark): Buffer {
  return Buffer.from(JSON.stringify(watermark), 'latin1');
}

/** The reverse of {@link encodeWatermark}, with the id of the row's key. */
export function decodeWatermark([key, value]: StoreEntry): { readonly id: string; readonly watermark: Watermark } {
  const watermark = JSON.parse(Buffer.from(value).toString('latin1')) as Watermark;
  return { id: key.slice(producerKeyPrefix.length), watermark };
}
