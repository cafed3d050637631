import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { openLevelStateStore } from '../../../src/adapters/level/level-state-store.ts';
import { setAsideFolder } from '../../../src/adapters/level/set-aside-folder.ts';
import { type StateStore, StoreDamaged, StoreLocked } from '../../../src/ports/state-store.ts';
import { describeStateStore } from '../../contracts/state-store.ts';
import { until } from '../../support/until.ts';

async function temporaryFolder(): Promise<string> {
  return await mkdtemp(join(tmpdir(), 'tallyhop-level-'));
}

describeStateStore('LevelDB', async () => {
  const folder = await temporaryFolder();
  return {
    store: await openLevelStateStore({ folder: join(folder, 'store') }),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
});

describe('the store on LevelDB', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await temporaryFolder();
  });

  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('keeps its rows when it is opened again', async () => {
    const first = await openLevelStateStore({ folder });
    const batch = first.batch();
    batch.put('a', Buffer.from('1'));
    await batch.write();
    await first.close();

    const second = await openLevelStateStore({ folder });
    expect(Buffer.from(second.getSync('a') ?? []).toString()).toBe('1');
    await second.close();
  });

  it('says that another holder has it open', async () => {
    const first = await openLevelStateStore({ folder });
    await expect(openLevelStateStore({ folder })).rejects.toBeInstanceOf(StoreLocked);
    await first.close();
  });

  it('sets a folder aside under a name with the time, and a new store can take its place', async () => {
    const store = join(folder, 'store');
    const clock = { nowMs: () => Date.UTC(2026, 0, 2, 3, 4, 5, 6), monotonicMs: () => 0 };
    const first = await openLevelStateStore({ folder: store });
    await first.close();
    expect(await setAsideFolder(store, clock)).toBe(`${store}.damaged-20260102T030405006Z`);
    const second = await openLevelStateStore({ folder: store });
    await second.close();
    expect(await setAsideFolder(store, clock)).toBe(`${store}.damaged-20260102T030405006Z-2`);
    expect(existsSync(store)).toBe(false);
  });

  it('refuses to make a new store over one that lost its CURRENT file', async () => {
    const first = await openLevelStateStore({ folder });
    await first.close();
    const second = await openLevelStateStore({ folder });
    await second.close();
    await rm(join(folder, 'CURRENT'));
    await expect(openLevelStateStore({ folder })).rejects.toBeInstanceOf(StoreDamaged);
  });

  it('does not mind a table that a killed compaction left unfinished', async () => {
    const written = await writtenStore(folder);
    const unfinished = join(folder, '999999.ldb');
    await writeFile(unfinished, Buffer.alloc(5000, 1));
    const store = await openLevelStateStore({ folder });
    expect((await store.range({ limit: 10_000 })).length).toBe(written.size);
    await store.close();
  });

  it('opens after every kill -9 with all batches that were written, whole', async () => {
    const script = fileURLToPath(new URL('../../support/write-batches-process.ts', import.meta.url));
    let least = 0;
    for (let kill = 0; kill < 6; kill += 1) {
      const child = spawn(process.execPath, ['--import', 'tsx', script, folder], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const exited = once(child, 'exit');
      const wanted = least + 100 + kill * 37;
      for await (const line of createInterface({ input: child.stdout })) {
        least = Number(line);
        if (least >= wanted) child.kill('SIGKILL');
      }
      await exited;
      const store = await openLevelStateStore({ folder });
      const round = Number(Buffer.from(store.getSync('round') ?? []).toString());
      expect(round).toBeGreaterThanOrEqual(least);
      const slots = await store.range({ gte: 'slot/', lt: 'slot~', limit: 100 });
      expect(slots.map(([, value]) => Buffer.from(value).toString())).toEqual(Array(50).fill(String(round)));
      await store.close();
    }
  }, 60_000);

  it('does not open a store again that gave wrong bytes while it was read', async () => {
    const written = await writtenStore(folder);
    const [table] = (await readdir(folder)).filter((name) => name.endsWith('.ldb'));
    const file = join(folder, table ?? '');
    const bytes = await readFile(file);
    bytes.fill(0x55, 100, bytes.length - 4096);
    await writeFile(file, bytes);

    const store = await openLevelStateStore({ folder, verifyBytesMax: 0 });
    expect(() => {
      for (const key of written.keys()) store.getSync(key);
    }).toThrow(StoreDamaged);
    await store.close();
    await expect(openLevelStateStore({ folder, verifyBytesMax: 0 })).rejects.toBeInstanceOf(StoreDamaged);
  });

  it('finds damage behind the bytes that are verified before opening, without a read of it', async () => {
    await writtenStore(folder);
    const tables = (await readdir(folder)).filter((name) => name.endsWith('.ldb')).sort();
    const file = join(folder, tables[0] ?? '');
    const bytes = await readFile(file);
    bytes.writeUInt8(bytes.readUInt8(50) ^ 1, 50);
    await writeFile(file, bytes);

    const store = await openLevelStateStore({ folder, verifyBytesMax: 0 });
    await until(() => existsSync(join(folder, 'DAMAGED')), 'the damage is found');
    expect(() => store.getSync('no such row')).toThrow(StoreDamaged);
    await expect(store.range({ limit: 1 })).rejects.toBeInstanceOf(StoreDamaged);
    await store.close();
  });

  it('gives the exact rows of some moment or an error, whatever bytes of its files are flipped, zeroed or cut', async () => {
    const original = join(folder, 'original');
    const states = await statesOf(original);
    const files = (await readdir(original)).filter((name) => /\.(ldb|log)$|^MANIFEST|^CURRENT$/.test(name));
    expect(files.filter((name) => name.endsWith('.ldb')).length).toBeGreaterThan(0);
    const random = seeded(20_260_101);
    const outcomes = { refused: 0, exact: 0 };

    for (let run = 0; run < 150; run += 1) {
      const copy = join(folder, `copy-${run}`);
      await cp(original, copy, { recursive: true });
      const name = files[random(files.length)] ?? '';
      const what = await mutate(join(copy, name), random);
      const found = await contentOf(copy);
      if (found === 'refused') outcomes.refused += 1;
      else {
        outcomes.exact += 1;
        if (!states.has(found))
          throw new Error(`run ${run}: ${name} ${what}: the store gave rows that never stood together`);
      }
      await rm(copy, { recursive: true, force: true });
    }
    expect(outcomes.refused).toBeGreaterThan(50);
  }, 60_000);
});

/** A closed store of a few thousand rows that stand in table files. */
async function writtenStore(folder: string): Promise<Map<string, string>> {
  const rows = new Map<string, string>();
  const store = await openLevelStateStore({ folder, writeBufferBytes: 64 * 1024 });
  for (let round = 0; round < 10; round += 1) {
    const batch = store.batch();
    for (let index = 0; index < 300; index += 1) {
      const key = `row/${String(index * 7919 + round).padStart(8, '0')}`;
      const value = `${round}:${index}:${'abcdefgh'.repeat(index % 20)}`;
      rows.set(key, value);
      batch.put(key, Buffer.from(value));
    }
    await batch.write();
  }
  await store.close();
  return rows;
}

/** Writes a store batch by batch; the result holds the digest of its rows after each batch. */
async function statesOf(folder: string): Promise<ReadonlySet<string>> {
  const states = new Set<string>();
  const store = await openLevelStateStore({ folder, writeBufferBytes: 64 * 1024 });
  states.add(await digestOf(store));
  for (let round = 0; round < 60; round += 1) {
    const batch = store.batch();
    for (let index = 0; index < 40; index += 1) {
      const key = `row/${String((index * 7919 + round * 13) % 2000).padStart(8, '0')}`;
      if (index % 9 === 8) batch.delete(key);
      else batch.put(key, Buffer.from(`${round}:${index}:${String(round * index).repeat(index % 12)}`));
    }
    await batch.write();
    states.add(await digestOf(store));
  }
  await store.close();
  return states;
}

async function digestOf(store: StateStore): Promise<string> {
  const entries = await store.range({ limit: 10_000 });
  for (const [key, value] of entries) {
    if (Buffer.compare(store.getSync(key) ?? Buffer.alloc(0), value) !== 0) throw new Error('range and read differ');
  }
  return entries.map(([key, value]) => `${key}=${Buffer.from(value).toString()}`).join('\n');
}

async function contentOf(folder: string): Promise<string> {
  let store: StateStore;
  try {
    store = await openLevelStateStore({ folder });
  } catch (error) {
    if (error instanceof StoreDamaged) return 'refused';
    throw error;
  }
  try {
    return await digestOf(store);
  } catch (error) {
    if (error instanceof StoreDamaged) return 'refused';
    throw error;
  } finally {
    await store.close();
  }
}

async function mutate(file: string, random: (below: number) => number): Promise<string> {
  const bytes = await readFile(file);
  const kind = random(3);
  if (kind === 0) {
    const flips = 1 + random(20);
    for (let flip = 0; flip < flips; flip += 1) {
      const at = random(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
    }
    await writeFile(file, bytes);
    return `with ${flips} flipped bits`;
  }
  const from = random(bytes.length);
  if (kind === 1) {
    const to = Math.min(bytes.length, from + 1 + random(4096));
    await writeFile(file, bytes.fill(0, from, to));
    return `with zeros from ${from} to ${to}`;
  }
  await writeFile(file, bytes.subarray(0, from));
  return `cut at ${from}`;
}

/** Numbers below a bound from a seed (mulberry32). */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
