/** Every byte of a small log is cut and flipped: no acknowledged record is lost in silence, no wrong one is read. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LogDamaged } from '../../../src/ports/event-log.ts';
import { type KeptRecord, readAll } from '../../contracts/event-log.ts';
import { put } from '../../contracts/visit-journal.ts';
import {
  collectingLogger,
  fastTemporaryFolder,
  type LoggedLine,
  noSync,
  openIn,
  removeFolder,
} from './support/temporary-log.ts';

const segmentBytes = 420;

interface SmallLog {
  readonly folder: string;
  /** Files of the visits' only partition and what they held, by name; with the log's id. */
  readonly files: ReadonlyMap<string, Buffer>;
  readonly names: readonly string[];
  readonly records: readonly KeptRecord[];
}

/** Three segments; frames of one to three records of two producers. */
async function writeSmallLog(): Promise<SmallLog> {
  const folder = fastTemporaryFolder();
  let number = 0;
  for (let run = 0; run < 2; run++) {
    const { log, journal } = await openIn(folder, { segmentBytes });
    for (let frame = 0; frame < 5; frame++) {
      await Promise.all(
        Array.from({ length: 1 + (frame % 3) }, () => put(journal, `code${number}`, `["visit ${number++}"]`)),
      );
    }
    await log.close();
  }
  const { log } = await openIn(folder, { segmentBytes });
  const records = await readAll(log, 'visits', 0, 0);
  await log.close();
  expect(records.map(({ key }) => key)).toEqual(Array.from({ length: number }, (_, i) => `code${i}`));
  const partition = join(folder, 'visits', '0');
  const names = readdirSync(partition)
    .sort()
    .map((name) => join(partition, name));
  const files = new Map([...names, join(folder, 'log.id')].map((name) => [name, readFileSync(name)]));
  expect(names).toHaveLength(3);
  return { folder, files, names, records };
}

function restore({ folder, files }: SmallLog): void {
  const partition = join(folder, 'visits', '0');
  for (const name of readdirSync(partition)) if (!files.has(join(partition, name))) rmSync(join(partition, name));
  for (const [name, bytes] of files) writeFileSync(name, bytes);
}

interface Reopened {
  /** What was read before the end or the damage. */
  readonly records: readonly KeptRecord[];
  readonly damage: LogDamaged | undefined;
  /** Where an append went after all was read; undefined when the log was damaged. */
  readonly appendedAt: number | undefined;
  readonly lines: readonly LoggedLine[];
}

async function reopen(folder: string): Promise<Reopened> {
  const lines: LoggedLine[] = [];
  const records: KeptRecord[] = [];
  const damaged = (error: unknown): Reopened => {
    if (error instanceof LogDamaged) return { records, damage: error, appendedAt: undefined, lines };
    throw error;
  };
  let opened: Awaited<ReturnType<typeof openIn>>;
  try {
    opened = await openIn(folder, { segmentBytes, fileCalls: noSync, logger: collectingLogger(lines) });
  } catch (error) {
    return damaged(error);
  }
  const reader = await opened.log.reader('visits', 0);
  try {
    for (;;) {
      const read = await reader.read(records.length, 1_000_000);
      for (const each of read) records.push({ ...each, value: Buffer.from(each.value) });
      if (read.length === 0) break;
    }
    const appendedAt = records.length + (await put(opened.journal, 'next', '[]'));
    const [next] = await reader.read(appendedAt, 1000);
    expect(next).toMatchObject({ offset: appendedAt, key: 'next', sequence: 0 });
    return { records, damage: undefined, appendedAt, lines };
  } catch (error) {
    return damaged(error);
  } finally {
    await reader.close();
    await opened.log.close();
  }
}

/** jest's `toEqual` on thousands of logs is slow. */
function isPrefix(records: readonly KeptRecord[], all: readonly KeptRecord[]): boolean {
  return records.every((record, index) => {
    const expected = all[index];
    return (
      expected !== undefined &&
      record.offset === expected.offset &&
      record.key === expected.key &&
      record.value.equals(expected.value) &&
      record.producerId === expected.producerId &&
      record.sequence === expected.sequence
    );
  });
}

describe('a segment log whose bytes are not what was written', () => {
  let small: SmallLog;
  beforeAll(async () => {
    small = await writeSmallLog();
  });
  afterAll(() => removeFolder(small.folder));
  beforeEach(() => restore(small));

  it('keeps every record before a cut of the active segment and goes on behind it', async () => {
    const active = small.names.at(-1) ?? '';
    const bytes = small.files.get(active) ?? Buffer.alloc(0);
    const firstOffset = Number(active.slice(-24, -4));
    const ends = frameEnds(bytes);
    for (let cut = 0; cut < bytes.length; cut++) {
      restore(small);
      writeFileSync(active, bytes.subarray(0, cut));
      const { records, damage, appendedAt, lines } = await reopen(small.folder);
      const kept = firstOffset + ends.filter(({ end }) => end <= cut).reduce((sum, { count }) => sum + count, 0);
      expect({ cut, damage, appendedAt, kept: records.length }).toEqual({
        cut,
        damage: undefined,
        appendedAt: kept,
        kept,
      });
      expect(isPrefix(records, small.records)).toBe(true);
      const clean = cut === 0 || cut === 52 || ends.some(({ end }) => end === cut);
      expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(clean ? 0 : 1);
      if (!clean)
        expect(lines[0]?.fields).toMatchObject({
          file: active,
          position: expect.any(Number),
          bytes: expect.any(Number),
        });
    }
  });

  it('reports a cut of a sealed segment, and reads no more than stands before it', async () => {
    for (const sealed of small.names.slice(0, -1)) {
      const bytes = small.files.get(sealed) ?? Buffer.alloc(0);
      for (let cut = 0; cut < bytes.length; cut++) {
        restore(small);
        writeFileSync(sealed, bytes.subarray(0, cut));
        const { records, damage } = await reopen(small.folder);
        expect({ cut, name: damage?.name }).toEqual({ cut, name: 'LogDamaged' });
        expect(isPrefix(records, small.records)).toBe(true);
      }
    }
  });

  it.each([
    ['one bit', (byte: number, position: number) => byte ^ (1 << (position % 8))],
    ['all bits', (byte: number) => byte ^ 0xff],
  ])('reads nothing wrong when %s of any byte is flipped', async (_, flip) => {
    let damages = 0;
    for (const [name, bytes] of small.files) {
      for (let position = 0; position < bytes.length; position++) {
        restore(small);
        const flipped = Buffer.from(bytes);
        flipped[position] = flip(bytes[position] ?? 0, position);
        writeFileSync(name, flipped);
        const { records, damage } = await reopen(small.folder);
        expect(isPrefix(records, small.records)).toBe(true);
        if (damage === undefined)
          expect({ position, read: records.length }).toEqual({ position, read: small.records.length });
        else {
          damages += 1;
          expect(damage.file).toContain(small.folder);
          // What was damaged stays for a person to look at.
          expect(readFileSync(name).equals(flipped)).toBe(true);
        }
      }
    }
    const bytes = [...small.files.values()].reduce((sum, each) => sum + each.length, 0);
    expect(damages).toBeGreaterThanOrEqual(bytes - 1);
  });

  it('cuts a tail of zeros, as a power cut leaves it, and nothing else behind the last frame', async () => {
    const active = small.names.at(-1) ?? '';
    const bytes = small.files.get(active) ?? Buffer.alloc(0);
    for (const zeros of [1, 59, 60, 5000]) {
      restore(small);
      writeFileSync(active, Buffer.concat([bytes, Buffer.alloc(zeros)]));
      const { damage, appendedAt, lines } = await reopen(small.folder);
      expect({ zeros, damage, appendedAt }).toEqual({ zeros, damage: undefined, appendedAt: small.records.length });
      expect(lines[0]).toMatchObject({ level: 'warn', fields: { file: active, position: bytes.length, bytes: zeros } });
    }
    restore(small);
    writeFileSync(active, Buffer.concat([bytes, Buffer.alloc(100), Buffer.of(1)]));
    expect((await reopen(small.folder)).damage).toMatchObject({ file: active, position: bytes.length });
  });

  it('goes on in a segment that was made but not yet written to', async () => {
    const next = join(small.folder, 'visits', '0', `${String(small.records.length).padStart(20, '0')}.log`);
    for (const content of [Buffer.alloc(0), Buffer.alloc(52), Buffer.from('THS1'), Buffer.alloc(4096)]) {
      restore(small);
      writeFileSync(next, content);
      const { records, damage, appendedAt } = await reopen(small.folder);
      expect(damage).toBeUndefined();
      expect(records).toHaveLength(small.records.length);
      expect(appendedAt).toBe(small.records.length);
    }
  });

  it('reports a missing segment in the middle, a missing first frame, and a missing id', async () => {
    rmSync(small.names[1] ?? '');
    const { damage } = await reopen(small.folder);
    expect(damage).toMatchObject({ file: small.names[2], position: 0 });
    expect(damage?.message).toContain('is missing');

    restore(small);
    writeFileSync(small.names[1] ?? '', small.files.get(small.names[1] ?? '')?.subarray(0, 52) ?? '');
    expect((await reopen(small.folder)).damage).toMatchObject({ file: small.names[1], position: 52 });

    restore(small);
    rmSync(join(small.folder, 'log.id'));
    expect((await reopen(small.folder)).damage?.message).toContain('id of the log is missing');

    restore(small);
    for (const name of small.names) rmSync(name);
    expect((await reopen(small.folder)).damage?.message).toContain('no segment file');
  });

  it('reports a segment of another log, and one in the wrong place', async () => {
    const other = await writeSmallLog();
    writeFileSync(small.names[2] ?? '', other.files.get(other.names[2] ?? '') ?? '');
    removeFolder(other.folder);
    expect((await reopen(small.folder)).damage?.message).toContain('belongs to log');

    restore(small);
    const links = join(small.folder, 'links', '0', `${'0'.repeat(20)}.log`);
    const kept = readFileSync(links);
    writeFileSync(links, small.files.get(small.names[0] ?? '') ?? '');
    expect((await reopen(small.folder)).damage?.message).toContain('visits/0');
    writeFileSync(links, kept);
  });

  it('begins anew where the creation of a log was cut off', async () => {
    const folder = fastTemporaryFolder();
    await (await openIn(folder)).log.close();
    rmSync(join(folder, 'log.id'));
    rmSync(join(folder, 'visits', '0', `${'0'.repeat(20)}.log`));
    const { records, damage, appendedAt } = await reopen(folder);
    expect({ records, damage, appendedAt }).toEqual({ records: [], damage: undefined, appendedAt: 0 });
    removeFolder(folder);
  });

  it('ignores files of other names and says so', async () => {
    writeFileSync(join(small.folder, 'visits', '0', '17.log'), 'x');
    writeFileSync(join(small.folder, 'visits', '0', 'notes.txt'), 'x');
    const { damage, lines } = await reopen(small.folder);
    expect(damage).toBeUndefined();
    expect(lines[0]).toMatchObject({ level: 'warn', fields: { files: ['17.log', 'notes.txt'] } });
  });

  it('refuses another number of partitions than it was made with', async () => {
    await expect(openIn(small.folder, { partitions: 2 })).rejects.toThrow(/\[0\], but 2 were asked for/);
  });
});

/** Where the frames of a segment end, found by their lengths alone. */
function frameEnds(bytes: Buffer): { end: number; count: number }[] {
  const ends: { end: number; count: number }[] = [];
  for (let at = 52; at < bytes.length; ) {
    const count = bytes.readUInt32LE(at + 16);
    at += 60 + bytes.readUInt32LE(at + 8);
    ends.push({ end: at, count });
  }
  return ends;
}
