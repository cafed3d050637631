/**
 * `npm run verify` against the running program: it finds no drift where there is none, under load too, and finds every kind of
 * drift that is brought about. It is the judge of the promise that numbers are exact, so it is judged here.
 */
import { appendFile, cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLevelStateStore } from '../../src/adapters/level/level-state-store.ts';
import {
  decodeFrameHeader,
  type FrameHeader,
  frameHeaderBytes,
  sealFrame,
  segmentHeaderBytes,
} from '../../src/adapters/segments/segment-format.ts';
import { totalsRowCodec } from '../../src/projections/totals-row.ts';
import { dayKey, totalsKey } from '../../src/projections/visit-statistics.ts';
import { payloadOf, versionBytes } from '../../src/worker/versioned-rows.ts';
import { inParallel } from '../support/in-parallel.ts';
import { botAgent, createProgramClient, humanAgent } from '../support/program-client.ts';
import { type RunningProgram, startProgram } from '../support/running-program.ts';
import { driftOf, runVerify } from '../support/verify-run.ts';
import { createVisitors } from '../support/visitors.ts';

const linksCount = 24;
const visitsCount = 240;

/** Follows links as people, bots and prefetching browsers do, and changes, disables, deletes and restores some of them. */
async function useProgram(program: RunningProgram): Promise<string[]> {
  const user = createProgramClient(program);
  const codes: string[] = [];
  for (let index = 0; index < linksCount; index += 1) {
    const limit = index % 6 === 5 ? { maxVisits: 3 } : {};
    const { code } = await user.create({ url: `https://example.org/${index}?ä=1`, tags: [`t${index % 3}`], ...limit });
    codes.push(code);
  }
  const kinds = [{ 'user-agent': humanAgent }, { 'user-agent': botAgent }, { 'sec-purpose': 'prefetch' }];
  const visits = Array.from({ length: visitsCount }, (_, index) => index);
  await inParallel(8, visits, async (index) => {
    await user.follow(codes[(index * index) % linksCount] ?? '', {
      headers: kinds[index % 7 < 5 ? 0 : (index % 7) - 4] ?? {},
    });
  });
  const [changed = '', disabled = '', deleted = '', restored = '', rolledBack = ''] = codes;
  for (const code of [changed, rolledBack]) {
    await user.expectApi(200, 'PATCH', `/api/links/${code}`, { url: `https://example.com/${code}`, note: 'moved' });
  }
  await user.expectApi(200, 'PATCH', `/api/links/${disabled}`, { status: 'disabled' });
  await user.expectApi(204, 'DELETE', `/api/links/${deleted}`);
  await user.expectApi(204, 'DELETE', `/api/links/${restored}`);
  await user.expectApi(200, 'POST', `/api/links/${restored}/restore`);
  await user.expectApi(200, 'POST', `/api/links/${rolledBack}/rollback`, { version: 1 });
  return codes;
}

const optionsFor = (program: RunningProgram, ...more: string[]) => [
  `--url=${program.baseUrl}`,
  `--data-dir=${program.dataDir}`,
  ...more,
];

describe('verify', () => {
  let program: RunningProgram;
  let codes: string[];

  beforeAll(async () => {
    program = await startProgram({ env: { PARTITIONS: '2', DRAIN_MS: '0' } });
    codes = await useProgram(program);
    await program.restart();
  });
  afterAll(() => program.dispose());

  it('finds no drift in links of every kind and visits of every class, and exits with 0', async () => {
    const run = await runVerify(optionsFor(program, '--json'));
    expect({ ...run, drift: driftOf(run) }).toMatchObject({ code: 0, drift: {} });
    const { links, visits, views } = run.result ?? {};
    expect(links).toEqual({ count: linksCount, events: linksCount + 7, rejected: 0 });
    expect(visits).toMatchObject({ repeated: 0, gaps: 0, notCountable: 0 });
    const counted = (visits?.nonBots ?? 0) + (visits?.bots ?? 0) + (visits?.prefetches ?? 0);
    expect(counted).toBe(visits?.records);
    expect(visits?.bots).toBeGreaterThan(0);
    expect(visits?.prefetches).toBeGreaterThan(0);
    const compared = Object.fromEntries((views ?? []).map((each) => [each.view, each.compared]));
    expect(compared).toEqual({
      'raw log': expect.any(Number),
      'end of the log': 2,
      'list of links': linksCount,
      redirects: linksCount - 2,
      statistics: linksCount,
    });
  });

  it('prints a table, and finds the program by the settings that it was started with', async () => {
    const run = await runVerify([], { PORT: String(program.port), DATA_DIR: program.dataDir });
    expect(run.code).toBe(0);
    expect(run.output).toMatch(/^links {3}24 \(31 events/m);
    expect(run.output).toMatch(/^statistics +http\S+ +24 +0 +0$/m);
    expect(run.output).toMatch(/^no drift$/m);
  });

  it('compares a stated sample on demand', async () => {
    const run = await runVerify(optionsFor(program, '--json', '--sample=5'));
    expect(run.code).toBe(0);
    expect(run.result?.sampled).toBe(5);
    expect(run.result?.notes).toEqual(['statistics and redirects of 5 of 24 links were asked for']);
    expect(run.result?.views.find(({ view }) => view === 'statistics')?.compared).toBe(5);
  });

  it('finds no drift while links are followed, made and changed', async () => {
    const user = createProgramClient(program);
    const open = codes.filter((_, index) => index > 2 && index % 6 !== 5);
    let visits = 0;
    let isOver = false;
    const visitors = createVisitors({
      port: program.port,
      visitors: 8,
      nextCode: () => (isOver ? null : (open[visits++ % open.length] ?? null)),
    });
    visitors.resume();
    await visitors.reached(50);
    const changes = (async () => {
      for (let note = 0; !isOver; note += 1) {
        await user.expectApi(200, 'PATCH', `/api/links/${codes[note % 2 === 0 ? 0 : 3]}`, { note: `note ${note}` });
        await user.create({ url: `https://example.org/under-load/${note}` });
      }
    })();
    const runs = [await runVerify(optionsFor(program, '--json')), await runVerify(optionsFor(program, '--json'))];
    isOver = true;
    await Promise.all([changes, visitors.done()]);
    expect(runs.map((run) => ({ code: run.code, drift: driftOf(run) }))).toEqual([
      { code: 0, drift: {} },
      { code: 0, drift: {} },
    ]);
    expect(visitors.count()).toBeGreaterThan(100);
  });
});

describe('verify finds', () => {
  let made: string;
  let codes: string[];
  let folder: string;

  beforeAll(async () => {
    made = await mkdtemp(join(tmpdir(), 'tallyhop-'));
    const program = await startProgram({ dataDir: made, env: { DRAIN_MS: '0' } });
    codes = await useProgram(program);
    await program.stop();
  });
  afterAll(() => rm(made, { recursive: true, force: true }));

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tallyhop-'));
    await cp(made, folder, { recursive: true });
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function verifyFolder(meanwhile: (program: RunningProgram) => Promise<void> = async () => undefined) {
    const program = await startProgram({ dataDir: folder, env: { DRAIN_MS: '0' } });
    try {
      await meanwhile(program);
      return await runVerify(optionsFor(program, '--json', '--timeout=10'));
    } finally {
      await program.dispose();
    }
  }

  /** Writes a row as the store would, but with other contents. */
  async function alterRow(store: string, key: string, alter: (row: Buffer) => Buffer): Promise<void> {
    const opened = await openLevelStateStore({ folder: join(folder, 'stores', store) });
    const row = opened.getSync(key);
    if (row === undefined) throw new Error(`there is no row ${key}`);
    const batch = opened.batch();
    batch.put(key, alter(Buffer.from(row)));
    await batch.write();
    await opened.close();
  }

  const visitsFile = () => join(folder, 'log', 'visits', '0', `${'0'.repeat(20)}.log`);

  /** The first frame of the file, and what its header says. */
  async function firstFrame(): Promise<{ bytes: Buffer; header: FrameHeader }> {
    const file = await readFile(visitsFile());
    const header = { bodyBytes: 0, bodyCrc: 0, count: 0, baseOffset: 0, appendedAtMs: 0, baseSequence: 0 };
    expect(decodeFrameHeader(file, segmentHeaderBytes, header)).toBe(true);
    const bytes = file.subarray(segmentHeaderBytes, segmentHeaderBytes + frameHeaderBytes + header.bodyBytes);
    return { bytes: Buffer.from(bytes), header };
  }

  it('nothing in an untouched copy', async () => {
    const run = await verifyFolder();
    expect({ code: run.code, drift: driftOf(run) }).toEqual({ code: 0, drift: {} });
  });

  it('a total that is too high by one visit, in the list that shows it', async () => {
    const code = codes[1] ?? '';
    await alterRow('visit-statistics-0', totalsKey(code), (row) => {
      const totals = totalsRowCodec.decode(payloadOf(row));
      const altered = Buffer.alloc(64);
      row.copy(altered, 0, 0, versionBytes);
      return altered.subarray(
        0,
        totalsRowCodec.encode({ ...totals, nonBots: totals.nonBots + 1 }, altered, versionBytes),
      );
    });
    const run = await verifyFolder();
    expect(run.code).toBe(1);
    expect(driftOf(run)).toEqual({ 'list of links': `${code}: total` });
    const [first] = run.result?.views.find(({ view }) => view === 'list of links')?.examples ?? [];
    expect(Number(first?.found) - Number(first?.expected)).toBe(1);
  });

  it('a day with a prefetch too many, in the statistics of its link', async () => {
    const code = codes[4] ?? '';
    const day = Math.floor(Date.now() / 86_400_000);
    await alterRow('visit-statistics-0', dayKey(code, day), (row) => {
      // The first number of the row, far below 128.
      row.writeUInt8(row.readUInt8(versionBytes) + 1, versionBytes);
      return row;
    });
    const run = await verifyFolder();
    expect({ code: run.code, drift: driftOf(run) }).toEqual({ code: 1, drift: { statistics: `${code}: prefetches` } });
  });

  it('a link that leads elsewhere, in the list, the redirects and the statistics', async () => {
    const url = 'https://example.org/7?%C3%A4=1';
    const store = await openLevelStateStore({ folder: join(folder, 'stores', 'links') });
    const rows = await store.range({ gte: 'l/', lt: 'l0', limit: 100 });
    await store.close();
    const [key = '', row] = rows.find(([, value]) => Buffer.from(value).includes(url)) ?? [];
    const [code] = JSON.parse(Buffer.from(row ?? []).toString()) as [string];
    await alterRow('links', key, (bytes) =>
      Buffer.from(bytes.toString().replace(url, 'https://example.com/elsewhere')),
    );
    const run = await verifyFolder();
    expect(run.code).toBe(1);
    expect(driftOf(run)).toEqual({
      'list of links': `${code}: url`,
      redirects: `${code}: redirect`,
      statistics: `${code}: url`,
    });
  });

  it('a record that the running program knows nothing of', async () => {
    const run = await verifyFolder(async () => {
      const { bytes, header } = await firstFrame();
      const [file, records] = [await readFile(visitsFile()), await recordsIn(visitsFile())];
      expect(file.length).toBeGreaterThan(bytes.length);
      const producer = Buffer.alloc(16, 7);
      sealFrame(bytes, bytes.length, { ...header, baseOffset: records, baseSequence: 0 }, producer);
      await appendFile(visitsFile(), bytes);
    });
    expect({ code: run.code, drift: driftOf(run) }).toEqual({
      code: 1,
      drift: { 'end of the log': 'visits: the end' },
    });
  });

  it('no drift, but a repetition, in a frame that stands in the log twice', async () => {
    const { bytes, header } = await firstFrame();
    const baseOffset = await recordsIn(visitsFile());
    const producer = Buffer.from(bytes.subarray(44, 60));
    sealFrame(bytes, bytes.length, { ...header, baseOffset }, producer);
    await appendFile(visitsFile(), bytes);
    const run = await verifyFolder();
    expect({ code: run.code, drift: driftOf(run) }).toEqual({ code: 0, drift: {} });
    expect(run.result?.visits.repeated).toBe(header.count);
  });

  it('visits of a code that has no link', async () => {
    const { bytes, header } = await firstFrame();
    const keyBytes = bytes.readUInt16LE(frameHeaderBytes);
    bytes.fill('x', frameHeaderBytes + 2, frameHeaderBytes + 2 + keyBytes);
    const code = 'x'.repeat(keyBytes);
    sealFrame(bytes, bytes.length, { ...header, baseOffset: await recordsIn(visitsFile()) }, Buffer.alloc(16, 9));
    await appendFile(visitsFile(), bytes);
    const run = await verifyFolder();
    expect({ code: run.code, drift: driftOf(run) }).toEqual({ code: 1, drift: { 'raw log': `${code}: the link` } });
  });

  it('an unfinished frame at the end of the log no reason to stop', async () => {
    const { bytes } = await firstFrame();
    const run = await verifyFolder(() => appendFile(visitsFile(), bytes.subarray(0, bytes.length - 1)));
    expect({ code: run.code, drift: driftOf(run) }).toEqual({ code: 0, drift: {} });
  });

  describe('that it cannot be done, exits with 2 and says what to do', () => {
    it('without a log', async () => {
      const empty = await mkdtemp(join(tmpdir(), 'tallyhop-'));
      const run = await runVerify([`--data-dir=${empty}`]);
      await rm(empty, { recursive: true });
      expect(run.code).toBe(2);
      expect(run.output).toMatch(/there is no log in .*\. Set DATA_DIR/);
    });

    it('without a running program', async () => {
      const run = await runVerify([`--data-dir=${folder}`, '--url=http://127.0.0.1:9']);
      expect(run.code).toBe(2);
      expect(run.output).toMatch(/127\.0\.0\.1:9 does not answer .*Start the program/);
    });

    it('with the program of another folder', async () => {
      const other = await startProgram();
      const user = createProgramClient(other);
      await user.create({ url: 'https://example.org/0?ä=1' });
      const run = await runVerify([`--data-dir=${folder}`, `--url=${other.baseUrl}`, '--timeout=5']);
      await other.dispose();
      expect(run.code).toBe(2);
      expect(run.output).toMatch(/has another log than the one that was read/);
    });

    it('with a log that is damaged', async () => {
      const run = await verifyFolder(async () => {
        const file = await readFile(visitsFile());
        file.writeUInt8(file.readUInt8(200) ^ 1, 200);
        await writeFile(visitsFile(), file);
      });
      expect(run.code).toBe(2);
      expect(run.output).toMatch(/the log is damaged: .* at byte 52: a frame does not check\. Restore/);
    });

    it('with an option that it does not know', async () => {
      const run = await runVerify(['--links=3']);
      expect(run.code).toBe(2);
      expect(run.output).toMatch(/--links[\s\S]*npm run verify -- \[options\]/);
    });
  });

  /** Counts the records of a segment file by its frames. */
  async function recordsIn(file: string): Promise<number> {
    expect(await readdir(join(folder, 'log', 'visits', '0'))).toHaveLength(1);
    const bytes = await readFile(file);
    const header = { bodyBytes: 0, bodyCrc: 0, count: 0, baseOffset: 0, appendedAtMs: 0, baseSequence: 0 };
    let records = 0;
    for (let at = segmentHeaderBytes; at < bytes.length; at += frameHeaderBytes + header.bodyBytes) {
      expect(decodeFrameHeader(bytes, at, header)).toBe(true);
      records += header.count;
    }
    return records;
  }
});
