/** The log between threads, and what is left of it when its process is killed. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { readAll } from '../../contracts/event-log.ts';
import { put } from '../../contracts/visit-journal.ts';
import { openIn, removeFolder, temporaryFolder } from './support/temporary-log.ts';

const support = new URL('./support/', import.meta.url);

interface Said {
  readonly idleAt?: number;
  readonly done?: true;
}

describe('a segment log', () => {
  let folder: string;
  beforeEach(() => {
    folder = temporaryFolder();
  });
  afterEach(() => removeFolder(folder));

  /** Starts the worker through tsx's own loader: Node 20 does not take it over into a thread. */
  function startWorker(workerData: object): Worker {
    const program = fileURLToPath(new URL('reading-worker.ts', support));
    const names = `${JSON.stringify(program)}, ${JSON.stringify(import.meta.url)}`;
    const load = `import('tsx/esm/api').then(({ tsImport }) => tsImport(${names}))`;
    return new Worker(load, { eval: true, workerData });
  }

  /** The next message of the worker for which `isMeant` holds; rejects when the worker fails. */
  function message(worker: Worker, isMeant: (said: Said) => boolean): Promise<Said> {
    return new Promise((resolve, reject) => {
      worker.on('error', reject);
      worker.on('message', (said: Said) => isMeant(said) && resolve(said));
    });
  }

  it('is read by a worker thread while it is appended to, every record once and in order', async () => {
    const records = 20_000;
    const { log, journal, shared } = await openIn(folder, { segmentBytes: 100_000 });
    const worker = startWorker({ folder, shared, records });
    const done = message(worker, (said) => said.done === true);
    const exited = once(worker, 'exit');
    await message(worker, (said) => said.idleAt === 0);
    const hash = createHash('sha256');
    for (let next = 0; next < records; ) {
      const turn: Promise<number>[] = [];
      for (let i = 0; i < 1 + (next % 50) && next < records; i++) {
        const value = `["visit",${next},"${'x'.repeat(next % 97)}"]`;
        turn.push(put(journal, `code${next % 7}`, value));
        hash.update(`code${next % 7}\0`).update(`${value}\0`);
        next += 1;
      }
      await Promise.all(turn);
    }
    expect(await done).toMatchObject({ next: records, digest: hash.digest('hex') });
    // Nothing of the reader keeps the thread alive.
    expect(await exited).toEqual([0]);
    await log.close();
  });

  it('wakes an idle worker thread for each of a few visits', async () => {
    const { log, journal, shared } = await openIn(folder);
    const worker = startWorker({ folder, shared, records: 4 });
    const done = message(worker, (said) => said.done === true);
    for (let i = 0; i < 4; i++) {
      await message(worker, (said) => said.idleAt === i);
      await put(journal, 'code', '[]');
    }
    expect(await done).toMatchObject({ next: 4, waits: 4 });
    await log.close();
  });

  it('goes on when a waiting worker thread is ended', async () => {
    const { log, journal, shared } = await openIn(folder);
    const worker = startWorker({ folder, shared, records: 3 });
    await message(worker, (said) => said.idleAt === 0);
    await worker.terminate();
    for (let i = 0; i < 100; i++) expect(await put(journal, 'code', '[]')).toBe(i);
    expect(await readAll(log, 'visits', 0, 0)).toHaveLength(100);
    await log.close();
  });

  it('has every acknowledged visit after kill -9, and none twice', async () => {
    const program = fileURLToPath(new URL('appending-process.ts', support));
    const acknowledged = new Set<string>();
    for (let run = 0; run < 3; run++) {
      const child = spawn(process.execPath, ['--import', 'tsx', program, folder], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const ended = once(child, 'close');
      let said = '';
      child.stdout.setEncoding('latin1');
      child.stdout.on('data', (text: string) => {
        said += text;
        if (said.length > 200_000 * (run + 1) && !child.killed) child.kill('SIGKILL');
      });
      await ended;
      for (const line of said.slice(0, said.lastIndexOf('\n')).split('\n')) acknowledged.add(line);
    }
    const { log } = await openIn(folder);
    const records = await readAll(log, 'visits', 0, 0);
    await log.close();
    const found = records.map(({ producerId, sequence }) => `${producerId} ${sequence}`);
    expect(acknowledged.size).toBeGreaterThan(10_000);
    expect(new Set(found).size).toBe(found.length);
    const kept = new Set(found);
    expect([...acknowledged].filter((line) => !kept.has(line))).toEqual([]);
    expect(new Set(records.map(({ producerId }) => producerId)).size).toBe(3);
    expect(records.every(({ value, producerId }) => value.includes(producerId))).toBe(true);
  });
});
