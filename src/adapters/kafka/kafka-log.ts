/**
 * The log in Kafka: topics `links` and `visits` behind the port. It opens while Kafka is away when this instance has seen the
 * log before; then everything that needs Kafka throws until it is back and has turned out to hold the same log.
 */
import { isAscii } from 'node:buffer';
import { type EventLog, LogUnavailable, type RecordToAppend, type Topic } from '../../ports/event-log.ts';
import { partitionOf } from '../../ports/partitioner.ts';
import { BrokerUnreachable } from './broker-connection.ts';
import { createEndOffsets } from './end-offsets.ts';
import { encodeIdentified } from './identified-record.ts';
import { createKafkaCluster } from './kafka-cluster.ts';
import { createKafkaLogReader } from './kafka-log-reader.ts';
import type { KafkaOptions } from './kafka-options.ts';
import { findIdentity, identityKey, type LogIdentity, LogRefused } from './log-identity.ts';
import { createKnownEnds, createPartitionCursor, type PartitionCursor } from './partition-cursor.ts';
import { createPartitionFetcher } from './partition-fetcher.ts';
import { createPartitionSender, type PartitionSender } from './partition-sender.ts';
import { topicName } from './topic-names.ts';
import { within } from './within.ts';

export interface KafkaLogOptions extends KafkaOptions {
  /** Of the code secret: a log of another secret is refused. Never the secret itself, for it is written into the log. */
  readonly secretFingerprint: string;
  /** What an earlier start of this instance learned: with it the log opens while Kafka is away. */
  readonly remembered?: { readonly logId: string; readonly partitions: number };
  /** Called once when Kafka, away at the start, comes back with another log: from then on everything throws. */
  readonly onRefused: (error: LogRefused) => void;
}

export interface KafkaLog extends EventLog {
  /** What to remember for the next start. */
  readonly remembered: { readonly logId: string; readonly partitions: number };
  /** Who wrote what is appended here: a new one at each opening. */
  readonly producerId: string;
  /** Whether Kafka was reached since the start and holds this log. */
  isVerified(): boolean;
}

const appendGiveUpMs = 10_000;
/** Once an append was given up, and until one succeeds: who waits would most likely wait in vain. */
const appendGiveUpAwayMs = 1_000;
const openMaxMs = 20_000;
const verifyPauseMs = 1_000;

/**
 * Opens the log, and gives it its identity when it is new; its topics must be there. Throws {@link LogUnavailable} when Kafka
 * is away and nothing is remembered, {@link LogRefused} when it is not the log that was expected.
 */
export async function openKafkaLog(options: KafkaLogOptions): Promise<KafkaLog> {
  const { clock, logger, random, topicPrefix } = options;
  const cluster = createKafkaCluster(options);
  const endOffsets = createEndOffsets(cluster, clock);
  const fetcher = createPartitionFetcher(cluster, clock, logger);
  const knownEnds = createKnownEnds();
  const producerId = random.id();
  const senders = new Map<string, PartitionSender>();
  const cursors = new Set<PartitionCursor>();
  const nextSequences = new Map<string, number>();
  let closed = false;
  /** No broker took an append for as long as one is waited for, and none since. */
  let isAway = false;
  let identity: { readonly logId: string; readonly partitions: number } | null = options.remembered ?? null;
  let verified = false;
  let refused: LogRefused | null = null;
  let verifying: Promise<void> | null = null;
  let verifyTimer: NodeJS.Timeout | null = null;

  const unavailable = (message: string, cause?: unknown): LogUnavailable => new LogUnavailable(message, { cause });
  const nameOf = (topic: Topic): string => topicName(topicPrefix, topic);

  function openCursor(topic: Topic, partition: number): PartitionCursor {
    const name = nameOf(topic);
    const cursor = createPartitionCursor({
      topic: name,
      partition,
      fetcher,
      endOffsets,
      knownEnds,
      clock,
      unavailable,
    });
    cursors.add(cursor);
    return cursor;
  }

  function senderOf(topic: Topic, partition: number): PartitionSender {
    const key = `${topic}/${partition}`;
    const known = senders.get(key);
    if (known !== undefined) return known;
    const name = nameOf(topic);
    const sender = createPartitionSender({
      cluster,
      topic: name,
      partition,
      lane: topic,
      giveUpMs: () => (isAway ? appendGiveUpAwayMs : appendGiveUpMs),
      clock,
      logger,
      unavailable,
      onAppended(nextOffset) {
        isAway = false;
        knownEnds.raise(name, partition, nextOffset);
      },
      onGivenUp() {
        isAway = true;
      },
    });
    senders.set(key, sender);
    return sender;
  }

  async function askEnd(topic: Topic, partition: number): Promise<number> {
    try {
      const end = await endOffsets.end(nameOf(topic), partition);
      knownEnds.raise(nameOf(topic), partition, end);
      return end;
    } catch (error) {
      if (!(error instanceof BrokerUnreachable)) throw error;
      throw unavailable(error.message, error);
    }
  }

  async function countPartitions(topic: Topic): Promise<number> {
    let count: number | null;
    try {
      count = await cluster.partitionCount(nameOf(topic));
    } catch (error) {
      if (!(error instanceof BrokerUnreachable)) throw error;
      throw unavailable(error.message, error);
    }
    if (count === null) throw unavailable(`there is no topic ${nameOf(topic)}`);
    return count;
  }

  /** Throws {@link LogUnavailable} or {@link LogRefused}. */
  async function verify(): Promise<void> {
    const partitions = await countPartitions('links');
    const visitPartitions = await countPartitions('visits');
    const expected = options.remembered;
    if (partitions !== visitPartitions) {
      throw new LogRefused(
        'other-partitions',
        `${nameOf('links')} has ${partitions} partitions and ${nameOf('visits')} has ${visitPartitions}; they must have the same number`,
      );
    }
    const cursor = openCursor('links', 0);
    const reader = createKafkaLogReader(`${nameOf('links')}/0`, cursor, async () => undefined);
    let found: LogIdentity;
    try {
      found = await findIdentity(
        reader,
        () => askEnd('links', 0),
        () => {
          // An empty log in the place of one that we know is not ours to begin anew.
          if (expected !== undefined) throw otherLog(expected.logId, 'an empty one');
          const createdAt = new Date(clock.nowMs()).toISOString();
          return { logId: random.id(), partitions, secretFingerprint: options.secretFingerprint, createdAt };
        },
        (created) => {
          const value = Buffer.from(JSON.stringify(created));
          const record = encodeIdentified({ key: identityKey, value }, { producerId: created.logId, sequence: 0 });
          return senderOf('links', 0).send([record]);
        },
      );
    } finally {
      await reader.close();
      cursors.delete(cursor);
    }
    if (expected !== undefined && found.logId !== expected.logId) throw otherLog(expected.logId, found.logId);
    if (found.secretFingerprint !== options.secretFingerprint) {
      throw new LogRefused(
        'other-secret',
        'the log was begun under another CODE_SECRET: give this instance the same one, or it would give other codes to the same URLs',
      );
    }
    if (found.partitions !== partitions) {
      throw new LogRefused(
        'other-partitions',
        `the log was begun with ${found.partitions} partitions and its topics have ${partitions} now; that moves codes to other partitions, so the number must never change`,
      );
    }
    identity = { logId: found.logId, partitions };
    verified = true;
  }

  function otherLog(expected: string, found: string): LogRefused {
    return new LogRefused(
      'other-log',
      `Kafka holds another log (${found}) than the one that this instance was folded from (${expected}); give it the right brokers and topics, or an empty data folder`,
    );
  }

  /** Waits until Kafka was reached and holds the log that it should. Cheap once that is so. */
  async function ready(): Promise<void> {
    if (refused !== null) throw refused;
    if (closed) throw unavailable('the log is closed');
    if (verified) return;
    await within(verifyOnce(), appendGiveUpMs, () => unavailable('Kafka was not reached yet'));
  }

  function verifyOnce(): Promise<void> {
    verifying ??= verify()
      .catch((error: unknown) => {
        if (error instanceof LogRefused && refused === null) {
          refused = error;
          logger.error({ err: error }, 'the log is refused');
          if (options.remembered !== undefined) options.onRefused(error);
        }
        throw error;
      })
      .finally(() => {
        verifying = null;
      });
    return verifying;
  }

  /** Goes on in the background after an opening without Kafka, so that its return is noticed by itself. */
  function verifyLater(): void {
    if (closed || verified || refused !== null) return;
    verifyTimer = setTimeout(() => {
      verifyOnce().then(
        () => logger.info({ logId: identity?.logId }, 'Kafka is there, with the log that is known'),
        () => verifyLater(),
      );
    }, verifyPauseMs);
  }

  function checkPartition(topic: Topic, partition: number): void {
    if (!Number.isInteger(partition) || partition < 0 || partition >= partitionCount) {
      throw new RangeError(`${topic} has no partition ${partition}`);
    }
  }

  async function close(): Promise<void> {
    if (closed) return;
    closed = true;
    if (verifyTimer !== null) clearTimeout(verifyTimer);
    await Promise.all([...senders.values()].map((sender) => sender.close()));
    for (const cursor of cursors) cursor.close();
    fetcher.close();
    cluster.close();
  }

  /** A first start may come before Kafka's own. */
  async function verifyPatiently(): Promise<void> {
    const giveUpAtMs = clock.monotonicMs() + openMaxMs;
    for (;;) {
      try {
        return await within(verifyOnce(), openMaxMs, () => unavailable('Kafka does not answer'));
      } catch (error) {
        if (!(error instanceof LogUnavailable) || identity !== null || clock.monotonicMs() > giveUpAtMs) throw error;
        logger.info({ err: error }, 'waiting for Kafka');
        await new Promise((resolve) => setTimeout(resolve, verifyPauseMs));
      }
    }
  }

  try {
    await verifyPatiently();
  } catch (error) {
    if (!(error instanceof LogUnavailable) || identity === null) {
      await close();
      throw error;
    }
    logger.warn({ err: error }, 'Kafka cannot be reached: the log that is remembered is opened without it');
    verifyLater();
  }
  if (identity === null) throw new Error('a log without identity');
  const { logId, partitions: partitionCount } = identity as NonNullable<typeof identity>;

  return {
    logId,
    producerId,
    remembered: { logId, partitions: partitionCount },
    isVerified: () => verified && refused === null,
    partitions: () => partitionCount,
    partitionOf: (key) => partitionOf(key, partitionCount),
    async append(topic, partition, records) {
      checkPartition(topic, partition);
      checkRecords(records);
      const key = `${topic}/${partition}`;
      // Encoded and numbered in the order of the calls, before anything is waited for.
      const first = nextSequences.get(key) ?? 0;
      nextSequences.set(key, first + records.length);
      const encoded = records.map((record, index) => encodeIdentified(record, { producerId, sequence: first + index }));
      if (!verified || closed || refused !== null) await ready();
      return senderOf(topic, partition).send(encoded);
    },
    async reader(topic, partition) {
      checkPartition(topic, partition);
      const cursor = openCursor(topic, partition);
      const reader = createKafkaLogReader(`${nameOf(topic)}/${partition}`, cursor, ready);
      return {
        ...reader,
        close: async () => {
          cursors.delete(cursor);
          await reader.close();
        },
      };
    },
    async endOffset(topic, partition) {
      checkPartition(topic, partition);
      await ready();
      return askEnd(topic, partition);
    },
    close,
  };
}

function checkRecords(records: readonly RecordToAppend[]): void {
  if (records.length === 0) throw new RangeError('there is no record to append');
  if (!records.every(({ key }) => isAscii(Buffer.from(key)))) {
    throw new RangeError('a key has a character that is not ASCII');
  }
}
