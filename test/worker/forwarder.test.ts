/** What reaches the shared log of what was journaled, whatever happens on the way. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMemoryStateStore } from '../../src/adapters/memory/memory-state-store.ts';
import { type OpenVisitJournal, openVisitJournal } from '../../src/adapters/segments/open-visit-journal.ts';
import { openSegmentReader } from '../../src/adapters/segments/segment-reader.ts';
import { systemClock } from '../../src/adapters/system/system-clock.ts';
import { systemRandom } from '../../src/adapters/system/system-random.ts';
import { LogDamaged, type LogRecord } from '../../src/ports/event-log.ts';
import type { JournalReader } from '../../src/ports/journal-reader.ts';
import { partitionOf } from '../../src/ports/partitioner.ts';
import { totalsOfRow, totalsRowCodec } from '../../src/projections/totals-row.ts';
import { totalsKey, visitStatistics } from '../../src/projections/visit-statistics.ts';
import {
  Forwarder,
  type ForwarderOptions,
  type ForwardPolicy,
  type ForwardStatus,
} from '../../src/worker/forwarder.ts';
import { payloadOf } from '../../src/worker/versioned-rows.ts';
import { put } from '../contracts/visit-journal.ts';
import { type ArrivedVisit, MemoryShipper, randomFaults } from '../support/memory-shipper.ts';
import { createQuietLogger, type QuietLogger } from '../support/quiet-logger.ts';
import { chosenSeed, createSeededRandom } from '../support/seeded-random.ts';
import { openTask } from '../support/topology-driver.ts';
import { until } from '../support/until.ts';
import { aVisit, visitText } from '../support/visits.ts';

const policy: Partial<ForwardPolicy> = {
  batchIntervalMs: 0,
  retryDelayMs: { first: 1, max: 2 },
  waitMs: 5,
  progressIntervalMs: 1,
  saveIntervalMs: 1,
};

interface RunningForwarder {
  readonly forwarder: Forwarder;
  readonly statuses: ForwardStatus[];
  readonly lines: QuietLogger['lines'];
  readonly saved: (readonly number[])[];
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

describe('the forwarder', () => {
  let folder: string;
  let journal: OpenVisitJournal;
  let running: RunningForwarder[];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tallyhop-forwarder-'));
    running = [];
  });
  afterEach(async () => {
    await Promise.all(running.map((each) => each.stop()));
    await journal.close();
    rmSync(folder, { recursive: true });
  });

  async function openJournal(partitions: number, maxBytes = 1e9): Promise<OpenVisitJournal> {
    journal = await openVisitJournal({
      folder,
      partitions,
      logId: 'the-log',
      visitFsync: 'off',
      maxBytes,
      clock: systemClock,
      random: systemRandom,
      logger: createQuietLogger(),
    });
    return journal;
  }

  function readersOf({ forwardFrom, shared }: OpenVisitJournal): JournalReader[] {
    return forwardFrom.map((_, partition) => openSegmentReader({ folder, topic: 'visits', partition, shared }));
  }

  /** Starts a forwarder over the journal that is open, which it lets drop what is forwarded. */
  function start(shipper: MemoryShipper, changes: Partial<ForwarderOptions> = {}): RunningForwarder {
    const statuses: ForwardStatus[] = [];
    const logger = createQuietLogger();
    const saved: (readonly number[])[] = [];
    const of = journal;
    const forwarder = new Forwarder({
      readers: readersOf(of),
      shipper,
      fromOffsets: of.forwardFrom,
      clock: systemClock,
      save: (offsets) => saved.push(offsets),
      onProgress(changed) {
        for (const status of changed) {
          statuses[status.partition] = status;
          of.forwarded(status.partition, status.forwardedOffset);
        }
      },
      logger,
      policy,
      ...changes,
    });
    const ended = forwarder.run();
    const started: RunningForwarder = {
      forwarder,
      statuses,
      lines: logger.lines,
      saved,
      ended,
      stop() {
        forwarder.stop();
        return ended;
      },
    };
    running.push(started);
    return started;
  }

  const isForwarded = ({ statuses }: RunningForwarder): boolean =>
    journal.forwardFrom.every(
      (_, partition) => (statuses[partition]?.forwardedOffset ?? -1) === journal.endOffset(partition),
    );

  /** Waits in real time: retries and waits for visits are timers. */
  async function untilForwarded(started: RunningForwarder): Promise<void> {
    while (!isForwarded(started)) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  const identity = ({ producerId, sequence, key, value }: ArrivedVisit): string =>
    `${producerId} ${sequence} ${key} ${value}`;

  /** The first arrivals of each identity, in order: what a fold with watermarks takes as effective. */
  function firstArrivals(visits: readonly ArrivedVisit[] = []): string[] {
    return [...new Set(visits.map(identity))];
  }

  it('brings each visit with its identity, in order, and tells how far it is', async () => {
    await openJournal(1);
    const shipper = new MemoryShipper();
    const started = start(shipper);
    const expected: string[] = [];
    for (let i = 0; i < 50; i++) {
      expected.push(`${journal.journal.producerId} ${i} code${i % 3} ["${i}"]`);
      await put(journal.journal, `code${i % 3}`, `["${i}"]`);
    }
    await untilForwarded(started);
    expect(shipper.arrived[0]?.map(identity)).toEqual(expected);
    expect(started.statuses[0]).toEqual({
      partition: 0,
      forwardedOffset: 50,
      oldestAtMs: null,
      shipped: 50,
      resent: 0,
      lastError: null,
      halted: null,
    });
    await started.stop();
    expect(started.saved.at(-1)).toEqual([50]);
    expect(shipper.complaints).toEqual([]);
  });

  it('loses nothing, keeps order and identity, and is counted once, over lost answers, doubled and late batches, and restarts', async () => {
    const random = createSeededRandom(chosenSeed());
    const shipper = new MemoryShipper(randomFaults(random));
    const partitions = 4;
    const journaled: string[][] = Array.from({ length: partitions }, () => []);
    const visitsOf = new Map<string, number>();
    for (let round = 0; round < 3; round++) {
      await openJournal(partitions);
      const started = start(shipper);
      let writes: Promise<void>[] = [];
      for (let i = 0; i < 3_000; i++) {
        const code = `code${random.below(40)}`;
        const value = visitText(aVisit({ code, visitor: i, referrer: 'x'.repeat(random.below(60)) }));
        const write = put(journal.journal, code, value).then((sequence) => {
          const identity = `${journal.journal.producerId} ${sequence} ${code} ${value}`;
          journaled[partitionOf(code, partitions)]?.push(identity);
          visitsOf.set(code, (visitsOf.get(code) ?? 0) + 1);
        });
        writes.push(write);
        if (random.below(20) > 0) continue;
        await Promise.all(writes);
        writes = [];
      }
      await Promise.all(writes);
      // The last process may finish; those before stop in the middle, and how far they were is not kept.
      if (round === 2) await untilForwarded(started);
      await started.stop();
      running = [];
      if (round < 2) await journal.close();
    }
    const run = `SEED=${random.seed}`;
    expect({ run, complaints: shipper.complaints }).toEqual({ run, complaints: [] });
    const counted = new Map<string, number>();
    for (const [partition, expected] of journaled.entries()) {
      const arrived = shipper.arrived[partition] ?? [];
      expect({ run, visits: firstArrivals(arrived) }).toEqual({ run, visits: expected });
      const { totals, duplicates } = await fold(arrived);
      for (const [code, visits] of totals) counted.set(code, visits);
      expect({ run, duplicates }).toEqual({ run, duplicates: arrived.length - expected.length });
      expect(duplicates).toBeGreaterThan(0);
    }
    expect({ run, counted: [...counted].sort() }).toEqual({ run, counted: [...visitsOf].sort() });
  });

  /** Folds what arrived in a partition into the statistics, as their worker does. */
  async function fold(arrived: readonly ArrivedVisit[]) {
    const store = createMemoryStateStore();
    const task = await openTask({ topology: visitStatistics, store });
    const records = arrived.map((visit, offset): LogRecord => ({ ...visit, offset, value: Buffer.from(visit.value) }));
    for (let at = 0; at < records.length; at += 500) task.fold(records.slice(at, at + 500));
    const { counts } = task.status();
    await task.commit();
    const totals = new Map<string, number>();
    for (const code of new Set(arrived.map(({ key }) => key))) {
      const row = store.getSync(totalsKey(code)) as Uint8Array;
      totals.set(code, totalsOfRow(totalsRowCodec.decode(payloadOf(row))).total);
    }
    await task.close();
    expect(counts).toMatchObject({ gaps: 0, deadLetters: 0 });
    return { totals, duplicates: counts.duplicates };
  }

  it('sends the same batch again while the log is away, tells it once, and goes on when it is back', async () => {
    await openJournal(3);
    const shipper = new MemoryShipper();
    shipper.isAway = true;
    const started = start(shipper);
    for (let i = 0; i < 300; i++) await put(journal.journal, `code${i}`, `["${i}"]`);
    await until(() => shipper.attempts > 30 && isOldKnown(started), 'the forwarder has tried again and again');
    expect(shipper.count()).toBe(0);
    for (const { lastError, oldestAtMs, resent, forwardedOffset } of started.statuses) {
      expect(lastError).toBe('the log is away');
      expect(oldestAtMs).toBeLessThanOrEqual(Date.now());
      expect(resent).toBeGreaterThan(0);
      expect(forwardedOffset).toBe(0);
    }
    shipper.isAway = false;
    await untilForwarded(started);
    await started.stop();
    expect(shipper.count()).toBe(300);
    expect(started.statuses.map(({ lastError }) => lastError)).toEqual([null, null, null]);
    expect(started.lines).toMatchObject([
      { level: 'warn', message: 'visits cannot be forwarded now: they are journaled and sent later' },
      { level: 'info', message: 'visits are forwarded again' },
    ]);
  });

  const isOldKnown = ({ statuses }: RunningForwarder): boolean =>
    journal.forwardFrom.every((_, partition) => statuses[partition]?.lastError && statuses[partition].resent > 0);

  it('has one batch of bounded size under way in each partition, however much is journaled', async () => {
    await openJournal(2);
    const shipper = new MemoryShipper();
    shipper.hold();
    const started = start(shipper);
    const value = JSON.stringify('x'.repeat(1_000));
    for (let turn = 0; turn < 10; turn++) {
      const visits = Array.from({ length: 1_000 }, (_, i) => put(journal.journal, `code${i}`, value));
      await Promise.all(visits);
    }
    await until(() => shipper.attempts === 2, 'both partitions ship');
    shipper.letGo();
    await untilForwarded(started);
    expect(shipper.complaints).toEqual([]);
    expect(shipper.count()).toBe(10_000);
    // Batches grow while visits wait.
    expect(Math.max(...shipper.batchSizes)).toBeGreaterThan(400);
    const small = Array.from({ length: 9_000 }, (_, i) => put(journal.journal, `code${i}`, '[]'));
    await Promise.all(small);
    await untilForwarded(started);
    expect(Math.max(...shipper.batchSizes)).toBe(2_000);
    expect(shipper.complaints).toEqual([]);
  });

  it('holds a batch back when one was sent a moment ago, but no visit that comes after a pause', async () => {
    await openJournal(1);
    let nowMs = 1_000;
    const shipper = new MemoryShipper();
    const clock = { nowMs: systemClock.nowMs, monotonicMs: () => nowMs };
    const started = start(shipper, { clock, policy: { ...policy, batchIntervalMs: 30 } });
    await put(journal.journal, 'first', '[]');
    await untilForwarded(started);
    await Promise.all(['second', 'third'].map((code) => put(journal.journal, code, '[]')));
    await put(journal.journal, 'fourth', '[]');
    await untilForwarded(started);
    expect(shipper.batchSizes).toEqual([1, 3]);
    nowMs += 30;
    await put(journal.journal, 'fifth', '[]');
    await untilForwarded(started);
    expect(shipper.batchSizes).toEqual([1, 3, 1]);
  });

  it('begins with what an earlier process left, under the identity it gave', async () => {
    await openJournal(1);
    const earlier = journal.journal.producerId;
    for (const code of ['a', 'b']) await put(journal.journal, code, '[]');
    await journal.close();
    await openJournal(1);
    const later = journal.journal.producerId;
    await put(journal.journal, 'c', '[]');
    const shipper = new MemoryShipper();
    await untilForwarded(start(shipper));
    expect(shipper.arrived[0]?.map(identity)).toEqual([`${earlier} 0 a []`, `${earlier} 1 b []`, `${later} 0 c []`]);
  });

  it('halts a partition whose journal is damaged with a remedy, and goes on with the others', async () => {
    await openJournal(2);
    const [first, second] = readersOf(journal);
    if (first === undefined || second === undefined) throw new Error('there are two readers');
    const damaged: JournalReader = Object.assign(first, {
      read: () => Promise.reject(new LogDamaged('visits/0/x.log', 17, 'the checksum of a frame does not match')),
    });
    const shipper = new MemoryShipper();
    const started = start(shipper, { readers: [damaged, second] });
    for (let i = 0; i < 20; i++) await put(journal.journal, `code${i}`, '[]');
    await until(
      () => started.statuses[1]?.forwardedOffset === journal.endOffset(1) && started.statuses[0]?.halted != null,
      'one partition is forwarded and the other one halted',
    );
    expect(started.statuses[0]?.halted).toContain('visits/0/x.log at byte 17');
    expect(started.statuses[0]?.halted).toContain('Restore that file from a backup');
    expect(started.lines).toMatchObject([{ level: 'error' }]);
    expect(shipper.arrived[0]).toBeUndefined();
  });

  it('stays there when every partition has halted, until it is stopped', async () => {
    await openJournal(1);
    const [reader] = readersOf(journal);
    if (reader === undefined) throw new Error('there is a reader');
    reader.read = () => Promise.reject(new LogDamaged('visits/0/x.log', 17, 'a frame header does not check'));
    const started = start(new MemoryShipper(), { readers: [reader] });
    let isEnded = false;
    void started.ended.then(() => {
      isEnded = true;
    });
    await until(() => started.statuses[0]?.halted != null, 'the partition has halted');
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(isEnded).toBe(false);
    await started.stop();
    expect(isEnded).toBe(true);
  });

  it('tries again when a read or a send fails in another way', async () => {
    await openJournal(1);
    const [reader] = readersOf(journal);
    if (reader === undefined) throw new Error('there is a reader');
    const read = reader.read.bind(reader);
    let reads = 0;
    reader.read = (...asked) =>
      ++reads < 3
        ? Promise.reject(Object.assign(new Error('too many open files'), { code: 'EMFILE' }))
        : read(...asked);
    const shipper = new MemoryShipper();
    const ship = shipper.ship.bind(shipper);
    let sends = 0;
    shipper.ship = (...asked) => (++sends < 3 ? Promise.reject(new TypeError('x is not a function')) : ship(...asked));
    const started = start(shipper, { readers: [reader] });
    for (let i = 0; i < 5; i++) await put(journal.journal, `code${i}`, '[]');
    await untilForwarded(started);
    expect(shipper.count()).toBe(5);
    expect(started.lines.map(({ level }) => level)).toEqual(['error', 'info']);
  });

  it('goes on when how far it is cannot be kept, and tells it once', async () => {
    await openJournal(1);
    let saves = 0;
    const save = (): never => {
      saves += 1;
      throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    };
    const started = start(new MemoryShipper(), { save });
    for (let i = 0; i < 5; i++) {
      await put(journal.journal, 'code', '[]');
      await untilForwarded(started);
    }
    await started.stop();
    expect(saves).toBeGreaterThan(0);
    expect(started.lines).toMatchObject([{ level: 'warn' }]);
  });

  it('does not send again what was set aside while the log was away', async () => {
    await openJournal(1);
    const shipper = new MemoryShipper();
    shipper.isAway = true;
    const [reader] = readersOf(journal);
    if (reader === undefined) throw new Error('there is a reader');
    let startOffset = 0;
    reader.startOffset = () => startOffset;
    const started = start(shipper, { readers: [reader] });
    await put(journal.journal, 'old', '[]');
    await until(() => shipper.attempts > 1, 'the old visit was tried');
    await put(journal.journal, 'young', '[]');
    startOffset = 1;
    shipper.isAway = false;
    await untilForwarded(started);
    await started.stop();
    expect(shipper.arrived[0]?.map(({ key }) => key).filter((key) => key !== 'old')).toEqual(['young']);
    expect(shipper.arrived[0]?.length).toBeLessThanOrEqual(2);
  });
});
