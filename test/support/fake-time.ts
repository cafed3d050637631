/**
 * The wall clock of a running program, set from outside by libfaketime: it jumps where it is told to, the monotonic clock
 * does not. Installs Debian's package where this user may; fails with how to get it elsewhere.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface FakeTime {
  /** Settings for the program's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Moves the program's wall clock this far from the true one. */
  jump(offsetSeconds: number): void;
}

/** @param file where the offset is told to the program; must be of this program alone */
export function openFakeTime(file: string): FakeTime {
  const jump = (offsetSeconds: number) => {
    writeFileSync(file, `${offsetSeconds < 0 ? '-' : '+'}${Math.abs(offsetSeconds)}\n`);
  };
  jump(0);
  return {
    env: {
      LD_PRELOAD: library(),
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
    jump,
  };
}

function library(): string {
  const found = find();
  if (found !== undefined) return found;
  if (process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    for (const command of [
      ['update', '-qq'],
      ['install', '-y', '-qq', '--no-install-recommends', 'libfaketime'],
    ]) {
      execFileSync('apt-get', command, { stdio: 'inherit' });
    }
  }
  const installed = find();
  if (installed !== undefined) return installed;
  throw new Error('Tests of a clock that jumps need libfaketime (Debian: apt-get install libfaketime).');
}

function find(): string | undefined {
  const folders = ['/usr/lib', '/usr/local/lib'].filter((folder) => existsSync(folder));
  const places = folders.flatMap((folder) => [folder, ...readdirSync(folder).map((name) => join(folder, name))]);
  return places.map((place) => join(place, 'faketime', 'libfaketime.so.1')).find((file) => existsSync(file));
}
