/**
 * Which records are effective: each producer's records of a partition carry a dense sequence, and only one above the
 * highest seen before counts. Duplicates vanish; a gap is told. (As Kafka's brokers keep the last sequence per producer: KIP-98.)
 */
import type { StateBatch, StoreEntry } from '../ports/state-store.ts';

/** Rows of producers in a task's store: `!p/<producerId>`. */
export const producerKeyPrefix = '!p/';

/** A sequence further ahead than this is not believed: one forged record would silence its producer for good. */
const reachableSequences = 100_000_000;

interface Producer {
  readonly id: string;
  /** Highest sequence folded, -1 before the first. */
  sequence: number;
  /** Stream time at that record. */
  lastSeenMs: number;
  dirty: boolean;
}

export type SequenceVerdict = 'effective' | 'effective-after-gap' | 'duplicate' | 'out-of-reach';

export class ProducerWatermarks {
  private readonly producers = new Map<string, Producer>();
  private dirty: Producer[] = [];
  private last: Producer = { id: '', sequence: -1, lastSeenMs: 0, dirty: false };

  /** Takes up a row read from the store. */
  restore([key, value]: StoreEntry): void {
    const id = key.slice(producerKeyPrefix.length);
    const [sequence, lastSeenMs] = JSON.parse(Buffer.from(value).toString('latin1')) as [number, number];
    this.producers.set(id, { id, sequence, lastSeenMs, dirty: false });
  }

  /** What a record's identity says, without taking note of it: the record may still prove to be poison. */
  judge(producerId: string, sequence: number): SequenceVerdict {
    const producer = this.producer(producerId);
    const ahead = sequence - producer.sequence;
    if (ahead === 1) return 'effective';
    if (ahead <= 0) return 'duplicate';
    return ahead <= reachableSequences ? 'effective-after-gap' : 'out-of-reach';
  }

  /** Raises the producer's watermark: the record is folded. */
  raise(producerId: string, sequence: number, streamTimeMs: number): void {
    const producer = this.producer(producerId);
    if (producer.sequence < 0) this.producers.set(producerId, producer);
    producer.sequence = sequence;
    producer.lastSeenMs = streamTimeMs;
    if (!producer.dirty) {
      producer.dirty = true;
      this.dirty.push(producer);
    }
  }

  /** Puts what changed into the batch, and drops producers that were silent for `silenceMs` of stream time. */
  drainInto(batch: StateBatch, streamTimeMs: number, silenceMs: number): void {
    for (const producer of this.dirty) {
      producer.dirty = false;
      const row = JSON.stringify([producer.sequence, producer.lastSeenMs]);
      batch.put(producerKeyPrefix + producer.id, Buffer.from(row, 'latin1'));
    }
    this.dirty = [];
    for (const producer of this.producers.values()) {
      if (streamTimeMs - producer.lastSeenMs <= silenceMs) continue;
      this.producers.delete(producer.id);
      if (this.last === producer) this.last = { id: '', sequence: -1, lastSeenMs: 0, dirty: false };
      batch.delete(producerKeyPrefix + producer.id);
    }
  }

  size(): number {
    return this.producers.size;
  }

  private producer(id: string): Producer {
    if (this.last.id === id) return this.last;
    this.last = this.producers.get(id) ?? { id, sequence: -1, lastSeenMs: 0, dirty: false };
    return this.last;
  }
}
