/** The forwarder in its thread: what the main thread knows of it, and what is left when either of them is killed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { jest } from '@jest/globals';
import { type OpenVisitJournal, openVisitJournal } from '../../src/adapters/segments/open-visit-journal.ts';
import { systemClock } from '../../src/adapters/system/system-clock.ts';
import { systemRandom } from '../../src/adapters/system/system-random.ts';
import {
  type ForwarderClient,
  type ForwarderClientOptions,
  startForwarderThread,
} from '../../src/composition/forwarder-client.ts';
import { put } from '../contracts/visit-journal.ts';
import { createQuietLogger, type QuietLogger } from '../support/quiet-logger.ts';
import {
  type ArrivedLine,
  away,
  crashing,
  type FileShipperOptions,
  hanging,
  readArrived,
} from './support/file-shipper.ts';
import { startForwardingThread } from './support/start-forwarding-thread.ts';

jest.setTimeout(60_000);

const drainMs = 30_000;

describe('the thread that forwards visits', () => {
  let root: string;
  let folder: string;
  let logFolder: string;
  let journal: OpenVisitJournal;
  let client: ForwarderClient;
  let logger: QuietLogger;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'tallyhop-forwarding-'));
    folder = join(root, 'journal');
    logFolder = join(root, 'log');
    mkdirSync(logFolder);
    logger = createQuietLogger();
  });
  afterEach(async () => {
    await client.close();
    await journal.close();
    rmSync(root, { recursive: true });
  });

  async function open(
    partitions: number,
    changes: Partial<ForwarderClientOptions<FileShipperOptions>> = {},
    maxBytes = 1e9,
  ): Promise<void> {
    journal = await openVisitJournal({
      folder,
      partitions,
      logId: 'the-log',
      visitFsync: 'off',
      maxBytes,
      clock: systemClock,
      random: systemRandom,
      logger,
    });
    client = startForwarderThread({
      folder,
      journal,
      shipper: { folder: logFolder, loseAnswerEvery: 0 },
      clock: systemClock,
      logger,
      startThread: startForwardingThread,
      ...changes,
    });
  }

  async function close(): Promise<void> {
    await client.close();
    await journal.close();
  }

  const tell = (what: string): void => writeFileSync(join(logFolder, what), '');
  const tellNoMore = (what: string): void => rmSync(join(logFolder, what));

  async function putMany(count: number, value = '["some value"]'): Promise<void> {
    await Promise.all(Array.from({ length: count }, (_, i) => put(journal.journal, `code${i % 50}`, value)));
  }

  async function eventually(what: string, condition: () => boolean): Promise<void> {
    const deadline = performance.now() + drainMs;
    while (!condition()) {
      if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  const arrivedCount = (): number => [...readArrived(logFolder).values()].flat().length;
  const identity = ({ producerId, sequence, key, value }: ArrivedLine): string =>
    `${producerId} ${sequence} ${key} ${value}`;

  it('forwards what is journaled, knows how far it is, and gives the disk back', async () => {
    await open(4);
    let risen = 0;
    client.onForwarded(() => risen++);
    for (let turn = 0; turn < 20; turn++) await putMany(500, JSON.stringify('x'.repeat(1_000)));
    expect(await client.drain(drainMs)).toBe(true);
    for (const partition of [0, 1, 2, 3]) {
      expect(client.forwardedOffset(partition)).toBe(journal.endOffset(partition));
      const arrived = readArrived(logFolder).get(partition) ?? [];
      expect(arrived.map(({ sequence }) => sequence)).toEqual(
        Array.from({ length: journal.endOffset(partition) }, (_, i) => i),
      );
    }
    expect(risen).toBeGreaterThan(0);
    expect(client.figures()).toMatchObject({
      visits: 0,
      bytes: 0,
      oldestAgeMs: 0,
      shipped: 10_000,
      resent: 0,
      lastError: null,
    });
    expect(journal.figures().diskBytes).toBe(4 * 52);
    expect(await client.drain(0)).toBe(true);
  });

  it('tells how much waits and why while the log is away, drains when it is back', async () => {
    tell(away);
    await open(2);
    await putMany(1_000);
    await eventually('the thread has tried', () => client.figures().lastError !== null);
    expect(await client.drain(1)).toBe(false);
    const figures = client.figures();
    expect(figures).toMatchObject({ visits: 1_000, lastError: 'the log is away' });
    expect(figures.oldestAgeMs).toBeGreaterThan(0);
    // A visit is a key of 5 or 6 bytes and a value of 14, and 6 of its own; 60 of the frame are shared.
    expect(figures.bytes).toBeGreaterThan(25_000);
    expect(figures.bytes).toBeLessThan(27_000);
    expect(figures.partitions.map(({ visits }) => visits)).toEqual([journal.endOffset(0), journal.endOffset(1)]);
    const drained = client.drain(drainMs);
    tellNoMore(away);
    expect(await drained).toBe(true);
    expect(client.figures()).toMatchObject({ visits: 0, oldestAgeMs: 0, lastError: null });
    expect(client.figures().resent).toBeGreaterThan(0);
    expect(logger.lines.map(({ message }) => message).filter((message) => message.includes('forwarded'))).toEqual([
      'visits cannot be forwarded now: they are journaled and sent later',
      'visits are forwarded again',
    ]);
  });

  it('knows the age of what an earlier process left', async () => {
    tell(away);
    await open(1);
    await putMany(1);
    await close();
    const closedAtMs = performance.now();
    await open(1);
    await eventually('the batch is known', () => client.figures().lastError !== null);
    expect(client.figures().oldestAgeMs).toBeGreaterThanOrEqual(Math.floor(performance.now() - closedAtMs));
    tellNoMore(away);
    expect(await client.drain(drainMs)).toBe(true);
  });

  it('sends nothing again after a clean stop', async () => {
    await open(2);
    await putMany(300);
    expect(await client.drain(drainMs)).toBe(true);
    await close();
    await open(2);
    await putMany(300);
    expect(await client.drain(drainMs)).toBe(true);
    expect(arrivedCount()).toBe(600);
    expect(client.figures().shipped).toBe(300);
  });

  it('drains a journal that was full, which then takes visits again', async () => {
    tell(away);
    await open(2, {}, 300_000);
    const value = JSON.stringify('x'.repeat(1_000));
    let taken = 0;
    const visit = () => put(journal.journal, `code${taken % 50}`, value).then(() => (taken += 1));
    await expect(
      (async () => {
        for (;;) await visit();
      })(),
    ).rejects.toThrow('the journal is full');
    expect(taken).toBeGreaterThan(200);
    tellNoMore(away);
    expect(await client.drain(drainMs)).toBe(true);
    await visit();
    expect(await client.drain(drainMs)).toBe(true);
    expect(arrivedCount()).toBe(taken);
    expect(journal.figures().isFull).toBe(false);
  });

  it('sends nothing before it may, and ends without ever having been allowed to', async () => {
    let may = false;
    await open(1, { mayStart: () => may });
    await putMany(10);
    expect(client.figures()).toMatchObject({
      visits: 10,
      lastError: 'the shared log was not reached since the start',
    });
    expect(await client.drain(150)).toBe(false);
    expect(arrivedCount()).toBe(0);
    await close();
    await open(1, { mayStart: () => may });
    may = true;
    expect(await client.drain(drainMs)).toBe(true);
    expect(client.figures()).toMatchObject({ visits: 0, lastError: null });
  });

  it('starts the thread again when it dies, and goes on from where it was', async () => {
    await open(2, { restartDelayMs: { first: 10, max: 100 } });
    await putMany(100);
    expect(await client.drain(drainMs)).toBe(true);
    tell(crashing);
    await putMany(100);
    await eventually('the thread died', () => client.figures().lastError?.includes('a defect in a client') === true);
    tellNoMore(crashing);
    expect(await client.drain(drainMs)).toBe(true);
    expect(client.figures()).toMatchObject({ shipped: 200, lastError: null });
    expect(arrivedCount()).toBe(200);
    const died = logger.lines.filter(({ level }) => level === 'error');
    expect(died[0]?.message).toBe('the thread that forwards visits died and is started again');
  });

  it('ends though a send never does, and leaves its visits to the next start', async () => {
    tell(hanging);
    await open(1, { closeTimeoutMs: 50 });
    await putMany(20);
    await eventually('the batch is under way', () => client.figures().oldestAgeMs > 0);
    await close();
    tellNoMore(hanging);
    expect(arrivedCount()).toBe(0);
    await open(1);
    expect(await client.drain(drainMs)).toBe(true);
    expect(arrivedCount()).toBe(20);
  });

  it('brings every acknowledged visit under its identity, though the process is killed again and again', async () => {
    const partitions = 3;
    const program = fileURLToPath(new URL('./support/journaling-process.ts', import.meta.url));
    const acknowledged = new Set<string>();
    for (let run = 0; run < 3; run++) {
      const child = spawn(process.execPath, ['--import', 'tsx', program, folder, logFolder, String(partitions)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const ended = once(child, 'close');
      let said = '';
      child.stdout.setEncoding('latin1');
      child.stdout.on('data', (text: string) => {
        said += text;
      });
      const before = arrivedCount();
      await eventually('visits arrive', () => said.length > 100_000 * (run + 1) && arrivedCount() > before + 500);
      child.kill('SIGKILL');
      await ended;
      for (const line of said.slice(0, said.lastIndexOf('\n')).split('\n')) acknowledged.add(line);
    }
    // What a last process finds in the journal is forwarded without a visit of its own.
    await open(partitions);
    expect(await client.drain(drainMs)).toBe(true);

    const arrived = readArrived(logFolder);
    const kept = new Set(
      [...arrived].flatMap(([partition, visits]) => visits.map((visit) => `${partition} ${identity(visit)}`)),
    );
    expect(acknowledged.size).toBeGreaterThan(3_000);
    expect([...acknowledged].filter((line) => !kept.has(line))).toEqual([]);
    for (const visits of arrived.values()) {
      // The first arrivals of each producer are its whole sequence in order, the producers one after the other.
      const first = [...new Map(visits.map((visit) => [`${visit.producerId} ${visit.sequence}`, visit])).values()];
      const producers = [...new Set(first.map(({ producerId }) => producerId))];
      expect(producers).toHaveLength(3);
      expect(first.map(({ producerId, sequence }) => `${producerId} ${sequence}`)).toEqual(
        producers.flatMap((producerId) =>
          first.filter((visit) => visit.producerId === producerId).map((_, i) => `${producerId} ${i}`),
        ),
      );
      // The same identity is the same visit.
      expect(new Set(visits.map(identity)).size).toBe(first.length);
    }
    expect(arrivedCount()).toBeGreaterThan(kept.size);
  });
});
