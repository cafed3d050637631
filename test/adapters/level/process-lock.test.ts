import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { openProcessLock } from '../../../src/adapters/level/process-lock.ts';
import { StoreLocked } from '../../../src/ports/state-store.ts';

const program = fileURLToPath(new URL('./support/lock-holder.ts', import.meta.url));

describe('the lock of a data folder', () => {
  let dataDir: string;
  const children: ChildProcess[] = [];

  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'tallyhop-lock-'));
  });
  afterEach(async () => {
    for (const child of children.splice(0)) await kill(child);
    rmSync(dataDir, { recursive: true });
  });

  /** Starts a process that tries to take the lock; gives it with the first line it says. */
  async function start(): Promise<{ child: ChildProcess; said: string }> {
    const child = spawn(process.execPath, ['--import', 'tsx', program, dataDir], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    children.push(child);
    const [said] = await once(createInterface({ input: child.stdout }), 'line');
    return { child, said: String(said) };
  }

  it('keeps a second process out, with the folder and the process that holds it', async () => {
    const { child, said } = await start();
    expect(said).toBe('held');
    const second = await start();
    expect(second.said).toMatch(new RegExp(`^StoreLocked: ${dataDir} is in use by process ${child.pid} on `));
    await expect(openProcessLock(dataDir)).rejects.toThrow(`process ${child.pid}`);
  });

  it('lets the next process in after kill -9', async () => {
    const { child, said } = await start();
    expect(said).toBe('held');
    await kill(child);
    const next = await start();
    expect(next.said).toBe('held');
    await kill(next.child);
    await (await openProcessLock(dataDir)).release();
  });

  it('lets only one of several that start at once in', async () => {
    const started = await Promise.all([start(), start(), start()]);
    expect(started.filter(({ said }) => said === 'held')).toHaveLength(1);
    expect(started.filter(({ said }) => said.startsWith('StoreLocked'))).toHaveLength(2);
  });

  it('keeps a second owner of the same process out, and lets it in after a release', async () => {
    const lock = await openProcessLock(dataDir);
    await expect(openProcessLock(dataDir)).rejects.toThrow(StoreLocked);
    await lock.release();
    await (await openProcessLock(dataDir)).release();
  });

  it('is taken though a power cut left its store unreadable', async () => {
    await (await openProcessLock(dataDir)).release();
    const folder = join(dataDir, 'lock');
    for (const name of readdirSync(folder)) if (name !== 'LOCK') writeFileSync(join(folder, name), 'garbage');
    const lock = await openProcessLock(dataDir);
    expect(existsSync(join(folder, 'holder'))).toBe(true);
    await lock.release();
  });
});

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
