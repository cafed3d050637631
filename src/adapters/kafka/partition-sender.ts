/**
 * Writes to one partition: one request at a time, its retries included, so that the order of the calls is the order in the log.
 * What waits meanwhile goes together in the next batch. After an unknown outcome the same bytes are sent again over a new
 * connection: they may then stand in the log twice, and every reader of ours knows a record by its identity.
 */
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/logger.ts';
import { BrokerUnreachable } from './broker-connection.ts';
import { produce } from './broker-requests.ts';
import type { KafkaCluster, Lane } from './kafka-cluster.ts';
import { errorName } from './kafkajs-internals.ts';
import { encodeRecordBatch, type RecordToSend, recordBytes } from './record-batch.ts';
import { within } from './within.ts';

export interface PartitionSenderOptions {
  readonly cluster: KafkaCluster;
  readonly topic: string;
  readonly partition: number;
  readonly lane: Lane;
  /** A group that is not acknowledged so long after it was handed over is given up: nobody knows whether it is in the log. */
  readonly giveUpMs: () => number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The error of the port that this sender serves. */
  readonly unavailable: (message: string, cause?: unknown) => Error;
  /** Called with the next offset after each acknowledged batch. */
  readonly onAppended?: (nextOffset: number) => void;
  /** Called when a batch is given up because no broker took it. */
  readonly onGivenUp?: () => void;
}

export interface PartitionSender {
  /**
   * Appends records that stand together, in one atomic batch, and resolves with the offset of the first. Throws the options'
   * error when that did not come about in time; a group above {@link groupMax} is a RangeError.
   */
  send(records: readonly RecordToSend[]): Promise<number>;
  /** Refuses what comes from now on, resolves when all that waits is written or given up. */
  close(): Promise<void>;
}

/** The most of one group, and of one batch. */
export const groupMax = { records: 2_000, bytes: 900_000 };

/** The records in order, in groups within `max`; one that is larger by itself stands alone. */
export function inSends(records: readonly RecordToSend[], max: Readonly<typeof groupMax>): RecordToSend[][] {
  const groups: RecordToSend[][] = [];
  let group: RecordToSend[] = [];
  let bytes = 0;
  for (const record of records) {
    const more = recordBytes(record);
    if (group.length > 0 && (group.length >= max.records || bytes + more > max.bytes)) {
      groups.push(group);
      group = [];
      bytes = 0;
    }
    group.push(record);
    bytes += more;
  }
  if (group.length > 0) groups.push(group);
  return groups;
}

/** What may wait in all; beyond it a group is refused at once. */
const waitingBytesMax = 16 * 1024 * 1024;
const attemptMaxMs = 5_000;
const retryDelayMinMs = 20;
const retryDelayMaxMs = 500;

/** The brokers did not write it and will not: another attempt is the same. */
const refusals: ReadonlySet<string> = new Set([
  'MESSAGE_TOO_LARGE',
  'INVALID_TOPIC_EXCEPTION',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_REQUIRED_ACKS',
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'INVALID_TIMESTAMP',
  'UNSUPPORTED_VERSION',
  'INVALID_REQUEST',
  'UNSUPPORTED_FOR_MESSAGE_FORMAT',
  'POLICY_VIOLATION',
]);

interface Group {
  readonly records: readonly RecordToSend[];
  readonly bytes: number;
  readonly giveUpAtMs: number;
  readonly resolve: (offset: number) => void;
  readonly reject: (error: Error) => void;
}

export function createPartitionSender(options: PartitionSenderOptions): PartitionSender {
  const { cluster, topic, partition, lane, clock, logger, unavailable } = options;
  const what = `partition ${partition} of ${topic}`;
  let waiting: Group[] = [];
  let waitingBytes = 0;
  let running: Promise<void> | null = null;
  let closed = false;
  let lastOffset = -1;

  const noLeader = (): Error => new BrokerUnreachable(`the leader of ${what} is not known in time`);

  /** Whole groups, oldest first, as many as fit; those that waited too long are given up unsent. */
  function takeBatch(): Group[] {
    const nowMs = clock.monotonicMs();
    const batch: Group[] = [];
    let records = 0;
    let bytes = 0;
    let taken = 0;
    for (const group of waiting) {
      if (group.giveUpAtMs > nowMs) {
        const fits = records + group.records.length <= groupMax.records && bytes + group.bytes <= groupMax.bytes;
        if (!fits && batch.length > 0) break;
        batch.push(group);
        records += group.records.length;
        bytes += group.bytes;
      } else {
        group.reject(unavailable(`${what} could not be written in time`));
      }
      taken++;
      waitingBytes -= group.bytes;
    }
    waiting = waiting.slice(taken);
    return batch;
  }

  /** The offset of the batch's first record. Throws when it was refused, or not acknowledged before `giveUpAtMs`. */
  async function write(bytes: Buffer, giveUpAtMs: number): Promise<number> {
    let delayMs = retryDelayMinMs;
    for (;;) {
      const leftMs = giveUpAtMs - clock.monotonicMs();
      let problem: unknown;
      try {
        const attemptMs = Math.max(1, Math.min(attemptMaxMs, leftMs));
        const { connection } = await within(cluster.leaderConnection(topic, partition, lane), attemptMs, noLeader);
        const answer = await produce(connection, topic, partition, bytes, attemptMs);
        if (answer.errorCode === 0) return answer.baseOffset;
        const name = errorName(answer.errorCode);
        if (refusals.has(name)) throw unavailable(`${what} was refused by its broker: ${name}`);
        problem = new Error(name);
      } catch (error) {
        if (!isOutage(error)) throw error;
        problem = error;
      }
      // Whatever it was, the leader may be another: asking costs little.
      cluster.forgetLeader(topic, partition);
      if (clock.monotonicMs() + delayMs >= giveUpAtMs) {
        options.onGivenUp?.();
        throw unavailable(`${what} cannot be written now: ${(problem as Error).message}`, problem);
      }
      logger.debug({ err: problem, topic, partition }, 'a batch is sent again');
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      delayMs = Math.min(2 * delayMs, retryDelayMaxMs);
    }
  }

  async function writeBatch(batch: readonly Group[]): Promise<void> {
    const giveUpAtMs = Math.max(...batch.map((group) => group.giveUpAtMs));
    try {
      const records = batch.length === 1 ? (batch[0] as Group).records : batch.flatMap((group) => group.records);
      let offset = await write(encodeRecordBatch(records, clock.nowMs()), giveUpAtMs);
      if (offset <= lastOffset) {
        logger.error({ topic, partition, offset, lastOffset }, 'the brokers lost records that they had acknowledged');
      }
      lastOffset = offset + records.length - 1;
      options.onAppended?.(lastOffset + 1);
      for (const group of batch) {
        group.resolve(offset);
        offset += group.records.length;
      }
    } catch (error) {
      for (const group of batch) group.reject(error as Error);
    }
  }

  async function run(): Promise<void> {
    // Groups of one turn of the event loop go together.
    await Promise.resolve();
    while (waiting.length > 0) {
      const batch = takeBatch();
      if (batch.length > 0) await writeBatch(batch);
    }
    running = null;
  }

  return {
    async send(records) {
      if (closed) throw unavailable(`${what} is closed`);
      const bytes = records.reduce((sum, record) => sum + recordBytes(record), 0);
      if (records.length === 0 || records.length > groupMax.records || bytes > groupMax.bytes) {
        throw new RangeError(`${records.length} records of ${bytes} bytes are not to be sent together`);
      }
      if (waitingBytes + bytes > waitingBytesMax) throw unavailable(`too much waits to be written to ${what}`);
      return new Promise((resolve, reject) => {
        const giveUpAtMs = clock.monotonicMs() + options.giveUpMs();
        waiting.push({ records, bytes, giveUpAtMs, resolve, reject });
        waitingBytes += bytes;
        running ??= run();
      });
    },
    async close() {
      closed = true;
      await running;
    },
  };
}

function isOutage(error: unknown): boolean {
  return error instanceof BrokerUnreachable;
}
