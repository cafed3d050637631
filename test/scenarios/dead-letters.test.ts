/** Records that cannot be counted: they are kept once, counting goes on, and what turns out to be good is brought back and counted once. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createDeadLetterTopic } from '../../src/adapters/kafka/dead-letter-topic.ts';
import type { KafkaOptions } from '../../src/adapters/kafka/kafka-options.ts';
import { createVisitShipper } from '../../src/adapters/kafka/kafka-visit-shipper.ts';
import { replayDeadLetters } from '../../src/composition/replay-dead-letters.ts';
import { LogUnavailable } from '../../src/ports/event-log.ts';
import { partitionOf } from '../../src/ports/partitioner.ts';
import { encodeVisit } from '../../src/serde/visit.ts';
import { writeAsStranger } from '../adapters/kafka/support/kafka-world.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaOptions } from '../support/kafka-options.ts';
import { inService, installation, modeStartTimeoutMs } from '../support/modes.ts';
import { createProgramClient } from '../support/program-client.ts';
import { type RunningProgram, startProgram } from '../support/running-program.ts';
import { driftOf, runVerify } from '../support/verify-run.ts';
import { aVisit } from '../support/visits.ts';

interface Letter {
  readonly origin: string;
  readonly reason: string;
  readonly key: string | null;
  readonly producerId: string | null;
  readonly value: string;
  readonly notReplayable: string | null;
}

const command = fileURLToPath(new URL('../../dist/dead-letters.js', import.meta.url));
const partitions = 3;
const outOfReach = 1e15;

describe('dead letters', () => {
  let settings: Readonly<Record<string, string>>;
  let options: KafkaOptions;
  let program: RunningProgram;
  let user: ReturnType<typeof createProgramClient>;

  beforeAll(async () => {
    settings = await installation(partitions);
    options = kafkaOptions({
      brokers: (settings['KAFKA_BROKERS'] ?? '').split(','),
      topicPrefix: settings['TOPIC_PREFIX'] ?? '',
    });
    program = await startProgram({ readyTimeoutMs: 60_000, env: settings });
    user = createProgramClient(program);
    await inService(program);
  }, modeStartTimeoutMs);
  afterAll(() => program?.dispose());

  async function run(...args: readonly string[]) {
    const env = { PATH: process.env['PATH'], ...settings };
    const child = spawn(process.execPath, [command, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let errors = '';
    child.stdout.on('data', (text: Buffer) => {
      output += text.toString();
    });
    child.stderr.on('data', (text: Buffer) => {
      errors += text.toString();
    });
    const [code] = await once(child, 'close');
    return { code, output, errors };
  }

  async function letters(key: string): Promise<readonly Letter[]> {
    const { code, output, errors } = await run('list', '--json');
    if (code !== 0) throw new Error(errors);
    return (JSON.parse(output) as { letters: readonly Letter[] }).letters.filter((letter) => letter.key === key);
  }

  const lettersOf = (key: string, count: number) =>
    eventually(
      async () => {
        const found = await letters(key);
        return found.length === count && found;
      },
      `${count} letters of ${key} are kept`,
      20_000,
    );

  async function replay(...args: readonly string[]) {
    const { code, output, errors } = await run('replay', '--json', ...args);
    if (output === '') throw new Error(errors);
    return { code, ...(JSON.parse(output) as { replayed: string[]; refused: { origin: string; why: string }[] }) };
  }

  const visitValue = (code: string) => Buffer.from(encodeVisit(aVisit({ code, at: Date.now() })));

  /** Visits that a producer of ours wrote whole, and that cannot be counted where they stand. */
  async function buryVisits(code: string, count: number): Promise<void> {
    const shipper = createVisitShipper(options);
    const visits = Array.from({ length: count }, (_, index) => {
      return { key: code, value: visitValue(code), producerId: `producer-of-${code}`, sequence: outOfReach + index };
    });
    await shipper.ship(partitionOf(code, partitions), visits);
    await shipper.close();
  }

  const total = async (code: string) => (await user.link(code)).visits.total;

  it('keeps what a stranger wrote once, shows it, and goes on counting behind it', async () => {
    const { code } = await user.create({ url: 'https://example.org/stranger' });
    await user.follow(code);
    await user.statisticsAt(code, 1);
    await writeAsStranger(options, 'visits', partitionOf(code, partitions), [
      { key: code, value: 'no visit \u0007 at all' },
      { key: code, value: visitValue(code), headers: { p: 'forged', s: '0', c: '00000000' } },
    ]);
    await user.follow(code);
    await user.statisticsAt(code, 2);

    const found = await lettersOf(code, 2);
    expect(found.map(({ reason }) => reason)).toEqual([
      'it has no identity (headers p, s, c)',
      'its checksum does not match',
    ]);
    expect(found.map(({ producerId }) => producerId)).toEqual([null, null]);
    expect(Buffer.from(found[0]?.value ?? '', 'base64').toString()).toBe('no visit \u0007 at all');
    expect(found[0]?.notReplayable).toMatch(/^not a visit/);
    const { output } = await run('list');
    expect(output).toContain(
      `${found[0]?.origin}\n  why:    it has no identity (headers p, s, c)\n  key:    ${code}\n`,
    );
    expect(output).not.toContain('\u0007');

    await program.kill9();
    await program.restart();
    await user.follow(code);
    await user.statisticsAt(code, 3);
    expect(await letters(code)).toEqual(found);
  });

  it('replays what a stranger wrote only when it is named, and never what is no visit', async () => {
    const { code } = await user.create({ url: 'https://example.org/named' });
    const partition = partitionOf(code, partitions);
    await writeAsStranger(options, 'visits', partition, [
      { key: code, value: 'no visit' },
      { key: code, value: visitValue(code) },
    ]);
    const [poison, good] = await lettersOf(code, 2);
    const all = await replay('--all');
    expect(all.code).toBe(1);
    expect(all.refused).toEqual(
      expect.arrayContaining([
        { origin: good?.origin, why: 'no producer of ours wrote it whole: name it to replay it all the same' },
      ]),
    );
    const named = await replay(poison?.origin ?? '', good?.origin ?? '', 'nowhere:0:0');
    expect(named).toEqual({
      code: 1,
      replayed: [good?.origin],
      refused: [
        { origin: poison?.origin, why: expect.stringMatching(/^not a visit/) },
        { origin: 'nowhere:0:0', why: 'there is no such letter' },
      ],
    });
    await user.statisticsAt(code, 1);
    expect(await letters(code)).toEqual([poison]);
  });

  it('counts a replayed visit once, however often it is replayed', async () => {
    const { code } = await user.create({ url: 'https://example.org/replayed' });
    await buryVisits(code, 5);
    const found = await lettersOf(code, 5);
    expect(found.map(({ reason }) => reason)).toEqual(Array(5).fill('its sequence is out of reach'));
    expect(await total(code)).toBe(0);

    const { replayed } = await replay('--all');
    expect([...replayed].sort()).toEqual(found.map(({ origin }) => origin).sort());
    await user.statisticsAt(code, 5);
    expect(await letters(code)).toEqual([]);
    expect((await replay('--all')).replayed).toEqual([]);
    expect((await replay(found[0]?.origin ?? '')).refused).toEqual([
      { origin: found[0]?.origin, why: 'there is no such letter' },
    ]);
    await user.follow(code);
    await user.statisticsAt(code, 6);
  });

  it('finishes a replay that was broken off after it had written, and counts each of its visits once', async () => {
    const { code } = await user.create({ url: 'https://example.org/broken-off' });
    await buryVisits(code, 4);
    const found = await lettersOf(code, 4);
    const topic = createDeadLetterTopic(options);
    const shipper = createVisitShipper(options);
    const breaking = {
      ...shipper,
      async ship(...visits: Parameters<typeof shipper.ship>) {
        await shipper.ship(...visits);
        throw new LogUnavailable('the answer was lost');
      },
    };
    const { clock, random } = options;
    await expect(
      replayDeadLetters({ topic, shipper: breaking, clock, random }, [found[2]?.origin ?? '', found[0]?.origin ?? '']),
    ).rejects.toThrow(LogUnavailable);
    await Promise.all([topic.close(), shipper.close()]);
    await user.statisticsAt(code, 2);
    expect(await letters(code)).toEqual(found);

    const { replayed } = await replay('--all');
    expect([...replayed].sort()).toEqual(found.map(({ origin }) => origin).sort());
    await user.statisticsAt(code, 4);
    await user.follow(code);
    await user.statisticsAt(code, 5);
  });

  it('counts once what two people replay at once', async () => {
    const { code } = await user.create({ url: 'https://example.org/at-once' });
    await buryVisits(code, 20);
    const found = await lettersOf(code, 20);
    const half = found.slice(0, 12).map(({ origin }) => origin);
    await Promise.all([replay('--all'), replay(...half), replay('--all')]);
    await user.statisticsAt(code, 20);
    expect(await letters(code)).toEqual([]);
    await user.follow(code);
    await user.statisticsAt(code, 21);
  });

  it('leaves no view behind that differs from the log', async () => {
    const run = await runVerify(['--json', `--url=${program.baseUrl}`], settings);
    expect(driftOf(run)).toEqual({});
    expect(run.code).toBe(0);
  }, 90_000);

  it('says what it needs when it is asked for anything else, or Kafka is away', async () => {
    const wrong = await run('replay');
    expect(wrong.code).toBe(2);
    expect(wrong.errors).toContain('npm run dead-letters -- list');
    settings = { ...settings, KAFKA_BROKERS: '127.0.0.1:1' };
    const away = await run('list');
    expect(away.code).toBe(2);
    expect(away.errors).not.toMatch(/\n\s+at /);
  });
});
