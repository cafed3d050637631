/**
 * Stores are folds of the log: lost, damaged, old or foreign ones are noticed, set aside and folded anew, and what is told
 * afterwards is what was told before. Damage is placed by a seed, on copies of one small folder.
 */
import { open, readdir, rename, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import {
  appendVisits,
  copyOfFolder,
  everythingTold,
  removeFolder,
  type WrittenFolder,
  writeDataFolder,
} from '../support/data-folder.ts';
import { createProgramClient, eventually, type ProgramStatistics } from '../support/program-client.ts';
import { type RunningProgram, startProgram } from '../support/running-program.ts';
import { chosenSeed, createSeededRandom, type SeededRandom } from '../support/seeded-random.ts';

jest.setTimeout(170_000);

const damagesTried = 30;
const stores = ['visit-statistics-0', 'visit-statistics-0', 'links', 'answers'];

describe('a store', () => {
  let written: WrittenFolder;
  let folder: string;
  let program: RunningProgram | undefined;

  beforeAll(async () => {
    written = await writeDataFolder(25, 600);
  });
  afterAll(() => removeFolder(written.folder));
  beforeEach(async () => {
    folder = await copyOfFolder(written.folder);
    program = undefined;
  });
  afterEach(async () => {
    await program?.dispose();
    await removeFolder(folder);
  });

  async function startAndCompare(): Promise<RunningProgram> {
    program = await startProgram({ dataDir: folder, env: { DRAIN_MS: '0' } });
    const user = createProgramClient(program);
    expect(await everythingTold(user, written.codes)).toEqual(written.told);
    return program;
  }

  const setAside = async (): Promise<string[]> =>
    (await readdir(join(folder, 'stores'))).filter((name) => name.includes('.damaged-'));

  it('that is whole is gone on with', async () => {
    await startAndCompare();
    expect(await setAside()).toEqual([]);
  });

  it.each([['links'], ['visit-statistics-0'], ['answers'], ['']])(
    'that is gone while the program is down is folded anew: stores/%s',
    async (name) => {
      await rm(join(folder, 'stores', name), { recursive: true });
      await startAndCompare();
      expect(await setAside()).toEqual([]);
    },
  );

  it('of another log is set aside and folded anew', async () => {
    const other = await writeDataFolder(3, 10);
    try {
      for (const name of ['links', 'visit-statistics-0']) {
        await rm(join(folder, 'stores', name), { recursive: true });
        await rename(join(other.folder, 'stores', name), join(folder, 'stores', name));
      }
      await startAndCompare();
      expect(await setAside()).toHaveLength(2);
      expect(program?.output).toMatch(/folded from another log/);
      expect(program?.output).toMatch(/folded from the log [0-9a-f-]+, this is/);
    } finally {
      await removeFolder(other.folder);
    }
  });

  it('that is an older copy of itself catches up, and stays right while more comes', async () => {
    const older = await copyOfFolder(folder);
    try {
      const first = await startAndCompare();
      const user = createProgramClient(first);
      const code = written.codes[0] ?? '';
      const before = await user.statistics(code);
      for (let visit = 0; visit < 30; visit += 1) await user.follow(code);
      const { code: newCode } = await user.create({ url: 'https://example.org/newer' });
      await user.statisticsAt(code, before.total + 30);
      await first.stop();

      await rm(join(folder, 'stores'), { recursive: true });
      await rename(join(older, 'stores'), join(folder, 'stores'));
      await first.restart();
      await user.caughtUp();
      expect((await user.statistics(code)).total).toBe(before.total + 30);
      expect((await user.follow(newCode)).location).toBe('https://example.org/newer');
      expect(await setAside()).toEqual([]);
    } finally {
      await removeFolder(older);
    }
  });

  it('that is ahead of its log (the log is an older copy) is set aside, and what the log holds is told', async () => {
    const ahead = await startProgram({ dataDir: folder, env: { DRAIN_MS: '0' } });
    const user = createProgramClient(ahead);
    for (let visit = 0; visit < 30; visit += 1) await user.follow(written.codes[0] ?? '');
    await user.create({ url: 'https://example.org/lost-with-the-log' });
    await user.caughtUp();
    await ahead.stop();
    const original = await copyOfFolder(written.folder);
    await rm(join(folder, 'log'), { recursive: true });
    await rename(join(original, 'log'), join(folder, 'log'));
    await removeFolder(original);
    await startAndCompare();
    expect(await setAside()).toHaveLength(2);
  });

  it('that is folded anew is not read before it is done: 503 with progress, never a smaller number', async () => {
    const [code = ''] = written.codes;
    const more = 400_000;
    await appendVisits(folder, repeat({ code }, more), 8 * 1024 * 1024);
    program = await startProgram({ dataDir: folder });
    const user = createProgramClient(program);
    await user.caughtUp(60_000);
    const { total } = await user.statistics(code);
    expect(total).toBeGreaterThan(more);
    await program.kill9();
    await rm(join(folder, 'stores', 'visit-statistics-0'), { recursive: true });

    await program.restart();
    const fractions: number[] = [];
    const first = await eventually('the numbers are back', async () => {
      expect((await user.follow(code, { method: 'HEAD' })).status).toBe(302);
      type Told = ProgramStatistics & { progress: { fraction: number } };
      const answer = await user.api<Told>('GET', `/api/links/${code}/stats`);
      if (answer.status === 200) return answer.body.total;
      expect(answer.status).toBe(503);
      expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
      fractions.push(answer.body.progress.fraction);
      return undefined;
    });
    expect(first).toBe(total);
    expect(fractions.length).toBeGreaterThan(2);
    expect(fractions).toEqual([...fractions].sort((left, right) => left - right));
    expect(Math.max(...fractions)).toBeLessThanOrEqual(1);
    expect(Math.max(...fractions)).toBeGreaterThan(0);
  });

  it(`that is damaged in any way is noticed or does not matter: ${damagesTried} damages`, async () => {
    const first = createSeededRandom(chosenSeed());
    let wasSetAside = 0;
    process.stdout.write(`damaged stores: SEED=${first.seed}\n`);
    for (let tried = 0; tried < damagesTried; tried += 1) {
      const random = createSeededRandom(first.seed + tried);
      const copy = await copyOfFolder(written.folder);
      const done: string[] = [];
      for (let each = 0; each <= random.below(2); each += 1) done.push(await damageStore(copy, random));
      const damaged = await startProgram({ dataDir: copy, env: { DRAIN_MS: '0' } }).catch((error: Error) => {
        throw new Error(`SEED=${random.seed}, ${done.join(' and ')}: the program does not start: ${error.message}`);
      });
      try {
        const user = createProgramClient(damaged);
        const told = await everythingTold(user, written.codes).catch((error: Error) => {
          throw new Error(`SEED=${random.seed}, ${done.join(' and ')}: ${error}, ${error.cause}\n${damaged.output}`);
        });
        expect({ seed: random.seed, done, told }).toEqual({ seed: random.seed, done, told: written.told });
        // And it still takes what comes.
        const code = written.codes[0] ?? '';
        const before = (await user.statistics(code)).total;
        expect((await user.follow(code)).status).toBe(302);
        await user.statisticsAt(code, before + 1);
        if (/set aside/.test(damaged.output)) wasSetAside += 1;
      } finally {
        await damaged.dispose();
        await removeFolder(copy);
      }
    }
    process.stdout.write(
      `damaged stores: ${damagesTried} tried, ${wasSetAside} set aside, ${damagesTried - wasSetAside} without effect, wrong 0\n`,
    );
    // A run in which nothing was noticed has shown nothing.
    expect(wasSetAside).toBeGreaterThan(damagesTried / 4);
  });
});

function* repeat<Value>(value: Value, times: number): Generator<Value> {
  for (let time = 0; time < times; time += 1) yield value;
}

/** Damages one file of one store; returns what was done in words. */
async function damageStore(dataDir: string, random: SeededRandom): Promise<string> {
  const store = random.pick(stores);
  const files = (await readdir(join(dataDir, 'stores', store))).filter((name) => name !== 'LOCK' && name !== 'LOG');
  const name = random.pick(files.sort());
  const file = join(dataDir, 'stores', store, name);
  const { size } = await stat(file);
  const where = `${store}/${name} of ${size} bytes`;
  const kind = random.pick(['truncate', 'zero', 'flip', 'flip', 'garbage', 'remove', 'append']);
  if (kind === 'remove') {
    await rm(file);
    return `removed ${where}`;
  }
  if (kind === 'truncate') {
    const to = random.below(size + 1);
    await truncate(file, to);
    return `truncated ${where} to ${to}`;
  }
  const handle = await open(file, 'r+');
  try {
    if (kind === 'append') {
      const bytes = Buffer.from(Array.from({ length: 1 + random.below(300) }, () => random.below(256)));
      await handle.write(bytes, 0, bytes.length, size);
      return `appended ${bytes.length} bytes to ${where}`;
    }
    if (size === 0) return `left ${where}`;
    if (kind === 'flip') {
      const flips = 1 + random.below(random.pick([1, 1, 200]));
      for (let flip = 0; flip < flips; flip += 1) {
        const at = random.below(size);
        const byte = Buffer.alloc(1);
        await handle.read(byte, 0, 1, at);
        byte.writeUInt8(byte.readUInt8(0) ^ (1 << random.below(8)), 0);
        await handle.write(byte, 0, 1, at);
      }
      return `flipped ${flips} bits of ${where}`;
    }
    const at = random.below(size);
    const length = Math.min(size - at, random.pick([1, 16, 512, 4096]));
    const bytes = Buffer.alloc(length);
    if (kind === 'garbage') for (let index = 0; index < length; index += 1) bytes[index] = random.below(256);
    await handle.write(bytes, 0, length, at);
    return `${kind} ${length} bytes at ${at} of ${where}`;
  } finally {
    await handle.close();
  }
}
