/**
 * The lock of a `DATA_DIR`: one process at a time. It is LevelDB's own lock on an empty store of its own, which is the
 * kernel's (fcntl on Linux and macOS, LockFileEx on Windows): it ends with its process, however that ends, holds
 * between containers that share a volume of one machine, and cannot be fooled by a process id that is used again.
 * It does not guard a folder that several machines mount.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { StoreLocked } from '../../ports/state-store.ts';

export interface ProcessLock {
  /** Lets the next process in. Close everything in the folder first. */
  release(): Promise<void>;
}

/**
 * Takes the lock of `dataDir`, which is made when it is not there. Throws {@link StoreLocked}, which names the folder
 * and the process that holds it.
 */
export async function openProcessLock(dataDir: string): Promise<ProcessLock> {
  const folder = join(dataDir, 'lock');
  const holderFile = join(folder, 'holder');
  mkdirSync(folder, { recursive: true });
  const store = await openStore(folder).catch((error: unknown) => {
    if (isLocked(error)) throw new StoreLocked(`${dataDir} is in use by ${holder(holderFile)}`, { cause: error });
    // The store holds nothing that matters: one left unreadable by a power cut is made anew. Its lock file stays, so
    // that a process which holds it meanwhile goes on holding it.
    for (const name of readdirSync(folder)) if (name !== 'LOCK') rmSync(join(folder, name), { recursive: true });
    return openStore(folder).catch((second: unknown) => {
      if (isLocked(second)) throw new StoreLocked(`${dataDir} is in use by ${holder(holderFile)}`, { cause: second });
      throw second;
    });
  });
  writeFileSync(holderFile, `process ${process.pid} on ${hostname()}\n`);
  return {
    async release() {
      rmSync(holderFile, { force: true });
      await store.close();
    },
  };
}

async function openStore(folder: string): Promise<ClassicLevel> {
  const store = new ClassicLevel(folder, { cacheSize: 0, writeBufferSize: 64 * 1024, compression: false });
  await store.open();
  return store;
}

function isLocked(error: unknown): boolean {
  const cause = isObject(error) && 'cause' in error ? error.cause : undefined;
  return isObject(cause) && 'code' in cause && cause.code === 'LEVEL_LOCKED';
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** Only for the message: what was written by whoever took the lock last. */
function holder(holderFile: string): string {
  try {
    return readFileSync(holderFile, 'utf8').trim() || 'another process';
  } catch {
    return 'another process';
  }
}
