/**
 * The log is the truth and has no copy: what was torn off its end by a crash was never acknowledged and is cut; bytes that
 * are not what was written are told with their place, and never skipped.
 */
import {
  appendFileSync,
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { frameHeaderBytes, segmentHeaderBytes } from '../../src/adapters/segments/segment-format.ts';
import {
  appendVisits,
  copyOfFolder,
  everythingTold,
  removeFolder,
  type WrittenFolder,
  writeDataFolder,
} from '../support/data-folder.ts';
import { createProgramClient, eventually } from '../support/program-client.ts';
import { type RunningProgram, runRefusedProgram, startProgram } from '../support/running-program.ts';

jest.setTimeout(90_000);

describe('a log', () => {
  let written: WrittenFolder;
  let folder: string;
  let program: RunningProgram | undefined;

  beforeAll(async () => {
    written = await writeDataFolder(10, 200);
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

  const segmentsOf = (topic: string): string[] => {
    const place = join(folder, 'log', topic, '0');
    return readdirSync(place)
      .filter((name) => name.endsWith('.log'))
      .sort()
      .map((name) => join(place, name));
  };
  const firstSegment = (topic: string): string => segmentsOf(topic)[0] ?? '';

  it.each([['links'], ['visits']])(
    'whose tail of %s was torn starts, says so, and keeps all that was acknowledged',
    async (topic) => {
      // Half of a frame, as a machine leaves it that stops in the middle of a write.
      const half = readFileSync(firstSegment(topic)).subarray(
        segmentHeaderBytes,
        segmentHeaderBytes + frameHeaderBytes - 7,
      );
      appendFileSync(firstSegment(topic), half);
      program = await startProgram({ dataDir: folder, env: { DRAIN_MS: '0' } });
      expect(program.output).toMatch(/an unfinished tail of the log was cut off/);
      const user = createProgramClient(program);
      expect(await everythingTold(user, written.codes)).toEqual(written.told);
      const code = written.codes[0] ?? '';
      const { total } = await user.statistics(code);
      expect((await user.follow(code)).status).toBe(302);
      await program.restart();
      await user.statisticsAt(code, total + 1);
    },
  );

  it('whose links are damaged refuses to start, names file and byte, and starts when the file is back', async () => {
    const file = firstSegment('links');
    const whole = readFileSync(file);
    flipBit(file, segmentHeaderBytes + frameHeaderBytes + 20);
    for (const stores of ['kept', 'gone']) {
      if (stores === 'gone') await removeFolder(join(folder, 'stores'));
      const refused = await runRefusedProgram({ dataDir: folder });
      expect(refused.code).toBe(1);
      expect(refused.output).toContain(file);
      expect(refused.output).toMatch(/the log is damaged: .* at byte \d+/);
    }
    expect(readFileSync(file).length).toBe(whole.length);
    writeFileSync(file, whole);
    program = await startProgram({ dataDir: folder });
    expect(await everythingTold(createProgramClient(program), written.codes)).toEqual(written.told);
  });

  it('whose id or a whole segment is missing refuses to start and says which', async () => {
    await appendVisits(folder, Array(3_000).fill({ code: written.codes[0] ?? '' }), 4_096);
    const [, second = ''] = segmentsOf('visits');
    const whole = readFileSync(second);
    await removeFolder(second);
    const withoutSegment = await runRefusedProgram({ dataDir: folder });
    expect(withoutSegment.code).toBe(1);
    expect(withoutSegment.output).toMatch(/the segment before it, at offset \d+, is missing/);
    writeFileSync(second, whole);

    await removeFolder(join(folder, 'log', 'log.id'));
    const withoutId = await runRefusedProgram({ dataDir: folder });
    expect(withoutId.code).toBe(1);
    expect(withoutId.output).toMatch(/the id of the log is missing, and there are records in/);
  });

  it('whose visits are damaged in a sealed segment goes on redirecting and counting in the log, and names the place', async () => {
    const [code = ''] = written.codes;
    await appendVisits(folder, Array(4_000).fill({ code }), 64 * 1024);
    const sealed = segmentsOf('visits')[1] ?? '';
    expect(segmentsOf('visits').length).toBeGreaterThan(2);
    const whole = readFileSync(sealed);
    flipBit(sealed, whole.length - 1_000);

    program = await startProgram({ dataDir: folder, env: { DRAIN_MS: '0' } });
    const user = createProgramClient(program);
    const ready = await eventually('the damage is told', async () => {
      const answer = await user.api<{ status: string; checks: { statistics: string; links: string } }>(
        'GET',
        '/readyz',
      );
      return answer.body.checks.statistics.includes('damaged') ? answer : undefined;
    });
    expect(ready.status).toBe(200);
    expect(ready.body.checks.statistics).toContain(sealed);
    expect(ready.body.checks.statistics).toMatch(/Restore that file from a backup/);
    for (let visit = 0; visit < 10; visit += 1) expect((await user.follow(code)).status).toBe(302);
    const { code: created } = await user.create({ url: 'https://example.org/meanwhile' });
    expect((await user.follow(created)).status).toBe(302);
    expect((await user.api('GET', `/api/links/${code}/stats`)).status).toBe(503);
    expect(await program.stop()).toEqual({ code: 0, signal: null });

    writeFileSync(sealed, whole);
    await program.restart();
    await user.caughtUp();
    const before = JSON.parse(written.told[code] ?? '{}').statistics.total;
    expect((await user.statistics(code)).total).toBe(before + 4_000 + 10);
    expect((await user.statistics(created)).total).toBe(1);
    expect((await readdir(join(folder, 'stores'))).filter((name) => name.includes('damaged'))).toEqual([]);
  });

  it('whose newest segment of visits is damaged in its middle is not cut there: the start says where', async () => {
    const file = firstSegment('visits');
    const { size } = statSync(file);
    flipBit(file, Math.floor(size / 2));
    const refused = await runRefusedProgram({ dataDir: folder });
    expect(refused.code).toBe(1);
    expect(refused.output).toMatch(/the log is damaged: .* at byte \d+/);
    expect(refused.output).toContain(file);
    expect(statSync(file).size).toBe(size);
  });

  it('of which only whole acknowledged frames are left after a cut at any place never shows a link that it does not hold', async () => {
    const file = firstSegment('links');
    const { size } = statSync(file);
    truncateSync(file, size - 25);
    program = await startProgram({ dataDir: folder });
    expect(program.output).toMatch(/an unfinished tail/);
    // The store of links was ahead of what is left of the log: it is folded anew.
    const user = createProgramClient(program);
    const { links } = await user.list();
    expect(links).toHaveLength(written.codes.length - 1);
    const statuses = await Promise.all(written.codes.map(async (code) => (await user.follow(code)).status));
    expect(statuses.filter((status) => status === 302)).toHaveLength(written.codes.length - 1);
    expect(statuses.filter((status) => status === 404)).toHaveLength(1);
  });
});

function flipBit(file: string, position: number): void {
  const fd = openSync(file, 'r+');
  try {
    const byte = Buffer.alloc(1);
    readSync(fd, byte, 0, 1, position);
    byte.writeUInt8(byte.readUInt8(0) ^ 0x10, 0);
    writeSync(fd, byte, 0, 1, position);
  } finally {
    closeSync(fd);
  }
}
