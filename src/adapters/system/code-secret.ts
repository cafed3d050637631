/**
 * The code secret: given in the settings, or made once and kept in the data folder. Whoever knows it can compute the
 * code of any URL; with another one, URLs that were shortened before get new codes.
 */
import { closeSync, fstatSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../../ports/random.ts';

/** The kept secret cannot be used. The message says which file and what to do; stop the start. */
export class CodeSecretRefused extends Error {
  override readonly name = 'CodeSecretRefused';
}

const fileName = 'code-secret';

/** 32 bytes in base64url, and a line break. */
const fileFormat = /^([A-Za-z0-9_-]{43})\n$/;

/**
 * Returns `given`, or else the secret in `dataDir`, which is made (mode 0600, on the disk before this returns) when
 * there is none. Call it while holding the folder's lock. Throws {@link CodeSecretRefused} for a file that others can
 * read or that is damaged, and the system's error when the folder cannot be used.
 */
export function openCodeSecret(dataDir: string, given: string | null, random: Pick<Random, 'bytes'>): string {
  if (given !== null) return given;
  const path = join(dataDir, fileName);
  return read(path) ?? make(dataDir, path, random);
}

function read(path: string): string | null {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    // Windows has no such modes; there the folder's own permissions are the guard.
    if (process.platform !== 'win32' && (fstatSync(file).mode & 0o077) !== 0) {
      throw new CodeSecretRefused(`${path} can be read by other users of this machine; run: chmod 600 ${path}`);
    }
    const secret = fileFormat.exec(readFileSync(file, 'latin1'))?.[1];
    if (secret === undefined) {
      throw new CodeSecretRefused(
        `${path} is damaged; restore it from a backup, or remove it to make a new one (links keep working, but a URL ` +
          'that was shortened before gets another code the next time)',
      );
    }
    return secret;
  } finally {
    closeSync(file);
  }
}

function make(dataDir: string, path: string, random: Pick<Random, 'bytes'>): string {
  const secret = Buffer.from(random.bytes(32)).toString('base64url');
  const unfinished = `${path}.new`;
  // What an interrupted start left: its secret was never used.
  rmSync(unfinished, { force: true });
  const file = openSync(unfinished, 'wx', 0o600);
  try {
    writeSync(file, `${secret}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(unfinished, path);
  syncFolder(dataDir);
  return secret;
}

/** The new name is safe against power loss only when its folder is. Windows cannot and need not. */
function syncFolder(path: string): void {
  if (process.platform === 'win32') return;
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
