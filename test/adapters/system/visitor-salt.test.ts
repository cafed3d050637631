import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { systemRandom } from '../../../src/adapters/system/system-random.ts';
import { type OpenedVisitorSalt, openVisitorSalt } from '../../../src/adapters/system/visitor-salt.ts';
import type { Logger } from '../../../src/ports/logger.ts';

const dayMs = 86_400_000;
const noon = 20_000 * dayMs + dayMs / 2;

describe("a day's visitor salt", () => {
  let dataDir: string;
  let nowMs: number;
  let opened: OpenedVisitorSalt[];
  let errors: string[];

  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'tallyhop-salt-'));
    nowMs = noon;
    opened = [];
    errors = [];
  });
  afterEach(async () => {
    for (const salt of opened) await salt.close();
    jest.useRealTimers();
    rmSync(dataDir, { recursive: true, force: true });
  });

  const path = () => join(dataDir, 'visitor-salt.json');
  const kept = (): { day: number; salt: string } => JSON.parse(readFileSync(path(), 'utf8'));

  async function openSalt(
    agree?: (day: number, salt: string) => Promise<string>,
    folder = dataDir,
  ): Promise<OpenedVisitorSalt> {
    const logger: Logger = {
      debug: () => {},
      info: () => {},
      warn: () => {},
      error: (_fields, message) => void errors.push(message),
      child: () => logger,
    };
    const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
    const salt = await openVisitorSalt({
      ...{ dataDir: folder, clock, random: systemRandom, logger },
      ...(agree && { agree }),
    });
    opened.push(salt);
    return salt;
  }

  it('is made at the first start, in a file for its owner alone', async () => {
    const salt = await openSalt();
    expect(salt.saltAt(noon)).toMatch(/^[0-9a-f]{64}$/);
    expect(kept()).toEqual({ day: 20_000, salt: salt.saltAt(noon) });
    expect(statSync(path()).mode & 0o777).toBe(0o600);
  });

  it('is one for all instances: the first that is offered', async () => {
    const offered = new Map<number, string>();
    const agree = async (day: number, salt: string) => {
      if (!offered.has(day)) offered.set(day, salt);
      return offered.get(day) ?? '';
    };
    const other = mkdtempSync(join(tmpdir(), 'tallyhop-salt-'));
    try {
      const first = await openSalt(agree);
      const second = await openSalt(agree, other);
      expect(second.saltAt(noon)).toBe(first.saltAt(noon));
      await second.close();
      expect(JSON.parse(readFileSync(join(other, 'visitor-salt.json'), 'utf8'))).toEqual(kept());
    } finally {
      rmSync(other, { recursive: true, force: true });
    }
  });

  it('is its own while the others cannot be asked, and is not replaced by what is no salt', async () => {
    const salt = await openSalt(() => Promise.reject(new Error('away')));
    const own = salt.saltAt(noon);
    expect(own).toMatch(/^[0-9a-f]{64}$/);
    expect((await openSalt(async () => 'x')).saltAt(noon)).toBe(own);
  });

  it('survives a restart within its day', async () => {
    const before = (await openSalt()).saltAt(noon);
    nowMs = noon + dayMs / 2 - 1;
    expect((await openSalt()).saltAt(nowMs)).toBe(before);
  });

  it('is destroyed at a start on another day', async () => {
    const before = (await openSalt()).saltAt(noon);
    nowMs = noon + dayMs;
    const after = (await openSalt()).saltAt(nowMs);
    expect(after).not.toBe(before);
    expect(kept()).toEqual({ day: 20_001, salt: after });
    expect(readFileSync(path(), 'utf8')).not.toContain(before);
  });

  it('is another one from the first millisecond of the next UTC day', async () => {
    const salt = await openSalt();
    const midnight = 20_001 * dayMs;
    const before = salt.saltAt(midnight - 1);
    const after = salt.saltAt(midnight);
    expect(after).not.toBe(before);
    expect(salt.saltAt(midnight + dayMs - 1)).toBe(after);
    await salt.close();
    expect(kept()).toEqual({ day: 20_001, salt: after });
  });

  it('is destroyed after midnight although nobody comes', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance', 'Date'] });
    const salt = await openSalt();
    const before = kept().salt;
    nowMs = 20_001 * dayMs + 500;
    jest.advanceTimersByTime(dayMs / 2 + 500);
    await salt.close();
    expect(kept().day).toBe(20_001);
    expect(kept().salt).not.toBe(before);
  });

  it.each(['', '{', '{"day":20000}', '{"day":20000,"salt":"x"}\n', 'null', '\0'.repeat(200)])(
    'is made anew when its file is garbled: %j',
    async (content) => {
      writeFileSync(path(), content, { mode: 0o644 });
      const salt = await openSalt();
      expect(kept()).toEqual({ day: 20_000, salt: salt.saltAt(noon) });
      expect(statSync(path()).mode & 0o777).toBe(0o600);
    },
  );

  it('changes in memory although its file cannot be written, and says so', async () => {
    const salt = await openSalt();
    const before = salt.saltAt(noon);
    rmSync(dataDir, { recursive: true });
    expect(salt.saltAt(noon + dayMs)).not.toBe(before);
    await salt.close();
    expect(errors).toEqual(['the salt of a day that ended is still in its file']);
  });
});
