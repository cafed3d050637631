import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  answerKeptMs,
  createLevelAnswerStore,
  type LevelAnswerStore,
} from '../../../src/adapters/level/level-answer-store.ts';
import { openLevelStateStore } from '../../../src/adapters/level/level-state-store.ts';
import type { KeptAnswer } from '../../../src/ports/answer-store.ts';

const clockAtZero = { nowMs: () => 0, monotonicMs: () => 0 };
const startMs = Date.UTC(2026, 0, 1);

describe('kept answers', () => {
  let folder: string;
  let nowMs: number;
  let answers: LevelAnswerStore;

  async function open(): Promise<LevelAnswerStore> {
    const store = await openLevelStateStore({ folder });
    return createLevelAnswerStore(store, { nowMs: () => nowMs, monotonicMs: () => 0 });
  }

  const answer = (body: string): KeptAnswer => ({
    fingerprint: 'print',
    status: 201,
    headers: { etag: '"1"' },
    body,
    keptAtMs: nowMs,
  });

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tallyhop-answers-'));
    nowMs = startMs;
    answers = await open();
  });

  afterEach(async () => {
    await answers.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('are found again as they were, after a restart too, and under no other key', async () => {
    const key = `key with every character ${'~'.repeat(230)}`;
    await answers.keep(key, answer('{"ü":1}'));
    expect(await answers.find(key)).toEqual(answer('{"ü":1}'));
    expect(await answers.find('key')).toBeUndefined();
    await answers.close();
    answers = await open();
    expect(await answers.find(key)).toEqual(answer('{"ü":1}'));
  });

  it('are remembered for more than 24 hours and not for ever', async () => {
    await answers.keep('key', answer('1'));
    nowMs += 25 * 60 * 60 * 1000;
    expect((await answers.find('key'))?.body).toBe('1');
    nowMs = startMs + answerKeptMs + 1;
    expect(await answers.find('key')).toBeUndefined();
  });

  it('are swept in bounded steps once they have expired, and only then', async () => {
    await Promise.all(Array.from({ length: 1500 }, (_, index) => answers.keep(`old${index}`, answer('1'))));
    nowMs += answerKeptMs + 1;
    await answers.keep('fresh', answer('2'));
    let looked = 0;
    for (let step = 0; step < 4; step += 1) {
      const rows = await answers.sweep();
      expect(rows).toBeLessThanOrEqual(1000);
      looked += rows;
    }
    expect(looked).toBeGreaterThanOrEqual(1);
    expect(await answers.find('fresh')).toBeDefined();
    await answers.close();
    const store = await openLevelStateStore({ folder });
    expect((await store.range({ limit: 10_000 })).length).toBe(1);
    await store.close();
    answers = await open();
  });

  it('survive kill -9 of the process that said they were kept', async () => {
    const killed = join(folder, 'killed');
    const script = fileURLToPath(new URL('../../support/keep-answer-process.ts', import.meta.url));
    const child = spawn(process.execPath, ['--import', 'tsx', script, killed, 'key'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    const [said] = (await once(child.stdout, 'data')) as [Buffer];
    child.kill('SIGKILL');
    await exited;
    expect(said.toString()).toBe('kept\n');
    const again = createLevelAnswerStore(await openLevelStateStore({ folder: killed }), clockAtZero);
    expect((await again.find('key'))?.body).toBe('kept');
    await again.close();
  });

  it('survive a sweep that runs while they are kept again', async () => {
    for (let round = 0; round < 20; round += 1) {
      await answers.keep('key', answer(`${round}`));
      nowMs += answerKeptMs + 1;
      const sweeping = answers.sweep();
      await Promise.all([answers.keep('key', answer(`again ${round}`)), sweeping, answers.sweep()]);
      expect((await answers.find('key'))?.body).toBe(`again ${round}`);
    }
  });
});
