/**
 * The journal of an instance whose log is elsewhere: segment files of visits, a partition for each of the topic's. It takes
 * visits until its bound on the disk, and gives the disk back as it is told what has been forwarded. It sends nothing itself.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../ports/clock.ts';
import { LogUnavailable } from '../../ports/event-log.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Random } from '../../ports/random.ts';
import type { JournalCallback, VisitJournal } from '../../ports/visit-journal.ts';
import { ForwardedPositions } from './forwarded-positions.ts';
import { openSegmentLog } from './open-segment-log.ts';
import type { SegmentFileCalls } from './segment-files.ts';

export interface VisitJournalOptions {
  /** Made when it is not there. The caller holds the process lock. */
  readonly folder: string;
  /**
   * Id of the log that its visits belong to. A journal with visits for another one is refused: in this log they would be counted
   * though nobody visited its links.
   */
  readonly logId: string;
  /** As many as the topic of visits has. A journal keeps the number it was made with. */
  readonly partitions: number;
  readonly visitFsync: 'off' | 'interval' | 'always';
  /** When its files have this size, visits are refused, until a tenth of it is free again. */
  readonly maxBytes: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /**
   * Visits that are older are set aside and not forwarded: who folds them remembers their producer only a little longer, and could
   * then count twice what was sent before. Default 30 days, the retention of the topic.
   */
  readonly maxAgeMs?: number;
  /** Replaces the calls that write to segment files: for tests of failing disks. */
  readonly fileCalls?: Partial<SegmentFileCalls>;
}

export interface OpenVisitJournal {
  readonly journal: VisitJournal;
  /** Made when the journal was created; for `ForwardedPositions`. */
  readonly journalId: string;
  /** What `openSegmentReader` needs besides the folder. */
  readonly shared: SharedArrayBuffer;
  /** Where forwarding begins, by partition: what lies before was forwarded by an earlier process. */
  readonly forwardFrom: readonly number[];
  /** All visits of the partition before `offset` are in the shared log: their disk space may go. */
  forwarded(partition: number, offset: number): void;
  /** The offset of the partition's next visit. */
  endOffset(partition: number): number;
  figures(): VisitJournalFigures;
  close(): Promise<void>;
}

export interface VisitJournalFigures {
  /** By partition: about how many bytes of the disk each visit takes. */
  readonly bytesPerVisit: readonly number[];
  /** Size of the files, forwarded visits that still lie in them included. */
  readonly diskBytes: number;
  readonly isFull: boolean;
  /** Visits set aside since the start because they were too old. */
  readonly setAsideVisits: number;
  readonly writeErrors: number;
  /** How long the last sync took, of the partition where it took longest. */
  readonly lastSyncMs: number;
}

const dayMs = 24 * 60 * 60_000;
const lookForOldMs = 60 * 60_000;
/** A journal that is kept forwarded has about two segments a partition: together they must stay well below its bound. */
const segmentBytesMax = 16 * 1024 * 1024;
const segmentBytesMin = 64 * 1024;
/** An active segment that is wholly forwarded is left for a new one from this share of its size on. */
const leaveAtShare = 1 / 16;
const maxWaitingBytes = 4 * 1024 * 1024;
const takenAgainShare = 0.9;

/**
 * Throws `LogDamaged` when the bytes are not what was written, and an Error for another number of partitions or with visits for
 * another log. An unfinished tail is cut off, with a warning.
 */
export async function openVisitJournal(options: VisitJournalOptions): Promise<OpenVisitJournal> {
  const { folder, partitions, maxBytes, clock, logger, maxAgeMs = 30 * dayMs } = options;
  const segmentBytes = Math.max(segmentBytesMin, Math.min(segmentBytesMax, Math.floor(maxBytes / (4 * partitions))));
  const segments = await openSegmentLog({
    folder,
    partitions,
    topics: ['visits'],
    visitFsync: options.visitFsync,
    segmentBytes,
    segmentMaxAgeMs: maxAgeMs / 30,
    maxWaitingBytes,
    clock,
    random: options.random,
    logger,
    ...(options.fileCalls === undefined ? {} : { fileCalls: options.fileCalls }),
  });
  const all = Array.from({ length: partitions }, (_, partition) => partition);
  const endOffset = (partition: number): number => segments.endOffset('visits', partition);

  const positions = new ForwardedPositions(folder, segments.log.logId);
  const kept = positions.read(partitions);
  let isCorrected = false;
  const forwardedOffsets = all.map((partition) => {
    const start = segments.startOffset('visits', partition);
    const offset = kept?.[partition] ?? start;
    if (offset <= endOffset(partition)) return Math.max(start, offset);
    // A power cut took the end of the journal, whose visits had been forwarded already.
    logger.warn({ partition, offset, endOffset: endOffset(partition) }, 'the journal ends before what was forwarded');
    isCorrected = true;
    return start;
  });
  let setAsideVisits = 0;
  setAsideOld();
  const forwardFrom = [...forwardedOffsets];
  try {
    const visits = all.reduce((sum, partition) => sum + endOffset(partition) - (forwardFrom[partition] ?? 0), 0);
    belongTo(options.logId, folder, visits);
    // Before any visit comes: a position beyond the end would pass over those that are yet to be written.
    if (isCorrected) positions.write(forwardFrom, true);
  } catch (error) {
    await segments.log.close();
    throw error;
  }
  const lookingForOld = setInterval(setAsideOld, lookForOldMs).unref();

  function setAsideOld(): void {
    for (const partition of all) {
      const from = forwardedOffsets[partition] ?? 0;
      segments.dropBefore('visits', partition, from);
      if (from === endOffset(partition)) continue;
      const aside = join(folder, 'set-aside', String(partition));
      const start = segments.setAsideOlderThan('visits', partition, maxAgeMs, aside);
      if (start <= from) continue;
      setAsideVisits += start - from;
      forwardedOffsets[partition] = start;
      logger.error(
        { partition, visits: start - from, folder: aside },
        'visits of the journal are older than the log keeps visits: they were set aside and are not counted',
      );
    }
  }

  let full = false;
  function isFull(): boolean {
    const bytes = segments.diskBytes();
    const isNow = bytes >= (full ? takenAgainShare * maxBytes : maxBytes);
    if (isNow === full) return full;
    full = isNow;
    if (full) logger.error({ bytes, maxBytes }, 'the journal is full: visits are refused until some are forwarded');
    else logger.info({ bytes, maxBytes }, 'the journal takes visits again');
    return full;
  }

  const refusal = new LogUnavailable(`the journal is full with ${maxBytes} bytes`);
  const journal: VisitJournal = {
    ...segments.journal,
    append(code: string, value: Uint8Array, done: JournalCallback): void {
      if (isFull()) done(refusal, -1);
      else segments.journal.append(code, value, done);
    },
  };

  return {
    journal,
    journalId: segments.log.logId,
    shared: segments.shared,
    forwardFrom,
    forwarded(partition, offset) {
      forwardedOffsets[partition] = Math.max(forwardedOffsets[partition] ?? 0, offset);
      segments.dropBefore('visits', partition, offset);
      if (offset < endOffset(partition)) return;
      const { activeBytes } = segments.figures('visits', partition);
      if (activeBytes < segmentBytes * leaveAtShare) return;
      if (segments.leaveActive('visits', partition)) segments.dropBefore('visits', partition, offset);
    },
    endOffset,
    figures() {
      const each = all.map((partition) => segments.figures('visits', partition));
      return {
        bytesPerVisit: each.map(
          ({ diskBytes }, partition) =>
            diskBytes / Math.max(1, endOffset(partition) - segments.startOffset('visits', partition)),
        ),
        diskBytes: segments.diskBytes(),
        isFull: isFull(),
        setAsideVisits,
        writeErrors: each.reduce((sum, { writeErrors }) => sum + writeErrors, 0),
        lastSyncMs: Math.max(...each.map(({ lastSyncMs }) => lastSyncMs)),
      };
    },
    async close() {
      clearInterval(lookingForOld);
      await segments.log.close();
    },
  };
}

/** Keeps which log the visits are for, and refuses visits that are for another one. */
function belongTo(logId: string, folder: string, visits: number): void {
  const file = join(folder, 'visits-for.id');
  const kept = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  if (kept === logId) return;
  if (kept !== '' && visits > 0) {
    throw new Error(
      `${folder} holds ${visits} visits for the log ${kept}, but the log is ${logId}: start once with the settings of that log to ` +
        'have them counted there, or move the folder away',
    );
  }
  writeFileSync(`${file}.new`, `${logId}\n`, { flush: true });
  renameSync(`${file}.new`, file);
}
