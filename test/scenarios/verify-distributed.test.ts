/**
 * `npm run verify` against two instances on Kafka and Redis: all views agree with the raw topics, and what somebody does to the
 * changelog, to Redis or to a link in Redis is found by name.
 */
import { crc32 } from 'node:zlib';
import { Redis } from 'ioredis';
import { openKafkaChangelog } from '../../src/adapters/kafka/kafka-changelog.ts';
import { createVisitShipper } from '../../src/adapters/kafka/kafka-visit-shipper.ts';
import { partitionOf } from '../../src/ports/partitioner.ts';
import { totalsKey } from '../../src/projections/visit-statistics.ts';
import { encodeVisit } from '../../src/serde/visit.ts';
import { inParallel } from '../support/in-parallel.ts';
import { kafkaOptions } from '../support/kafka-options.ts';
import { installation, modeStartTimeoutMs } from '../support/modes.ts';
import { botAgent, createProgramClient, eventually, humanAgent } from '../support/program-client.ts';
import { type RunningProgram, startProgram } from '../support/running-program.ts';
import { driftOf, runVerify } from '../support/verify-run.ts';
import { aVisit } from '../support/visits.ts';

const partitions = 3;
const linksCount = 12;

describe('verify of two instances', () => {
  let settings: Readonly<Record<string, string>>;
  let programs: RunningProgram[];
  let codes: string[];
  let redis: Redis;

  beforeAll(async () => {
    settings = await installation(partitions);
    const options = { env: { ...settings, DRAIN_MS: '0' }, readyTimeoutMs: 60_000 };
    programs = await Promise.all([startProgram(options), startProgram(options)]);
    redis = new Redis(settings['REDIS_URL'] ?? '', { protocol: 2, replyMapping: 'legacy' });
    const [first, second] = programs.map((program) => createProgramClient(program));
    codes = [];
    for (let index = 0; index < linksCount; index += 1) {
      const { code } = (await first?.create({ url: `https://example.org/${index}` })) ?? { code: '' };
      codes.push(code);
    }
    const visits = Array.from({ length: 120 }, (_, index) => index);
    await inParallel(4, visits, async (index) => {
      const client = index % 2 === 0 ? first : second;
      const headers = { 'user-agent': index % 5 === 0 ? botAgent : humanAgent };
      await eventually('the link redirects on both instances', async () => {
        const answer = await client?.follow(codes[index % linksCount] ?? '', { headers });
        return answer?.status === 302 ? true : undefined;
      });
    });
    await second?.expectApi(204, 'DELETE', `/api/links/${codes[0]}`);
  }, modeStartTimeoutMs);
  afterAll(async () => {
    redis?.disconnect();
    for (const program of programs ?? []) await program.dispose();
  });

  const verify = (changes: Readonly<Record<string, string>> = {}) =>
    runVerify(['--json', '--timeout=20', ...programs.map(({ baseUrl }) => `--url=${baseUrl}`)], {
      ...settings,
      ...changes,
    });

  const kafka = () =>
    kafkaOptions({
      brokers: settings['KAFKA_BROKERS']?.split(',') ?? [],
      topicPrefix: settings['TOPIC_PREFIX'] ?? '',
    });

  const redisKey = (code: string, name: string) =>
    `${settings['TOPIC_PREFIX']}tallyhop:{${partitionOf(code, partitions)}}:${name}`;

  it('finds no drift in statistics, lists, redirects, stores, changelog and Redis, and exits with 0', async () => {
    const run = await verify();
    expect({ code: run.code, drift: driftOf(run) }).toEqual({ code: 0, drift: {} });
    expect(run.result?.links).toEqual({ count: linksCount, events: linksCount + 1, rejected: 0 });
    expect(run.result?.visits).toMatchObject({ nonBots: 96, bots: 24, repeated: 0, gaps: 0, notCountable: 0 });
    const compared = new Map((run.result?.views ?? []).map(({ view, compared }) => [view, compared]));
    for (const view of ['statistics', 'list of links']) expect(compared.get(view)).toBe(linksCount);
    // A row of totals and one of a day for each link, and one of all links for each partition.
    expect(compared.get('changelog')).toBeGreaterThanOrEqual(2 * linksCount);
    expect(compared.get('Redis rows')).toBeGreaterThanOrEqual(2 * linksCount);
    expect(run.result?.notes).toEqual([]);
  });

  it('finds no drift after visits came twice, and after records that nobody of ours wrote', async () => {
    const [code = ''] = codes.slice(3);
    const partition = partitionOf(code, partitions);
    const shipper = createVisitShipper(kafka());
    const visit = {
      key: code,
      value: Buffer.from(encodeVisit(aVisit({ code, at: Date.now() }))),
      producerId: 'somebody',
    };
    await shipper.ship(
      partition,
      [0, 1, 1, 0].map((sequence) => ({ ...visit, sequence })),
    );
    await shipper.ship(partition, [{ ...visit, value: Buffer.from('[1]'), sequence: 2 }]);
    await shipper.close();
    const run = await verify();
    expect({ code: run.code, drift: driftOf(run) }).toEqual({ code: 0, drift: {} });
    expect(run.result?.visits).toMatchObject({ nonBots: 98, repeated: 2, notCountable: 1 });
  });

  it('finds a row of Redis that says too much', async () => {
    const [code = ''] = codes.slice(4);
    const [key, field] = [redisKey(code, `rows:${code}`), totalsKey(code)];
    const before = await redis.hgetBuffer(key, field);
    const altered = Buffer.from(before ?? []);
    altered.writeUInt8(altered.readUInt8(8) + 1, 8);
    const bytes = altered.subarray(0, -4);
    altered.writeUInt32BE(crc32(bytes, crc32(`${field}\0`)), bytes.length);
    await redis.hset(key, field, altered);
    const run = await verify();
    await redis.hset(key, field, before ?? '');
    expect(run.code).toBe(1);
    expect(driftOf(run)).toMatchObject({ 'Redis rows': `${field}: nonBots` });
  });

  it('finds a link whose place in the list of Redis is wrong', async () => {
    const [code = ''] = codes.slice(5);
    const key = redisKey(code, 'by-visits');
    await redis.zincrby(key, 5, code);
    const run = await verify();
    await redis.zincrby(key, -5, code);
    expect({ code: run.code, drift: driftOf(run) }).toEqual({
      code: 1,
      drift: { 'Redis lists': `by-visits ${code}: score` },
    });
  });

  it('cannot be done, and says why, under another CODE_SECRET, another prefix, or without Redis', async () => {
    const otherSecret = await verify({ CODE_SECRET: 'another-kD93-mQz71' });
    expect(otherSecret.code).toBe(2);
    expect(otherSecret.output).toMatch(/Set CODE_SECRET as the instances have it/);
    const otherPrefix = await verify({ TOPIC_PREFIX: 'nobody-' });
    expect(otherPrefix.code).toBe(2);
    expect(otherPrefix.output).toMatch(/does not give the topics nobody-tallyhop\.visits\.v1/);
    const withoutRedis = await verify({ REDIS_URL: 'redis://127.0.0.1:9' });
    expect(withoutRedis.code).toBe(2);
    expect(withoutRedis.output).toMatch(/Redis at redis:\/\/127\.0\.0\.1:9 cannot be reached/);
  });

  it('finds a row of the changelog that is not what the log says', async () => {
    const [code = ''] = codes.slice(6);
    const partition = partitionOf(code, partitions);
    const changelog = await openKafkaChangelog(kafka());
    // The version is that of a record far behind the log's end: nobody can have folded it.
    const value = Buffer.from([0, 0, 0, 0, 0, 0xff, 0, 0, 1, 0, 0, 0, 0]);
    await changelog.append(partition, [{ kind: 'row', key: totalsKey(code), value }], 0, 0);
    await changelog.close();
    const run = await verify();
    expect(run.code).toBe(1);
    expect(driftOf(run)).toMatchObject({ changelog: `${totalsKey(code)}: position` });
  });
});
