/**
 * The embedded log: `<folder>/<topic>/<partition>/<base offset>.log` and `<folder>/log.id`. One process writes it (the
 * caller holds the process lock); any thread of it reads. The journal of visits is its `visits` topic.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Clock } from '../../ports/clock.ts';
import { type EventLog, LogDamaged, type LogReader, type RecordToAppend, type Topic } from '../../ports/event-log.ts';
import type { Logger } from '../../ports/logger.ts';
import { partitionOf } from '../../ports/partitioner.ts';
import type { Random } from '../../ports/random.ts';
import type { JournalCallback, VisitJournal } from '../../ports/visit-journal.ts';
import { type DiskUse, PartitionWriter, type WriterFigures } from './partition-writer.ts';
import { recoverPartition } from './recover-partition.ts';
import {
  listSegments,
  nodeFileCalls,
  partitionFolder,
  type SegmentFileCalls,
  segmentFile,
  writeWhole,
} from './segment-files.ts';
import { topics as allTopics, encodeSegmentHeader, segmentHeaderBytes, uuidBytes } from './segment-format.ts';
import { openSegmentReader } from './segment-reader.ts';
import { createSharedPositions, positionSlot } from './shared-positions.ts';
import { WriteTurn } from './write-turn.ts';

export interface SegmentLogOptions {
  /** Made when it is not there, with its parents. */
  readonly folder: string;
  /** Partitions of each topic. A log keeps the number it was made with. */
  readonly partitions: number;
  /** Topics that the log has. Default: both. */
  readonly topics?: readonly Topic[];
  /** When visits are synced to the disk; links are always synced before their append resolves. */
  readonly visitFsync: 'off' | 'interval' | 'always';
  readonly clock: Clock;
  /** Gives the ids of the log and of the producer. */
  readonly random: Random;
  readonly logger: Logger;
  /** Longest time between a visit and its sync with `interval`. Default 1,000. */
  readonly syncIntervalMs?: number;
  /** Size at which a segment is left for a new one. Default 64 MiB. */
  readonly segmentBytes?: number;
  /** Age of its first record at which a segment of visits is left for a new one. Default: a tenth of `visitRetentionMs`. */
  readonly segmentMaxAgeMs?: number;
  /** Bound on what waits in memory, a partition. Default 16 MiB. */
  readonly maxWaitingBytes?: number;
  /**
   * Visits are dropped, by whole sealed segments, when the newest in a segment is older than this. Default: kept for
   * ever. Looked at when the log is opened and every tenth of it, at least hourly.
   */
  readonly visitRetentionMs?: number;
  /** Visits from this offset of a partition on are kept however old they are: those that are not counted yet. Default: none. */
  readonly keepVisitsFrom?: (partition: number) => number;
  /** Replaces the calls that write to segment files: for tests of failing disks. */
  readonly fileCalls?: Partial<SegmentFileCalls>;
}

export interface SegmentLog {
  readonly log: EventLog;
  readonly journal: VisitJournal;
  /** Positions in shared memory: what `openSegmentReader` in a worker thread needs besides the folder. */
  readonly shared: SharedArrayBuffer;
  /** Drops sealed segments that hold only records before `offset`; the active one stays. Returns the new start offset. */
  dropBefore(topic: Topic, partition: number, offset: number): number;
  /**
   * Moves segments of a partition that were begun more than `maxAgeMs` ago, the active one included, into `setAside`; they are no
   * longer part of the log. Returns the new start offset.
   */
  setAsideOlderThan(topic: Topic, partition: number, maxAgeMs: number, setAside: string): number;
  /** Begins a new segment, so that the records of the active one can be dropped. Says whether it did. */
  leaveActive(topic: Topic, partition: number): boolean;
  /** Size of all segment files, in bytes. */
  diskBytes(): number;
  /** The oldest offset still kept. */
  startOffset(topic: Topic, partition: number): number;
  /** The next offset, everything that was written included. */
  endOffset(topic: Topic, partition: number): number;
  figures(topic: Topic, partition: number): WriterFigures;
}

const hourMs = 3_600_000;

/**
 * Opens or creates a log. Throws {@link LogDamaged} when its bytes are not what was written, and an Error for another
 * number of partitions. An unfinished tail is cut off, with a warning.
 */
export async function openSegmentLog(options: SegmentLogOptions): Promise<SegmentLog> {
  const calls: SegmentFileCalls = { ...nodeFileCalls, ...options.fileCalls };
  const { folder, partitions, random, visitRetentionMs, topics = allTopics } = options;
  const logId = await openLogId(folder, topics, partitions, random);
  const shared = createSharedPositions(partitions);
  const producerId = random.id();
  const turn = new WriteTurn();
  const disk: DiskUse = { bytes: 0 };
  // Retention drops whole segments, so a slow log must not stay in its first one for ever.
  const visitsMaxAgeMs = options.segmentMaxAgeMs ?? (visitRetentionMs === undefined ? Infinity : visitRetentionMs / 10);
  const writers = new Map<Topic, PartitionWriter[]>();
  const open = (topic: Topic, partition: number): PartitionWriter => {
    const place = { folder: partitionFolder(folder, topic, partition), topic, partition, logId };
    return new PartitionWriter(
      {
        place,
        producerId: uuidBytes(producerId),
        fsync: topic === 'links' ? 'always' : options.visitFsync,
        syncIntervalMs: options.syncIntervalMs ?? 1000,
        segmentBytes: options.segmentBytes ?? 64 * 1024 * 1024,
        segmentMaxAgeMs: topic === 'visits' ? visitsMaxAgeMs : Infinity,
        maxWaitingBytes: options.maxWaitingBytes ?? 16 * 1024 * 1024,
        slot: positionSlot(shared, topic, partition),
        turn,
        disk,
        calls,
        clock: options.clock,
        logger: options.logger,
      },
      recoverPartition(place, calls, options.logger),
    );
  };
  const everyWriter = (): PartitionWriter[] => [...writers.values()].flat();
  try {
    for (const topic of topics) {
      const ofTopic: PartitionWriter[] = [];
      writers.set(topic, ofTopic);
      for (let partition = 0; partition < partitions; partition++) ofTopic.push(open(topic, partition));
    }
  } catch (error) {
    await Promise.all(everyWriter().map((writer) => writer.close()));
    throw error;
  }

  const writer = (topic: Topic, partition: number): PartitionWriter => {
    const found = writers.get(topic)?.[partition];
    if (found === undefined) throw new RangeError(`${topic} has no partition ${partition}`);
    return found;
  };
  const retention = keepRetention(writers.get('visits') ?? [], visitRetentionMs, options.keepVisitsFrom);

  const log: EventLog = {
    logId,
    partitions: () => partitions,
    partitionOf: (key) => partitionOf(key, partitions),
    append: async (topic, partition, records) => appendAll(writer(topic, partition), records),
    reader: async (topic, partition): Promise<LogReader> => openSegmentReader({ folder, topic, partition, shared }),
    endOffset: async (topic, partition) => writer(topic, partition).nextOffset,
    close: async () => {
      clearInterval(retention);
      await Promise.all(everyWriter().map((each) => each.close()));
    },
  };
  return {
    log,
    journal: journalOf(producerId, writers.get('visits') ?? []),
    shared,
    dropBefore: (topic, partition, offset) => writer(topic, partition).dropBefore(offset),
    setAsideOlderThan: (topic, partition, maxAgeMs, setAside) =>
      writer(topic, partition).setAsideOlderThan(maxAgeMs, setAside),
    leaveActive: (topic, partition) => writer(topic, partition).leaveActive(),
    diskBytes: () => disk.bytes,
    startOffset: (topic, partition) => writer(topic, partition).startOffset,
    endOffset: (topic, partition) => writer(topic, partition).nextOffset,
    figures: (topic, partition) => writer(topic, partition).figures(),
  };
}

function appendAll(writer: PartitionWriter, records: readonly RecordToAppend[]): Promise<number> {
  return new Promise((resolve, reject) => {
    writer.appendAll(records, (error, sequence) => {
      if (error === null) resolve(writer.offsetOf(sequence));
      else reject(error);
    });
  });
}

function journalOf(producerId: string, writers: readonly PartitionWriter[]): VisitJournal {
  const [only] = writers;
  return {
    producerId,
    append(code: string, value: Uint8Array, done: JournalCallback): void {
      const writer = writers.length === 1 ? only : writers[partitionOf(code, writers.length)];
      writer?.append(code, value, done);
    },
    depth() {
      const figures = writers.map((writer) => writer.figures());
      return {
        visits: figures.reduce((sum, each) => sum + each.waitingRecords, 0),
        bytes: figures.reduce((sum, each) => sum + each.waitingBytes, 0),
      };
    },
    async flush(): Promise<void> {
      await Promise.all(writers.map((writer) => writer.flush()));
    },
  };
}

function keepRetention(
  writers: readonly PartitionWriter[],
  maxAgeMs: number | undefined,
  keepFrom: (partition: number) => number = () => Number.POSITIVE_INFINITY,
): NodeJS.Timeout | undefined {
  if (maxAgeMs === undefined) return undefined;
  const drop = (): void => {
    for (const [partition, writer] of writers.entries()) writer.dropOlderThan(maxAgeMs, keepFrom(partition));
  };
  drop();
  return setInterval(drop, Math.min(maxAgeMs / 10, hourMs)).unref();
}

/** The id of the log in `folder`. A new log gets its folders and first segments before its id, which makes it one. */
async function openLogId(
  folder: string,
  topics: readonly Topic[],
  partitions: number,
  random: Random,
): Promise<string> {
  const idFile = join(folder, 'log.id');
  if (existsSync(idFile)) {
    const logId = readFileSync(idFile, 'utf8').trim();
    if (!/^[0-9a-f-]{36}$/.test(logId)) throw new LogDamaged(idFile, 0, 'this is not the id of a log');
    for (const topic of topics) checkPartitions(join(folder, topic), partitions);
    return logId;
  }
  const logId = random.id();
  const places = topics.flatMap((topic) =>
    Array.from({ length: partitions }, (_, partition) => ({
      topic,
      partition,
      place: partitionFolder(folder, topic, partition),
    })),
  );
  for (const { place } of places) {
    mkdirSync(place, { recursive: true });
    refuseRecords(place, idFile);
  }
  for (const { topic, partition, place } of places) createFirstSegment(place, topic, partition, logId);
  const unfinished = `${idFile}.new`;
  writeSynced(unfinished, Buffer.from(`${logId}\n`));
  renameSync(unfinished, idFile);
  const changed = places.flatMap(({ topic, place }) => [place, join(folder, topic)]);
  for (const each of new Set([...changed, folder, dirname(folder)])) await promisify(nodeFileCalls.syncFolder)(each);
  return logId;
}

function checkPartitions(topicFolder: string, partitions: number): void {
  const found = existsSync(topicFolder) ? readdirSync(topicFolder).filter((name) => /^\d+$/.test(name)) : [];
  const expected = Array.from({ length: partitions }, (_, partition) => String(partition));
  if (found.length === partitions && expected.every((name) => found.includes(name))) return;
  throw new Error(
    `${topicFolder} has the partitions [${found.sort().join(', ')}], but ${partitions} were asked for: ` +
      'a log keeps the number of partitions that it was made with',
  );
}

/** Removes what a creation that was cut off left in a partition. */
function createFirstSegment(place: string, topic: Topic, partition: number, logId: string): void {
  for (const baseOffset of listSegments(place).baseOffsets) unlinkSync(segmentFile(place, baseOffset));
  const header = encodeSegmentHeader({ topic, partition, baseOffset: 0, previousBaseOffset: 0, logId });
  writeSynced(segmentFile(place, 0), header);
}

/** A segment with records but without an id of its log is damage, not a creation that was cut off. */
function refuseRecords(place: string, idFile: string): void {
  for (const baseOffset of listSegments(place).baseOffsets) {
    const file = segmentFile(place, baseOffset);
    if (statSync(file).size > segmentHeaderBytes) {
      throw new LogDamaged(idFile, 0, `the id of the log is missing, and there are records in ${file}`);
    }
  }
}

function writeSynced(file: string, bytes: Buffer): void {
  const fd = openSync(file, 'w');
  try {
    writeWhole(nodeFileCalls, fd, bytes, bytes.length, 0);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
