/**
 * Seeded runs of a journal and its forwarder over many processes: each ends at any moment, some in a power cut that takes the
 * journal's unsynced end, and the file that keeps how far it was is old, gone, or ahead of the journal.
 */
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ForwardedPositions } from '../../src/adapters/segments/forwarded-positions.ts';
import { type OpenVisitJournal, openVisitJournal } from '../../src/adapters/segments/open-visit-journal.ts';
import { openSegmentReader } from '../../src/adapters/segments/segment-reader.ts';
import { systemClock } from '../../src/adapters/system/system-clock.ts';
import { systemRandom } from '../../src/adapters/system/system-random.ts';
import { partitionOf } from '../../src/ports/partitioner.ts';
import { Forwarder } from '../../src/worker/forwarder.ts';
import { ProducerWatermarks } from '../../src/worker/producer-watermarks.ts';
import { put } from '../contracts/visit-journal.ts';
import { MemoryShipper, randomFaults } from '../support/memory-shipper.ts';
import { createQuietLogger } from '../support/quiet-logger.ts';
import { chosenSeed, createSeededRandom, type SeededRandom } from '../support/seeded-random.ts';

const partitions = 2;
const processes = 12;
const runs = 8;

/** What a process journaled in a partition and the disk has kept, by sequence. */
interface Journaled {
  readonly producerId: string;
  readonly partition: number;
  readonly visits: string[];
  /** The newest segment when the process began; what it held then is synced. */
  readonly beganWith: { readonly file: string; readonly bytes: number };
}

async function simulate(folder: string, random: SeededRandom): Promise<void> {
  const shipper = new MemoryShipper(randomFaults(random));
  const journaled: Journaled[] = [];
  const savedOffsets: (readonly number[])[] = [];
  let number = 0;

  /** One process: opens, journals and forwards for a while, and is gone. The last one forwards all. */
  async function live(isLast: boolean): Promise<OpenVisitJournal> {
    const opened = await openVisitJournal({
      folder,
      partitions,
      logId: 'the-log',
      visitFsync: 'off',
      // Segments of 64 KiB: some are left and dropped in each run.
      maxBytes: 500_000,
      clock: systemClock,
      random: systemRandom,
      logger: createQuietLogger(),
    });
    const { journal, shared } = opened;
    const own = Array.from({ length: partitions }, (_, partition): Journaled => {
      const file = newestSegment(partition);
      const beganWith = { file, bytes: statSync(file).size };
      return { producerId: journal.producerId, partition, visits: [], beganWith };
    });
    journaled.push(...own);
    const forwarded = [...opened.forwardFrom];
    const forwarder = new Forwarder({
      readers: own.map(({ partition }) => openSegmentReader({ folder, topic: 'visits', partition, shared })),
      shipper,
      fromOffsets: opened.forwardFrom,
      clock: systemClock,
      save: (offsets) => savedOffsets.push(offsets),
      onProgress(statuses) {
        for (const { partition, forwardedOffset } of statuses) {
          forwarded[partition] = forwardedOffset;
          if (random.below(3) > 0) opened.forwarded(partition, forwardedOffset);
        }
      },
      logger: createQuietLogger(),
      policy: {
        batchIntervalMs: 0,
        batchVisitsMax: 1 + random.below(300),
        retryDelayMs: { first: 0, max: 1 },
        waitMs: 2,
        progressIntervalMs: 0,
        saveIntervalMs: 0,
      },
    });
    const running = forwarder.run();
    for (let turn = isLast ? 0 : 1 + random.below(15); turn > 0; turn--) {
      const visits = Array.from({ length: random.below(40) }, async () => {
        const code = `code${random.below(20)}`;
        const value = `["${number++}${'x'.repeat(random.below(600))}"]`;
        const sequence = await put(journal, code, value);
        const visitsOfPartition = own[partitionOf(code, partitions)]?.visits ?? [];
        visitsOfPartition[sequence] = `${code} ${value}`;
      });
      await Promise.all(visits);
      await new Promise((resolve) => setTimeout(resolve, random.below(3)));
    }
    const isForwarded = () => forwarded.every((offset, partition) => offset === opened.endOffset(partition));
    while (isLast && !isForwarded()) await new Promise((resolve) => setTimeout(resolve, 1));
    forwarder.stop();
    await running;
    await opened.close();
    return opened;
  }

  function newestSegment(partition: number): string {
    const partitionFolder = join(folder, 'visits', String(partition));
    return join(partitionFolder, readdirSync(partitionFolder).sort().at(-1) ?? '');
  }

  /** Takes bytes of the last process from the end, and what may have been in them and has not arrived from the account. */
  function cutPower({ journal }: OpenVisitJournal): void {
    for (const { producerId, partition, visits, beganWith } of journaled) {
      if (producerId !== journal.producerId) continue;
      const file = newestSegment(partition);
      const syncedBytes = file === beganWith.file ? beganWith.bytes : 0;
      const { size } = statSync(file);
      truncateSync(file, size - random.below(size - syncedBytes + 1));
      const arrived = new Set(shipper.arrived[partition]?.map((visit) => `${visit.producerId} ${visit.sequence}`));
      while (visits.length > 0 && !arrived.has(`${producerId} ${visits.length - 1}`)) visits.pop();
    }
  }

  for (let process = 0; process < processes; process++) {
    const opened = await live(process === processes - 1);
    const positions = new ForwardedPositions(folder, opened.journalId);
    const kept = random.pick(['none', 'newest', 'older'] as const);
    if (kept === 'newest') positions.write(savedOffsets.at(-1) ?? opened.forwardFrom);
    if (kept === 'older' && savedOffsets.length > 0) positions.write(random.pick(savedOffsets));
    if (random.below(4) > 0) continue;
    cutPower(opened);
    // Positions of what was cut off do not come back: the correction at the next opening is synced.
    savedOffsets.length = 0;
  }

  const run = `SEED=${random.seed}`;
  expect({ run, complaints: shipper.complaints }).toEqual({ run, complaints: [] });
  for (let partition = 0; partition < partitions; partition++) {
    const watermarks = new ProducerWatermarks(Number.POSITIVE_INFINITY);
    const counted = new Map<string, string[]>();
    const verdicts = {
      effective: 0,
      duplicate: 0,
      'effective-after-gap': 0,
      'out-of-reach': 0,
      'malformed-producer': 0,
    };
    for (const { key, value, producerId, sequence } of shipper.arrived[partition] ?? []) {
      const verdict = watermarks.judge(producerId, sequence, 0);
      verdicts[verdict] += 1;
      if (verdict === 'duplicate') {
        expect({ run, visit: counted.get(producerId)?.[sequence] }).toEqual({ run, visit: `${key} ${value}` });
        continue;
      }
      watermarks.raise(producerId, sequence, 0);
      counted.set(producerId, [...(counted.get(producerId) ?? []), `${key} ${value}`]);
    }
    const expected = journaled.filter((each) => each.partition === partition && each.visits.length > 0);
    expect({ run, verdicts }).toMatchObject({ run, verdicts: { 'effective-after-gap': 0, 'out-of-reach': 0 } });
    for (const { producerId, visits } of expected) {
      // What a power cut took from the account may have come through all the same, from bytes that stayed.
      const found = counted.get(producerId)?.slice(0, visits.length);
      expect({ run, visits: found }).toEqual({ run, visits });
    }
  }
}

describe('the forwarder over many processes', () => {
  it(`brings every visit that the disk kept, each counted once (${runs} runs)`, async () => {
    const seed = chosenSeed();
    for (let run = 0; run < runs; run++) {
      const folder = mkdtempSync(join(tmpdir(), 'tallyhop-restarts-'));
      await simulate(join(folder, 'journal'), createSeededRandom(seed + run));
      rmSync(folder, { recursive: true });
    }
  });
});
