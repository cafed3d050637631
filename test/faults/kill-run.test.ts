/**
 * The promise P1 under kill -9: a hundred thousand visits from many keep-alive clients, twenty kills at seeded moments,
 * restarts on the same folder. Once with requests under way at each kill (the numbers lie between what was answered and
 * that plus what is unknown), once without (they are equal). The seed is printed; `SEED=…` runs it again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { jest } from '@jest/globals';
import { inParallel } from '../support/in-parallel.ts';
import {
  createProgramClient,
  eventually,
  type ProgramClient,
  type ProgramStatistics,
} from '../support/program-client.ts';
import { type RunningProgram, startProgram } from '../support/running-program.ts';
import { chosenSeed, createSeededRandom, type SeededRandom } from '../support/seeded-random.ts';
import { createVisitors, sumOf, type Visitors } from '../support/visitors.ts';

const visitsMax = 100_000;
const kills = 20;
const visitorsAtOnce = 32;
const firstLinks = 40;
const killDelayMaxMs = 15;

jest.setTimeout(170_000);

describe('a program that is killed again and again', () => {
  const seed = chosenSeed();

  it.each([
    { inFlight: true, name: 'with requests under way at every kill' },
    { inFlight: false, name: 'with no request under way at any kill' },
  ])('counts every answered visit once, $name', async ({ inFlight }) => {
    const random = createSeededRandom(seed);
    const program = await startProgram();
    try {
      const run = await killRun(program, random, inFlight);
      const { answered, unknown, counted } = run;
      let lost = 0;
      let duplicated = 0;
      for (const code of counted.keys()) {
        const least = answered.get(code) ?? 0;
        const most = least + (unknown.get(code) ?? 0);
        const number = counted.get(code) ?? 0;
        lost += Math.max(0, least - number);
        duplicated += Math.max(0, number - most);
      }
      process.stdout.write(
        `kill run (${inFlight ? 'in flight' : 'paused'}): SEED=${seed} kills ${kills}, answered ${sumOf(answered)}, ` +
          `unknown ${sumOf(unknown)}, counted ${sumOf(counted)}, lost ${lost}, duplicated ${duplicated}, ` +
          `links ${run.links}, other answers ${JSON.stringify([...run.refused])}, ` +
          `longest gap ${Math.round(run.longestGapMs)} ms\n`,
      );
      expect({ lost, duplicated, wrongTargets: run.wrongTargets.slice(0, 5), fallen: run.fallen.slice(0, 5) }).toEqual({
        lost: 0,
        duplicated: 0,
        wrongTargets: [],
        fallen: [],
      });
      expect([...run.refused]).toEqual([]);
      expect(sumOf(answered)).toBeGreaterThanOrEqual(visitsMax);
      if (inFlight) expect(sumOf(unknown)).toBeGreaterThan(0);
      else expect([...counted].filter(([, number]) => number > 0).sort()).toEqual([...answered].sort());
    } finally {
      await program.dispose();
    }
  });
});

interface KillRun extends Pick<Visitors, 'answered' | 'unknown' | 'refused' | 'longestGapMs'> {
  readonly counted: ReadonlyMap<string, number>;
  readonly links: number;
  readonly wrongTargets: readonly string[];
  /** Totals that were seen to fall. */
  readonly fallen: readonly string[];
}

async function killRun(program: RunningProgram, random: SeededRandom, inFlight: boolean): Promise<KillRun> {
  const user = createProgramClient(program);
  const creator = createCreator(user, random);
  while (creator.targets.size < firstLinks) await creator.createOne();
  let codes = [...creator.targets.keys()];
  const visitors: Visitors = createVisitors({
    port: program.port,
    visitors: visitorsAtOnce,
    // Some links are far more popular than others.
    nextCode: () =>
      visitors.count() < visitsMax ? (codes[Math.floor(codes.length * random.next() ** 3)] ?? null) : null,
  });
  const reader = createReader(user, () => random.pick(codes));
  creator.start();
  reader.start();

  for (let kill = 0; kill < kills; kill += 1) {
    visitors.resume();
    const roundEnd = Math.floor((visitsMax * (kill + 1)) / (kills + 1));
    await visitors.reached(roundEnd - random.below(visitsMax / kills / 2));
    if (!inFlight) await visitors.pause();
    await delay(random.next() * killDelayMaxMs);
    await program.kill9();
    await program.restart();
    codes = [...creator.targets.keys()];
  }
  visitors.resume();
  await visitors.done();
  await Promise.all([creator.stop(), reader.stop()]);

  const wrongTargets: string[] = [];
  const counted = new Map<string, number>();
  await inParallel(8, creator.targets, async ([code, url]) => {
    const answer = await user.follow(code, { method: 'HEAD' });
    if (answer.status !== 302 || answer.location !== url)
      wrongTargets.push(`${code}: ${answer.status} ${answer.location}`);
    const statistics = await caughtUp(user, code);
    counted.set(code, statistics.total);
  });
  return {
    ...{ answered: visitors.answered, unknown: visitors.unknown, refused: visitors.refused },
    longestGapMs: visitors.longestGapMs,
    counted,
    links: creator.targets.size,
    wrongTargets,
    fallen: reader.fallen,
  };
}

/** The numbers when nothing that was accepted is missing from them. */
function caughtUp(user: ProgramClient, code: string): Promise<ProgramStatistics> {
  return eventually(`the numbers of ${code} are complete`, async () => {
    const statistics = await user.statistics(code);
    return statistics.position.lagMs === 0 ? statistics : undefined;
  });
}

/** Creates links all the time; remembers the target of each that was answered with success. */
function createCreator(user: ProgramClient, random: SeededRandom) {
  const targets = new Map<string, string>();
  let running: Promise<void> | null = null;
  let stopped = false;
  let number = 0;

  async function createOne(): Promise<void> {
    number += 1;
    const url = `https://example.org/${number}?r=${random.below(1_000_000)}&text=%C3%A9'()*#${number}`;
    const answer = await user.api<{ code: string }>('POST', '/api/links', { url });
    if (answer.status !== 201) throw new Error(`a creation was answered ${answer.status}`);
    targets.set(answer.body.code, new URL(url).href);
  }

  return {
    targets,
    createOne,
    start() {
      running = (async () => {
        while (!stopped) {
          await createOne().catch(() => undefined);
          await delay(20);
        }
      })();
    },
    async stop() {
      stopped = true;
      await running;
    },
  };
}

/** Reads numbers all the time, through every restart, and notes each that is smaller than one read before. */
function createReader(user: ProgramClient, nextCode: () => string) {
  const highest = new Map<string, number>();
  const fallen: string[] = [];
  let running: Promise<void> | null = null;
  let stopped = false;

  function note(code: string, where: string, total: number): void {
    const before = highest.get(code) ?? 0;
    if (total < before) fallen.push(`${code} in ${where}: ${total} after ${before}`);
    highest.set(code, Math.max(before, total));
  }

  async function readOnce(): Promise<void> {
    const code = nextCode();
    const statistics = await user.api<ProgramStatistics>('GET', `/api/links/${code}/stats`);
    if (statistics.status === 200) note(code, 'statistics', statistics.body.total);
    const list = await user.api<{ links: { code: string; visits: { total: number } }[] }>('GET', '/api/links?limit=50');
    if (list.status === 200) for (const link of list.body.links) note(link.code, 'list', link.visits.total);
  }

  return {
    fallen,
    start() {
      running = (async () => {
        while (!stopped) {
          // While nobody is there to be asked, nothing is read.
          await readOnce().catch(() => undefined);
          await delay(5);
        }
      })();
    },
    async stop() {
      stopped = true;
      await running;
    },
  };
}
