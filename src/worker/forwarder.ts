/**
 * Brings the visits of an instance's journal to the shared log: a loop for each partition, one batch under way in each, the
 * same batch again until the log has it. Order, producer and sequence stay as journaled, so that the fold knows what it has
 * seen. It neither counts visits nor drops them from the journal.
 */
import type { Clock } from '../ports/clock.ts';
import { LogDamaged, type LogRecord, LogUnavailable, OffsetOutOfRange } from '../ports/event-log.ts';
import type { JournalReader } from '../ports/journal-reader.ts';
import type { Logger } from '../ports/logger.ts';
import type { VisitShipper } from '../ports/visit-shipper.ts';
import { gatheringMs, type Pace } from './pacing.ts';

export interface ForwarderOptions {
  /** One for each partition; closed by the forwarder. */
  readonly readers: readonly JournalReader[];
  readonly shipper: VisitShipper;
  /** Where to begin, by partition. */
  readonly fromOffsets: readonly number[];
  readonly clock: Clock;
  /** Keeps how far each partition is forwarded, for the next start. Older ones, or none, only mean that visits are sent again. */
  readonly save: (forwardedOffsets: readonly number[]) => void;
  /** Called with the partitions that have changed since it was called last. */
  readonly onProgress: (statuses: readonly ForwardStatus[]) => void;
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  readonly policy?: Partial<ForwardPolicy>;
}

/** How a partition stands. Numbers are since the forwarder's start. */
export interface ForwardStatus {
  readonly partition: number;
  /** All visits before it are in the shared log. */
  readonly forwardedOffset: number;
  /** When the oldest visit of the batch under way was journaled, ms since the Unix epoch; null when there is no batch. */
  readonly oldestAtMs: number | null;
  readonly shipped: number;
  /** Visits of every attempt after a batch's first one. */
  readonly resent: number;
  /** Why the last attempt failed; null once one has succeeded. */
  readonly lastError: string | null;
  /** Why the partition is not forwarded any more, until a person mends it. */
  readonly halted: string | null;
}

export interface ForwardPolicy {
  /** Read at most about this much at once. */
  readonly readBytes: number;
  readonly batchVisitsMax: number;
  /** Bound of the values of a batch; a batch has one visit at the least. */
  readonly batchBytesMax: number;
  /**
   * Shortest time between the starts of two batches of a partition, unless half a batch waits: a send costs far more than a
   * visit in it, here and at the broker. A visit that comes after a pause of that length is not held back. Default: 2 ms for each
   * partition, which lets an instance send 500 small batches a second.
   */
  readonly batchIntervalMs: number;
  /** What that time grows to when visits come fast. */
  readonly busyIntervalMs: number;
  readonly retryDelayMs: { readonly first: number; readonly max: number };
  /** Longest wait for new visits: also how late a stop is noticed. */
  readonly waitMs: number;
  readonly progressIntervalMs: number;
  readonly saveIntervalMs: number;
}

/** The bounds are those of `VisitShipper`. */
export const defaultForwardPolicy: Omit<ForwardPolicy, 'batchIntervalMs'> = {
  readBytes: 512 * 1024,
  batchVisitsMax: 2_000,
  batchBytesMax: 700_000,
  busyIntervalMs: 500,
  retryDelayMs: { first: 50, max: 2_000 },
  waitMs: 250,
  progressIntervalMs: 20,
  saveIntervalMs: 250,
};

const shortestRestMs = 10;

export class Forwarder {
  private readonly options: ForwarderOptions;
  private readonly policy: ForwardPolicy;
  private readonly partitions: readonly PartitionForwarder[];
  private savedOffsets: readonly number[];
  private isSaveFailing = false;
  private failing = 0;
  private telling: NodeJS.Timeout | null = null;
  private saving: NodeJS.Timeout | null = null;

  constructor(options: ForwarderOptions) {
    this.options = options;
    const batchIntervalMs = 2 * options.readers.length;
    this.policy = { ...defaultForwardPolicy, batchIntervalMs, ...options.policy };
    this.savedOffsets = options.fromOffsets;
    this.partitions = options.readers.map((_, partition) => {
      return new PartitionForwarder(options, this.policy, partition, {
        changed: () => this.noteChange(),
        failing: (isFailing, error) => this.noteFailing(isFailing, error),
      });
    });
  }

  /** Resolves when {@link stop} was called, what is under way has ended, well or not, and the readers are closed. */
  async run(): Promise<void> {
    this.noteChange();
    await Promise.all(this.partitions.map((partition) => partition.run()));
    this.tell();
    this.save();
    await Promise.all(this.options.readers.map((reader) => reader.close()));
  }

  stop(): void {
    for (const partition of this.partitions) partition.stop();
  }

  private noteChange(): void {
    this.telling ??= setTimeout(() => this.tell(), this.policy.progressIntervalMs);
    this.saving ??= setTimeout(() => this.save(), this.policy.saveIntervalMs);
  }

  private tell(): void {
    if (this.telling !== null) clearTimeout(this.telling);
    this.telling = null;
    const changed = this.partitions.filter((partition) => partition.takeChanged());
    if (changed.length > 0) this.options.onProgress(changed.map((partition) => partition.status()));
  }

  private save(): void {
    if (this.saving !== null) clearTimeout(this.saving);
    this.saving = null;
    const offsets = this.partitions.map((partition) => partition.forwardedOffset);
    if (offsets.every((offset, partition) => offset === this.savedOffsets[partition])) return;
    try {
      this.options.save(offsets);
      this.savedOffsets = offsets;
      this.isSaveFailing = false;
    } catch (error) {
      if (this.isSaveFailing) return;
      this.isSaveFailing = true;
      const message = 'how far visits are forwarded cannot be kept: after a crash now, some are sent again';
      this.options.logger.warn({ err: error }, message);
    }
  }

  /** While the log is away, every partition fails again and again: it is told once, and once that it is over. */
  private noteFailing(isFailing: boolean, error: unknown): void {
    this.failing += isFailing ? 1 : -1;
    if (isFailing && this.failing === 1) {
      const level = error instanceof LogUnavailable ? 'warn' : 'error';
      this.options.logger[level]({ err: error }, 'visits cannot be forwarded now: they are journaled and sent later');
    }
    if (!isFailing && this.failing === 0) this.options.logger.info({}, 'visits are forwarded again');
  }
}

/** What a partition tells the forwarder. */
interface PartitionEvents {
  readonly changed: () => void;
  readonly failing: (isFailing: boolean, error: unknown) => void;
}

class PartitionForwarder {
  /** All before it are in the shared log. */
  forwardedOffset: number;
  private readonly reader: JournalReader;
  private readonly shipper: VisitShipper;
  private readonly options: ForwarderOptions;
  private readonly policy: ForwardPolicy;
  private readonly pace: Pace;
  private readonly partition: number;
  private readonly events: PartitionEvents;
  /** Read and not yet in the shared log; their values are only good until the next read. */
  private pending: readonly LogRecord[] = [];
  /** The first of `pending` up to this are the batch under way; 0 when none was begun. */
  private batchEnd = 0;
  private batchStartedAtMs = Number.NEGATIVE_INFINITY;
  private retryDelayMs: number;
  private shipped = 0;
  private resent = 0;
  private failure: unknown = null;
  private halted: string | null = null;
  private hasChanged = true;
  private stopping = false;
  private wake = (): void => undefined;

  constructor(options: ForwarderOptions, policy: ForwardPolicy, partition: number, events: PartitionEvents) {
    this.options = options;
    this.policy = policy;
    const { batchIntervalMs: shortestMs, busyIntervalMs } = policy;
    this.pace = { shortestMs, longestMs: Math.max(shortestMs, busyIntervalMs), loops: options.readers.length };
    this.partition = partition;
    this.events = events;
    this.reader = options.readers[partition] as JournalReader;
    this.shipper = options.shipper;
    this.forwardedOffset = options.fromOffsets[partition] ?? 0;
    this.retryDelayMs = policy.retryDelayMs.first;
  }

  async run(): Promise<void> {
    while (!this.stopping && this.halted === null) {
      try {
        await this.step();
      } catch (error) {
        const isSetAside = error instanceof OffsetOutOfRange && error.startOffset > this.forwardedOffset;
        if (error instanceof LogDamaged || (error instanceof OffsetOutOfRange && !isSetAside)) this.halt(error);
        else if (!isSetAside) await this.retryLater(error);
      }
    }
    if (!this.stopping) await this.stopped();
  }

  stop(): void {
    this.stopping = true;
    this.wake();
  }

  takeChanged(): boolean {
    const { hasChanged } = this;
    this.hasChanged = false;
    return hasChanged;
  }

  status(): ForwardStatus {
    return {
      partition: this.partition,
      forwardedOffset: this.forwardedOffset,
      oldestAtMs: this.pending.length === 0 ? null : this.reader.readAppendedAtMs(),
      shipped: this.shipped,
      resent: this.resent,
      lastError: this.failure === null ? null : (this.failure as Error).message,
      halted: this.halted,
    };
  }

  private noteChange(): void {
    this.hasChanged = true;
    this.events.changed();
  }

  /** One batch, or one wait for visits. */
  private async step(): Promise<void> {
    this.passOverSetAside();
    if (this.pending.length === 0) {
      await this.restBetweenBatches();
      if (this.stopping) return;
      this.pending = await this.reader.read(this.forwardedOffset, this.policy.readBytes);
      if (this.pending.length === 0) {
        await this.reader.waitFor(this.forwardedOffset, this.policy.waitMs);
        return;
      }
    }
    await this.shipBatch();
  }

  /** What became too old to be sent has left the journal; it was told when it went. */
  private passOverSetAside(): void {
    const startOffset = this.reader.startOffset();
    if (startOffset <= this.forwardedOffset) return;
    this.pending = [];
    this.batchEnd = 0;
    this.forwardedOffset = startOffset;
    this.noteChange();
  }

  /** While much waits there is no rest, and only messages and finished I/O are let in. */
  private async restBetweenBatches(): Promise<void> {
    const { batchIntervalMs, batchVisitsMax } = this.policy;
    let sinceMs = this.options.clock.monotonicMs() - this.batchStartedAtMs;
    for (let hasRested = false; !this.stopping; hasRested = true) {
      const waiting = this.reader.endOffset() - this.forwardedOffset;
      if (waiting >= batchVisitsMax / 2) {
        if (!hasRested) await nextTurn();
        return;
      }
      const leftMs = gatheringMs(waiting, this.pace) - sinceMs;
      if (leftMs <= 0) return;
      // In steps: what comes meanwhile may be half a batch, or come so fast that the rest is longer.
      const restMs = Math.min(leftMs, Math.max(batchIntervalMs, shortestRestMs));
      await this.rest(restMs);
      sinceMs += restMs;
    }
  }

  private async shipBatch(): Promise<void> {
    const isFirstAttempt = this.batchEnd === 0;
    if (isFirstAttempt) this.beginBatch();
    else this.resent += this.batchEnd;
    this.noteChange();
    const { batchEnd } = this;
    const batch = batchEnd === this.pending.length ? this.pending : this.pending.slice(0, batchEnd);
    await this.shipper.ship(this.partition, batch);
    this.pending = this.pending.slice(batchEnd);
    this.batchEnd = 0;
    this.shipped += batchEnd;
    this.forwardedOffset += batchEnd;
    this.endFailing();
    this.noteChange();
  }

  private beginBatch(): void {
    const { batchVisitsMax, batchBytesMax } = this.policy;
    let bytes = 0;
    let end = 0;
    for (const { value } of this.pending) {
      bytes += value.length;
      if (end === batchVisitsMax || (end > 0 && bytes > batchBytesMax)) break;
      end += 1;
    }
    this.batchEnd = end;
    this.batchStartedAtMs = this.options.clock.monotonicMs();
  }

  private async retryLater(error: unknown): Promise<void> {
    if (this.failure === null) this.events.failing(true, error);
    this.failure = error;
    this.noteChange();
    if (this.stopping) return;
    await this.rest(this.retryDelayMs);
    this.retryDelayMs = Math.min(2 * this.retryDelayMs, this.policy.retryDelayMs.max);
  }

  private endFailing(): void {
    if (this.failure === null) return;
    this.failure = null;
    this.retryDelayMs = this.policy.retryDelayMs.first;
    this.events.failing(false, null);
  }

  private halt(error: LogDamaged | OffsetOutOfRange): void {
    const remedy =
      'Restore that file from a backup, or stop and move the journal away: its visits that were not sent are then not counted.';
    this.halted = `${error.message}. ${remedy}`;
    this.endFailing();
    this.noteChange();
    const message = 'visits of a partition are not forwarded any more, new ones are still journaled';
    this.options.logger.error({ err: error, partition: this.partition, remedy }, message);
  }

  private stopped(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }

  private rest(durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, durationMs);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
