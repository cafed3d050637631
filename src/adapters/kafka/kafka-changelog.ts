/** The changelog in Kafka: one compacted topic behind the port, with connections of its own. */
import {
  type Changelog,
  type ChangelogEntry,
  type ChangelogReader,
  type ChangelogRecord,
  ChangelogUnavailable,
  changelogAppendMax,
} from '../../ports/changelog.ts';
import { BrokerUnreachable } from './broker-connection.ts';
import { decodeChangelogRecord, encodeChangelogEntries } from './changelog-record.ts';
import { createEndOffsets } from './end-offsets.ts';
import { createKafkaCluster } from './kafka-cluster.ts';
import type { KafkaOptions } from './kafka-options.ts';
import { createKnownEnds, createPartitionCursor, type PartitionCursor } from './partition-cursor.ts';
import { createPartitionFetcher } from './partition-fetcher.ts';
import { createPartitionSender, type PartitionSender } from './partition-sender.ts';
import { appendedAtMsOf, openBatch, type RecordBatch, UnreadableBatch } from './record-batch.ts';
import { isAsciiText } from './record-text.ts';
import { topicName } from './topic-names.ts';

const appendGiveUpMs = 15_000;
const keyLengthMax = 512;
const recordOverheadBytes = 50;

export interface KafkaChangelogOptions extends KafkaOptions {
  /** As many as the topic has. Who knows it opens the changelog without Kafka, and meets an outage when it is used. */
  readonly partitions?: number;
}

/**
 * Opens the changelog; its topic must be there. Throws {@link ChangelogUnavailable} when Kafka has to be asked for the number of
 * partitions and does not answer: try again. Call it after the log's identity is verified, which stands for the whole cluster.
 */
export async function openKafkaChangelog(options: KafkaChangelogOptions): Promise<Changelog> {
  const { clock, logger } = options;
  const topic = topicName(options.topicPrefix, 'changelog');
  const cluster = createKafkaCluster(options);
  const endOffsets = createEndOffsets(cluster, clock);
  const fetcher = createPartitionFetcher(cluster, clock, logger);
  const knownEnds = createKnownEnds();
  const senders = new Map<number, PartitionSender>();
  const cursors = new Set<PartitionCursor>();
  const unavailable = (message: string, cause?: unknown): Error => new ChangelogUnavailable(message, { cause });
  let partitions: number;
  try {
    const count = options.partitions ?? (await cluster.partitionCount(topic));
    if (count === null) throw unavailable(`there is no topic ${topic}`);
    partitions = count;
  } catch (error) {
    cluster.close();
    throw error instanceof BrokerUnreachable ? unavailable(error.message, error) : error;
  }

  function senderOf(partition: number): PartitionSender {
    const known = senders.get(partition);
    if (known !== undefined) return known;
    const sender = createPartitionSender({
      cluster,
      topic,
      partition,
      lane: 'changelog',
      giveUpMs: () => appendGiveUpMs,
      clock,
      logger,
      unavailable,
      onAppended: (nextOffset) => knownEnds.raise(topic, partition, nextOffset),
    });
    senders.set(partition, sender);
    return sender;
  }

  function checkPartition(partition: number): void {
    if (!Number.isInteger(partition) || partition < 0 || partition >= partitions) {
      throw new RangeError(`the changelog has no partition ${partition}`);
    }
  }

  return {
    async append(partition, entries, epoch, send) {
      checkPartition(partition);
      checkEntries(entries);
      return senderOf(partition).send(encodeChangelogEntries(entries, epoch, send));
    },
    async reader(partition) {
      checkPartition(partition);
      const cursor = createPartitionCursor({ topic, partition, fetcher, endOffsets, knownEnds, clock, unavailable });
      cursors.add(cursor);
      return createReader(cursor, () => cursors.delete(cursor));
    },
    async endOffset(partition) {
      checkPartition(partition);
      try {
        const end = await endOffsets.end(topic, partition);
        knownEnds.raise(topic, partition, end);
        return end;
      } catch (error) {
        if (!(error instanceof BrokerUnreachable)) throw error;
        throw unavailable(error.message, error);
      }
    },
    async close() {
      await Promise.all([...senders.values()].map((sender) => sender.close()));
      for (const cursor of cursors) cursor.close();
      fetcher.close();
      cluster.close();
    },
  };
}

function checkEntries(entries: readonly ChangelogEntry[]): void {
  const bytes = entries.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0);
  if (entries.length === 0 || entries.length > changelogAppendMax.entries || bytes > changelogAppendMax.bytes) {
    throw new RangeError(`${entries.length} entries of ${bytes} bytes are not to be appended together`);
  }
  for (const { key } of entries) {
    if (key.length === 0 || key.length > keyLengthMax || !isAsciiText(key)) {
      throw new RangeError(`a key of the changelog has 1 to ${keyLengthMax} ASCII characters`);
    }
  }
}

function createReader(cursor: PartitionCursor, onClose: () => void): ChangelogReader {
  let opened: { readonly batch: RecordBatch; readonly records: readonly ChangelogRecord[] } | null = null;

  function open(batch: RecordBatch): readonly ChangelogRecord[] {
    if (opened?.batch !== batch) opened = { batch, records: readBatch(batch) };
    return opened.records;
  }

  return {
    async read(nextOffset, maxBytes) {
      const found: ChangelogRecord[] = [];
      let next = nextOffset;
      let bytes = 0;
      let batch = await cursor.batchAt(nextOffset);
      while (batch !== null) {
        for (const record of open(batch)) {
          if (record.offset < next) continue;
          if (found.length > 0 && bytes >= maxBytes) return { records: found, nextOffset: next };
          found.push(record);
          bytes += recordOverheadBytes + record.key.length + (record.value?.length ?? 0);
          next = record.offset + 1;
        }
        // The last records of a batch may be gone: compaction keeps its end.
        next = batch.lastOffset + 1;
        batch = bytes < maxBytes ? cursor.batchHere(next) : null;
      }
      return { records: found, nextOffset: next };
    },
    waitFor: (nextOffset, timeoutMs) => cursor.waitFor(nextOffset, timeoutMs),
    endOffset: () => cursor.endOffset(),
    startOffset: () => cursor.startOffset(),
    async close() {
      onClose();
      cursor.close();
    },
  };
}

/** A batch that is none of ours stands as one record that says so. */
function readBatch(batch: RecordBatch): readonly ChangelogRecord[] {
  try {
    const appendedAtMs = appendedAtMsOf(batch);
    return openBatch(batch).map((record) => ({ ...decodeChangelogRecord(record), appendedAtMs }));
  } catch (error) {
    if (!(error instanceof UnreadableBatch)) throw error;
    const { lastOffset: offset } = batch;
    return [{ offset, kind: 'row', key: '', value: null, epoch: -1, send: 0, invalid: error.message }];
  }
}
