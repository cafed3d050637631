/** Visits from the journal to Kafka through the program's own thread, with a broker that is killed meanwhile. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { openKafkaLog } from '../../src/adapters/kafka/kafka-log.ts';
import { type OpenVisitJournal, openVisitJournal } from '../../src/adapters/segments/open-visit-journal.ts';
import { systemClock } from '../../src/adapters/system/system-clock.ts';
import { systemRandom } from '../../src/adapters/system/system-random.ts';
import { type ForwarderClient, startForwarderThread } from '../../src/composition/forwarder-client.ts';
import { partitionOf } from '../../src/ports/partitioner.ts';
import { ProducerWatermarks } from '../../src/worker/producer-watermarks.ts';
import { createBareTopics, kafkaOptions } from '../adapters/kafka/support/kafka-world.ts';
import { readAll } from '../contracts/event-log.ts';
import { put } from '../contracts/visit-journal.ts';
import { createQuietLogger } from '../support/quiet-logger.ts';
import { type Services, startOwnServices } from '../support/services.ts';
import { startKafkaForwardingThread } from './support/start-forwarding-thread.ts';

jest.setTimeout(180_000);

const partitions = 4;
const drainMs = 60_000;

describe('the thread that forwards visits to Kafka', () => {
  let services: Services;
  let root: string;
  let journal: OpenVisitJournal;
  let client: ForwarderClient;

  beforeAll(async () => {
    services = await startOwnServices({ redis: false });
  }, 90_000);
  afterAll(() => services.stop());
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'tallyhop-forwarding-'));
  });
  afterEach(async () => {
    await client.close();
    await journal.close();
    rmSync(root, { recursive: true });
  });

  it('brings each visit once as the fold counts, in order, though the broker is killed and comes back', async () => {
    const { logger, clock, random, ...address } = kafkaOptions(services.kafkaBrokers);
    const options = { ...address, logger, clock, random };
    await createBareTopics(options, partitions);
    const log = await openKafkaLog({ ...options, secretFingerprint: 'f', onRefused: () => undefined });
    const folder = join(root, 'journal');
    journal = await openVisitJournal({
      folder,
      partitions,
      logId: log.logId,
      visitFsync: 'off',
      maxBytes: 1e9,
      clock: systemClock,
      random: systemRandom,
      logger: createQuietLogger(),
    });
    client = startForwarderThread({
      folder,
      journal,
      shipper: address,
      clock: systemClock,
      logger: createQuietLogger(),
      mayStart: log.isVerified,
      startThread: startKafkaForwardingThread,
    });

    const expected: string[][] = Array.from({ length: partitions }, () => []);
    let number = 0;
    async function visit(count: number): Promise<void> {
      const visits = Array.from({ length: count }, async () => {
        const code = `code${number % 40}`;
        const value = JSON.stringify([number++, 'Zürich']);
        const sequence = await put(journal.journal, code, value);
        const visitsOfPartition = expected[partitionOf(code, partitions)] ?? [];
        visitsOfPartition[sequence] = `${code} ${value}`;
      });
      await Promise.all(visits);
    }

    await visit(1_000);
    expect(await client.drain(drainMs)).toBe(true);
    const [broker] = services.brokers;
    if (broker === undefined) throw new Error('there is a broker');
    // Killed in the middle of batches.
    for (let turn = 0; turn < 20; turn++) await visit(200);
    await broker.kill();
    for (let turn = 0; turn < 20; turn++) await visit(100);
    expect(await client.drain(10)).toBe(false);
    expect(client.figures().visits).toBeGreaterThanOrEqual(2_000);
    await broker.restart();
    await visit(500);
    expect(await client.drain(drainMs)).toBe(true);
    expect(client.figures()).toMatchObject({ visits: 0, shipped: 7_500, lastError: null });

    for (let partition = 0; partition < partitions; partition++) {
      const watermarks = new ProducerWatermarks(Number.POSITIVE_INFINITY);
      const counted: string[] = [];
      for (const record of await readAll(log, 'visits', partition, 0)) {
        expect(record.producerId).toBe(journal.journal.producerId);
        const verdict = watermarks.judge(record.producerId, record.sequence, 0);
        if (verdict === 'duplicate') continue;
        expect(verdict).toBe('effective');
        watermarks.raise(record.producerId, record.sequence, 0);
        counted.push(`${record.key} ${record.value.toString()}`);
      }
      expect(counted).toEqual(expected[partition]);
    }
    await log.close();
  });
});
