/**
 * The three requests that carry records, each for what we need of it: one record batch to one partition, record sets of many
 * partitions from given offsets, the ends of one partition. Errors of single partitions are given back, not thrown.
 * Source: Kafka's protocol guide; Produce 7, Fetch 11, ListOffsets 3.
 */
import type { BrokerConnection } from './broker-connection.ts';
import { createEncoder, type WireEncoder, type WireExchange } from './kafkajs-internals.ts';

export interface ProduceAnswer {
  /** 0 when all replicas that must have the batch have it. */
  readonly errorCode: number;
  readonly baseOffset: number;
}

export interface FetchQuestion {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly bytesMax: number;
}

export interface FetchAnswer {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  /** Where the records end that a reader may see. */
  readonly highWatermark: number;
  readonly logStartOffset: number;
  readonly records: Buffer;
}

/** What the brokers have beside the records they answer with. */
const transferMaxMs = 5_000;
const allReplicas = -1;
/** What is aborted or undecided is read as well: no producer of ours uses transactions, and no stranger's may hold us up. */
const readUncommitted = 0;
export const earliest = -2;
export const latest = -1;

/** `maxMs` is for the whole exchange; the replicas get most of it. */
export function produce(
  connection: BrokerConnection,
  topic: string,
  partition: number,
  batch: Buffer,
  maxMs: number,
): Promise<ProduceAnswer> {
  const encode = (): WireEncoder =>
    createEncoder(batch.length + topic.length + 100)
      .writeString(null)
      .writeInt16(allReplicas)
      .writeInt32(Math.ceil(maxMs * 0.8))
      .writeInt32(1)
      .writeString(topic)
      .writeInt32(1)
      .writeInt32(partition)
      .writeBytes(batch);
  return connection.exchange(
    exchange('Produce', 0, 7, encode, (answer) => {
      answer.int32();
      answer.text();
      answer.int32();
      answer.int32();
      return { errorCode: answer.int16(), baseOffset: answer.int64() };
    }),
    maxMs,
  );
}

/** Waits up to `waitMs` when there is no record yet; answers with about `bytesMax` in all, and at least with one batch. */
export function fetchRecords(
  connection: BrokerConnection,
  questions: readonly FetchQuestion[],
  waitMs: number,
  bytesMax: number,
): Promise<FetchAnswer[]> {
  const topics = new Map<string, FetchQuestion[]>();
  for (const question of questions) {
    const known = topics.get(question.topic);
    if (known === undefined) topics.set(question.topic, [question]);
    else known.push(question);
  }
  const encode = (): WireEncoder => {
    const encoder = createEncoder(100 + 100 * topics.size + 40 * questions.length)
      .writeInt32(-1)
      .writeInt32(waitMs)
      .writeInt32(1)
      .writeInt32(bytesMax)
      .writeInt8(readUncommitted)
      .writeInt32(0)
      .writeInt32(-1)
      .writeInt32(topics.size);
    for (const [topic, partitions] of topics) {
      encoder.writeString(topic).writeInt32(partitions.length);
      for (const { partition, offset, bytesMax: partitionBytesMax } of partitions) {
        encoder.writeInt32(partition).writeInt32(-1).writeInt64(offset).writeInt64(-1).writeInt32(partitionBytesMax);
      }
    }
    return encoder.writeInt32(0).writeString('');
  };
  return connection.exchange(
    exchange('Fetch', 1, 11, encode, (answer) => {
      answer.int32();
      answer.int16();
      answer.int32();
      const found: FetchAnswer[] = [];
      for (let topicsLeft = answer.int32(); topicsLeft > 0; topicsLeft--) {
        const topic = answer.text();
        for (let partitionsLeft = answer.int32(); partitionsLeft > 0; partitionsLeft--) {
          const partition = answer.int32();
          const errorCode = answer.int16();
          const highWatermark = answer.int64();
          answer.int64();
          const logStartOffset = answer.int64();
          for (let aborted = answer.int32(); aborted > 0; aborted--) answer.skip(16);
          answer.int32();
          const records = answer.bytes();
          found.push({ topic, partition, errorCode, highWatermark, logStartOffset, records });
        }
      }
      return found;
    }),
    waitMs + transferMaxMs,
  );
}

/** The offset at `time`: {@link earliest} or {@link latest}, the one that the next record will get. */
export function listOffset(
  connection: BrokerConnection,
  topic: string,
  partition: number,
  time: number,
  maxMs: number,
): Promise<{ readonly errorCode: number; readonly offset: number }> {
  const encode = (): WireEncoder =>
    createEncoder(topic.length + 50)
      .writeInt32(-1)
      .writeInt8(readUncommitted)
      .writeInt32(1)
      .writeString(topic)
      .writeInt32(1)
      .writeInt32(partition)
      .writeInt64(time);
  return connection.exchange(
    exchange('ListOffsets', 2, 3, encode, (answer) => {
      answer.int32();
      answer.int32();
      answer.text();
      answer.int32();
      answer.int32();
      const errorCode = answer.int16();
      answer.int64();
      return { errorCode, offset: answer.int64() };
    }),
    maxMs,
  );
}

function exchange<Answer extends object>(
  apiName: string,
  apiKey: number,
  apiVersion: number,
  encode: () => WireEncoder,
  read: (answer: AnswerReader) => Answer,
): WireExchange<Answer> {
  return {
    request: { apiKey, apiVersion, apiName, encode: async () => encode() },
    response: {
      decode: async (payload) => read(new AnswerReader(payload)),
      parse: async (answer) => answer,
    },
  };
}

/** Reads an answer's fields in order. An answer that is cut off throws a RangeError, which breaks the connection. */
class AnswerReader {
  readonly #payload: Buffer;
  #offset = 0;

  constructor(payload: Buffer) {
    this.#payload = payload;
  }

  int16(): number {
    return this.#payload.readInt16BE(this.skip(2));
  }

  int32(): number {
    return this.#payload.readInt32BE(this.skip(4));
  }

  /** Offsets are safe integers for the first 285 years. */
  int64(): number {
    return Number(this.#payload.readBigInt64BE(this.skip(8)));
  }

  text(): string {
    const length = this.int16();
    if (length < 0) return '';
    const start = this.skip(length);
    return this.#payload.toString('utf8', start, start + length);
  }

  bytes(): Buffer {
    const length = this.int32();
    if (length <= 0) return this.#payload.subarray(0, 0);
    const start = this.skip(length);
    if (start + length > this.#payload.length) throw new RangeError('an answer that is cut off');
    return this.#payload.subarray(start, start + length);
  }

  /** Returns where it stood. */
  skip(bytes: number): number {
    const start = this.#offset;
    this.#offset += bytes;
    return start;
  }
}
