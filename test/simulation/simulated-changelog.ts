/**
 * One partition of the changelog as a cluster behind a bad network keeps it: appends are lost, repeated, answered to nobody, or come
 * long after they were given up; old records are compacted away at any moment that the topic's settings allow.
 */
import {
  type Changelog,
  type ChangelogEntry,
  type ChangelogReader,
  type ChangelogRecord,
  ChangelogUnavailable,
} from '../../src/ports/changelog.ts';
import { OffsetOutOfRange } from '../../src/ports/event-log.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimulatedProcess } from './simulated-process.ts';

export interface ChangelogFaults {
  /** Probabilities, each of one append. */
  readonly answerLost: number;
  readonly refused: number;
  readonly late: number;
  readonly twice: number;
  /** Of one read: a record that the connection has changed. */
  readonly brokenRead: number;
}

export interface CompactionSettings {
  /** `min.compaction.lag.ms`. */
  readonly lagMs: number;
  /** `delete.retention.ms`. */
  readonly tombstoneMs: number;
}

export interface KeptRecord extends ChangelogRecord {
  readonly appendedAtMs: number;
  /** Sent before something that stands before it. */
  readonly isLate: boolean;
}

export class SimulatedChangelog {
  records: KeptRecord[] = [];
  isDown = false;
  faults: ChangelogFaults;
  /** Records taken away by compaction. */
  compacted = 0;
  private nextOffset = 0;
  private latest: readonly [epoch: number, send: number] = [-1, -1];
  private readonly scheduler: Scheduler;
  private readonly waiting = new Set<() => void>();
  private readonly onAppend: (record: ChangelogRecord) => void;

  constructor(scheduler: Scheduler, faults: ChangelogFaults, onAppend: (record: ChangelogRecord) => void) {
    this.scheduler = scheduler;
    this.faults = faults;
    this.onAppend = onAppend;
  }

  get endOffset(): number {
    return this.nextOffset;
  }

  /** Cleans the log up to a random place that the settings allow. The last record stays, as an active segment does. */
  compact({ lagMs, tombstoneMs }: CompactionSettings, everything = false): void {
    const { records, scheduler } = this;
    const { nowMs } = scheduler;
    const firstYoung = records.findIndex(({ appendedAtMs }) => nowMs - appendedAtMs < lagMs);
    const cleanable = Math.min(firstYoung < 0 ? records.length : firstYoung, records.length - 1);
    if (cleanable <= 0) return;
    const cleaned = everything ? cleanable : scheduler.between(1, cleanable);
    const newest = new Map<string, number>();
    for (const { kind, key, offset } of records.slice(0, cleaned)) newest.set(kind + key, offset);
    this.records = records.filter((record, index) => {
      if (index >= cleaned) return true;
      if (newest.get(record.kind + record.key) !== record.offset) return false;
      return record.value !== null || nowMs - record.appendedAtMs < tombstoneMs;
    });
    this.compacted += records.length - this.records.length;
  }

  /** The port as one process has it. */
  portIn(process: SimulatedProcess): Changelog {
    return {
      append: (_partition, entries, epoch, send) => this.appendFrom(process, entries, epoch, send),
      reader: () =>
        process.call(20, () => {
          this.assertUp();
          return this.readerIn(process);
        }),
      endOffset: () =>
        process.call(20, () => {
          this.assertUp();
          return this.nextOffset;
        }),
      close: () => Promise.resolve(),
    };
  }

  private appendFrom(
    process: SimulatedProcess,
    entries: readonly ChangelogEntry[],
    epoch: number,
    send: number,
  ): Promise<number> {
    const { scheduler, faults } = this;
    const roll = scheduler.random.next();
    const { answerLost, refused, late, twice } = faults;
    const put = (): number => this.put(entries, epoch, send);
    const fail = (): never => {
      throw new ChangelogUnavailable('no answer');
    };
    if (roll < answerLost) {
      return process.call(30, () => {
        this.assertUp();
        put();
        return fail();
      });
    }
    if (roll < answerLost + refused) return process.call(30, fail);
    if (roll < answerLost + refused + late) {
      if (!process.isDead) scheduler.after(scheduler.random.next() * 5_000, () => this.isDown || put());
      return process.call(30, fail);
    }
    if (roll < answerLost + refused + late + twice) {
      return process.call(30, () => {
        this.assertUp();
        scheduler.after(scheduler.random.next() * 4_000, put);
        return put();
      });
    }
    return process.call(30, () => {
      this.assertUp();
      return put();
    });
  }

  private put(entries: readonly ChangelogEntry[], epoch: number, send: number): number {
    const baseOffset = this.nextOffset;
    const [latestEpoch, latestSend] = this.latest;
    const sent: readonly [number, number] = epoch < 0 ? [baseOffset, -1] : [epoch, send];
    const isLate = sent[0] < latestEpoch || (sent[0] === latestEpoch && sent[1] < latestSend);
    if (!isLate) this.latest = sent;
    for (const entry of entries) {
      const appendedAtMs = this.scheduler.nowMs;
      const record = { ...entry, offset: this.nextOffset++, epoch, send, appendedAtMs, isLate };
      this.records.push(record);
      this.onAppend(record);
    }
    for (const wake of [...this.waiting]) wake();
    return baseOffset;
  }

  private readerIn(process: SimulatedProcess): ChangelogReader {
    return {
      read: (nextOffset) => process.call(10, () => this.read(nextOffset)),
      waitFor: (nextOffset, timeoutMs) => {
        if (this.nextOffset > nextOffset) return process.call(2, () => undefined);
        return new Promise((resolve) => {
          const wake = (): void => {
            this.waiting.delete(wake);
            cancel();
            process.hear(1, resolve);
          };
          const cancel = process.hear(timeoutMs, () => {
            this.waiting.delete(wake);
            resolve();
          });
          this.waiting.add(wake);
        });
      },
      endOffset: () => this.nextOffset,
      startOffset: () => 0,
      close: () => Promise.resolve(),
    };
  }

  private read(nextOffset: number): { records: readonly ChangelogRecord[]; nextOffset: number } {
    this.assertUp();
    if (nextOffset > this.nextOffset) throw new OffsetOutOfRange(nextOffset, 0, this.nextOffset);
    const from = this.records.findIndex(({ offset }) => offset >= nextOffset);
    if (from < 0) return { records: [], nextOffset: this.nextOffset };
    const some: ChangelogRecord[] = this.records.slice(from, from + this.scheduler.between(1, 15));
    const last = some[some.length - 1] as ChangelogRecord;
    if (this.scheduler.chance(this.faults.brokenRead)) {
      const broken = this.scheduler.random.below(some.length);
      some[broken] = { ...(some[broken] as ChangelogRecord), invalid: 'checksum' };
    }
    return { records: some, nextOffset: last.offset + 1 };
  }

  private assertUp(): void {
    if (this.isDown) throw new ChangelogUnavailable('the changelog is away');
  }
}
