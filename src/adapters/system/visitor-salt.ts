/**
 * Keeps the salt of the current UTC day in a file, so that a restart does not split a day's visitors. A new day's salt
 * is written over the old one, which is then gone: from memory at once, from the disk as far as the file system
 * overwrites in place.
 */
import { chmod, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Random } from '../../ports/random.ts';
import type { VisitorSalt } from '../../ports/visitor-salt.ts';

export interface OpenedVisitorSalt extends VisitorSalt {
  /** Ends the timer and waits for a write under way. The file stays: the day may go on after a restart. */
  close(): Promise<void>;
}

interface DaySalt {
  /** Days since 1970-01-01 UTC. */
  readonly day: number;
  /** 32 random bytes, hexadecimal. */
  readonly salt: string;
}

const dayMs = 86_400_000;
/** After midnight, so that the timer does not wake a moment before it. */
const afterMidnightMs = 500;

/** How often instances make sure that they still hash under the same salt. */
const agreeIntervalMs = 60_000;

/**
 * Reads the file of today or makes it. A missing, garbled or older one is replaced; that costs no more than counting
 * today's earlier visitors once more. Throws the system's error when the folder cannot be written.
 */
export async function openVisitorSalt(options: {
  readonly dataDir: string;
  readonly clock: Clock;
  readonly random: Pick<Random, 'bytes'>;
  readonly logger: Logger;
  /**
   * Offers a salt for a day to all instances and resolves with the one that holds for all: the first that was offered. While it
   * rejects, this instance keeps its own, and who visits several instances is several visitors of that day.
   */
  readonly agree?: (day: number, salt: string) => Promise<string>;
}): Promise<OpenedVisitorSalt> {
  const { clock, random, logger } = options;
  const path = join(options.dataDir, 'visitor-salt.json');
  const today = dayOf(clock.nowMs());
  const kept = await read(path);
  let current = kept?.day === today ? kept : fresh(today);
  if (current !== kept) await write(path, current);

  let closed = false;
  let writing = Promise.resolve();
  let timer = wakeAtMidnight();
  await agreeWithOthers();
  const agreeing = options.agree && setInterval(agreeWithOthers, agreeIntervalMs).unref();

  function fresh(day: number): DaySalt {
    return { day, salt: Buffer.from(random.bytes(32)).toString('hex') };
  }

  /** Visits do not wait for the disk: until it is written, a crash costs a second salt for the same day. */
  function change(day: number): void {
    take(fresh(day));
    void agreeWithOthers();
  }

  function take(daySalt: DaySalt): void {
    current = daySalt;
    writing = writing
      .then(() => write(path, current))
      .catch((error: unknown) => logger.error({ err: error }, 'the salt of a day that ended is still in its file'));
  }

  /** Never rejects: without the others, each counts for itself. */
  async function agreeWithOthers(): Promise<void> {
    const { day, salt } = current;
    const agreed = await options.agree?.(day, salt).catch((error: unknown) => {
      logger.debug({ err: error }, 'the salt of the day could not be agreed on');
    });
    if (agreed === undefined || agreed === salt || current.day !== day || !/^[0-9a-f]{64}$/.test(agreed)) return;
    take({ day, salt: agreed });
  }

  function wakeAtMidnight(): NodeJS.Timeout {
    const wakeMs = dayMs - (clock.nowMs() % dayMs) + afterMidnightMs;
    return setTimeout(() => {
      const day = dayOf(clock.nowMs());
      if (day !== current.day) change(day);
      if (!closed) timer = wakeAtMidnight();
    }, wakeMs).unref();
  }

  return {
    saltAt(nowMs) {
      const day = dayOf(nowMs);
      if (day !== current.day) change(day);
      return current.salt;
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      clearInterval(agreeing);
      await writing;
    },
  };
}

function dayOf(nowMs: number): number {
  return Math.floor(nowMs / dayMs);
}

async function read(path: string): Promise<DaySalt | null> {
  try {
    const file = await open(path, 'r');
    try {
      const content = await file.readFile('utf8');
      const match = /^\{"day":(\d{1,7}),"salt":"([0-9a-f]{64})"\}\n$/.exec(content);
      return match === null ? null : { day: Number(match[1]), salt: match[2] ?? '' };
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** In place rather than by renaming a new file, whose predecessor's bytes would stay on the disk. */
async function write(path: string, daySalt: DaySalt): Promise<void> {
  const file = await open(path, 'r+').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return open(path, 'wx', 0o600);
    throw error;
  });
  try {
    const content = Buffer.from(`{"day":${daySalt.day},"salt":"${daySalt.salt}"}\n`);
    await file.write(content, 0, content.length, 0);
    await file.truncate(content.length);
    await file.sync();
  } finally {
    await file.close();
  }
  await chmod(path, 0o600);
}
