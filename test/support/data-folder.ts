/**
 * Folders of data to do harm to: written by the running program, or longer ones by the log itself; and all that the
 * program tells of them, to be compared before and after.
 */
import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSegmentLog } from '../../src/adapters/segments/open-segment-log.ts';
import { systemClock } from '../../src/adapters/system/system-clock.ts';
import { systemRandom } from '../../src/adapters/system/system-random.ts';
import type { Visit } from '../../src/domain/visit.ts';
import { encodeVisit } from '../../src/serde/visit.ts';
import { inParallel } from './in-parallel.ts';
import { botAgent, createProgramClient, humanAgent, type ProgramClient } from './program-client.ts';
import { createQuietLogger } from './quiet-logger.ts';
import { startProgram } from './running-program.ts';
import { aVisit } from './visits.ts';

export interface WrittenFolder {
  readonly folder: string;
  readonly codes: readonly string[];
  /** All that was told of it when it was whole. */
  readonly told: Readonly<Record<string, string>>;
}

export function temporaryDataFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'tallyhop-'));
}

/** Lets a program write `links` links and `visits` visits of all kinds, with a restart in the middle; then stops it. */
export async function writeDataFolder(links: number, visits: number): Promise<WrittenFolder> {
  const folder = await temporaryDataFolder();
  const program = await startProgram({ dataDir: folder, env: { DRAIN_MS: '0' } });
  const user = createProgramClient(program);
  const codes: string[] = [];
  for (let index = 0; index < links; index += 1) {
    const { code } = await user.create({ url: `https://example.org/${index}`, tags: [`tag ${index % 5}`] });
    codes.push(code);
  }
  const agents = [humanAgent, botAgent, humanAgent.replace('Chrome', 'Edg'), humanAgent.replace('Linux', 'Windows')];
  const follow = (index: number) =>
    user.follow(codes[index % codes.length] ?? '', {
      headers: {
        'user-agent': agents[index % agents.length] ?? humanAgent,
        referer: `https://site-${index % 7}.example/`,
        'accept-language': index % 3 === 0 ? 'de' : 'fr-CA,en',
      },
    });
  const indexes = Array.from({ length: visits }, (_, index) => index);
  await inParallel(8, indexes.slice(0, visits / 2), async (index) => void (await follow(index)));
  // What was written before a start lies in LevelDB's tables, the rest in its write-ahead log.
  await program.restart();
  await inParallel(8, indexes.slice(visits / 2), async (index) => void (await follow(index)));
  const told = await everythingTold(user, codes);
  await program.kill9();
  return { folder, codes, told };
}

/** A copy to do harm to; remove it with {@link removeFolder}. */
export async function copyOfFolder(folder: string): Promise<string> {
  const copy = await temporaryDataFolder();
  await cp(folder, copy, { recursive: true });
  return copy;
}

export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

/** Each link and its whole statistics, read when the numbers are complete: equal whenever the log is. */
export async function everythingTold(user: ProgramClient, codes: readonly string[]): Promise<Record<string, string>> {
  const told: Record<string, string> = {};
  const dayMs = 24 * 60 * 60_000;
  const date = (ms: number) => new Date(ms).toISOString().slice(0, 10);
  const range = `from=${date(Date.now() - 3 * dayMs)}&to=${date(Date.now() + 3 * dayMs)}&interval=day`;
  await user.caughtUp();
  await inParallel(4, codes, async (code) => {
    const { position, ...statistics } = await user.expectApi<{ position: unknown }>(
      200,
      'GET',
      `/api/links/${code}/stats?${range}`,
    );
    // Its short URL has the port of this start.
    const { shortUrl, ...link } = await user.expectApi<{ shortUrl: string }>(200, 'GET', `/api/links/${code}`);
    told[code] = JSON.stringify({ statistics, link });
  });
  return told;
}

/**
 * Appends visits to the log of a folder that no program uses, as many as there are codes given. Segments are left at
 * `segmentBytes`.
 */
export async function appendVisits(
  folder: string,
  visits: Iterable<Partial<Visit>>,
  segmentBytes: number,
): Promise<void> {
  const segments = await openSegmentLog({
    folder: join(folder, 'log'),
    partitions: 1,
    visitFsync: 'off',
    clock: systemClock,
    random: systemRandom,
    logger: createQuietLogger(),
    segmentBytes,
  });
  let failure: Error | null = null;
  let number = 0;
  for (const visit of visits) {
    const whole = aVisit({ at: Date.now(), visitor: randomBytes(4).readUInt32LE(), ...visit });
    segments.journal.append(whole.code, encodeVisit(whole), (error) => {
      failure ??= error;
    });
    number += 1;
    if (number % 500 === 0) await segments.journal.flush();
  }
  await segments.journal.flush();
  await segments.log.close();
  if (failure !== null) throw failure;
}
