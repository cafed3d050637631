/** Opens segment logs in a folder of their own under the system's temporary folder, with quiet surroundings. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  openSegmentLog,
  type SegmentLog,
  type SegmentLogOptions,
} from '../../../../src/adapters/segments/open-segment-log.ts';
import type { SegmentFileCalls } from '../../../../src/adapters/segments/segment-files.ts';
import type { Clock } from '../../../../src/ports/clock.ts';
import type { LogFields, Logger } from '../../../../src/ports/logger.ts';
import type { Random } from '../../../../src/ports/random.ts';

export const testRandom: Random = {
  bytes: (size) => randomBytes(size),
  id: () =>
    randomBytes(16)
      .toString('hex')
      .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
  code: (size) => randomBytes(size).toString('hex').slice(0, size),
};

export const testClock: Clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

export interface LoggedLine {
  readonly level: string;
  readonly fields: LogFields;
  readonly message: string;
}

export function collectingLogger(lines: LoggedLine[] = []): Logger {
  const at =
    (level: string) =>
    (fields: LogFields, message: string): void => {
      lines.push({ level, fields, message });
    };
  const logger: Logger = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => logger,
  };
  return logger;
}

/** In memory where the system has a place for that: for tests of very many small files. */
export function fastTemporaryFolder(): string {
  return mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'tallyhop-log-'));
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'tallyhop-log-'));
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

/** Syncs that end at once: for tests that open a log thousands of times. */
export const noSync: Partial<SegmentFileCalls> = {
  sync: (_fd, done) => done(null),
  syncFolder: (_folder, done) => done(null),
};

/** Opens the log in `folder` with one partition unless told otherwise. */
export function openIn(folder: string, options: Partial<SegmentLogOptions> = {}): Promise<SegmentLog> {
  return openSegmentLog({
    folder,
    partitions: 1,
    visitFsync: 'off',
    clock: testClock,
    random: testRandom,
    logger: collectingLogger(),
    ...options,
  });
}
