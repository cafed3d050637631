/**
 * What is acknowledged is in the log, once or more often, and in the order in which it was handed over: also when answers are
 * lost, come never, or the connection breaks, with other sends waiting behind. Other clients lost records in silence here
 * (tulios/kafkajs#1303 and #598).
 */
import { jest } from '@jest/globals';
import { type KafkaLog, openKafkaLog } from '../../../src/adapters/kafka/kafka-log.ts';
import { createVisitShipper } from '../../../src/adapters/kafka/kafka-visit-shipper.ts';
import { LogUnavailable } from '../../../src/ports/event-log.ts';
import { readAll } from '../../contracts/event-log.ts';
import { eventually } from '../../support/eventually.ts';
import { kafkaOptions } from '../../support/kafka-options.ts';
import { createSeededRandom } from '../../support/seeded-random.ts';
import { type Services, startOwnServices, topicPrefix } from '../../support/services.ts';
import { type AnswerFate, api, type FrameLine, openFrameLine } from './support/frame-line.ts';
import { createBareTopics } from './support/kafka-world.ts';

let line: FrameLine;
let services: Services;

beforeAll(async () => {
  line = await openFrameLine();
  services = await startOwnServices({ redis: false, announcedPorts: [line.port] });
  line.leadTo(services.brokers[0]?.listenPort ?? 0);
}, 90_000);

afterAll(async () => {
  await line.close();
  await services.stop();
});

describe('the log in Kafka behind a bad line', () => {
  let log: KafkaLog;

  beforeEach(async () => {
    line.judge(api.produce, () => 'pass');
    line.judge(api.fetch, () => 'pass');
    log = await open();
  });
  afterEach(() => log.close());

  async function open(): Promise<KafkaLog> {
    const options = kafkaOptions({ brokers: [`127.0.0.1:${line.port}`], topicPrefix: topicPrefix() });
    await createBareTopics(options, 2);
    return openKafkaLog({ ...options, secretFingerprint: 'f', onRefused: () => undefined });
  }

  /** Appends groups of unequal sizes, several at once, and then checks the whole partition against what was told of it. */
  async function appendAndCheck(groups: number): Promise<{ readonly resent: number }> {
    const random = createSeededRandom(groups);
    const sizes = Array.from({ length: groups }, () => 1 + random.below(7));
    const names = sizes.map((size, group) => Array.from({ length: size }, (_, i) => `g${group}-${i}`));
    const told: number[] = [];
    const appends: Promise<void>[] = [];
    for (const [group, keys] of names.entries()) {
      const append = log.append(
        'visits',
        0,
        keys.map((key) => ({ key, value: Buffer.from(`of ${key}`) })),
      );
      appends.push(
        append.then((offset) => {
          told[group] = offset;
        }),
      );
      // Some wait behind others, some find the line free.
      if (group % 5 === 4) await Promise.race(appends.slice(-5));
    }
    await Promise.all(appends);

    const records = await readAll(log, 'visits', 0, 0);
    for (const [group, keys] of names.entries()) {
      const offset = told[group] ?? -1;
      expect(records.slice(offset, offset + keys.length).map(({ key }) => key)).toEqual(keys);
      if (group > 0) expect(offset).toBeGreaterThan(told[group - 1] ?? 0);
    }
    // Each sequence is first seen in order, so that a reader that skips what it has seen gets everything exactly once.
    const effective: string[] = [];
    let watermark = -1;
    for (const { key, sequence } of records) {
      if (sequence <= watermark) continue;
      expect(sequence).toBe(watermark + 1);
      watermark = sequence;
      effective.push(key);
    }
    expect(effective).toEqual(names.flat());
    return { resent: records.length - effective.length };
  }

  it('writes each record once when nothing is lost', async () => {
    expect(await appendAndCheck(60)).toEqual({ resent: 0 });
  });

  it.each([1, 2, 3])(
    'loses and swallows nothing when every %d. answer to a send is lost with the connection',
    async (nth) => {
      let answers = 0;
      line.judge(api.produce, (): AnswerFate => (++answers % (nth + 1) === 1 ? 'reset' : 'pass'));
      const { resent } = await appendAndCheck(40);
      expect(resent).toBeGreaterThan(0);
    },
  );

  it('breaks a connection that has gone silent by its own deadline, and sends the same again', async () => {
    let answers = 0;
    line.judge(api.produce, (): AnswerFate => (++answers === 2 ? 'silence' : 'pass'));
    const { resent } = await appendAndCheck(10);
    expect(resent).toBeGreaterThan(0);
  });

  it('reads on when the answers to fetches are lost', async () => {
    let answers = 0;
    line.judge(api.fetch, (): AnswerFate => (++answers % 3 === 2 ? 'reset' : 'pass'));
    const reader = await log.reader('links', 1);
    const seen: number[] = [];
    for (let i = 0; i < 20; i++) {
      await log.append('links', 1, [{ key: `k${i}`, value: Buffer.alloc(10) }]);
      await reader.waitFor(i, 10_000);
      seen.push(...(await reader.read(i, 1_000)).map(({ offset }) => offset));
    }
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i));
    await reader.close();
  });

  it('says that it is unavailable while no broker can be reached, holds no read up, and goes on by itself', async () => {
    const reader = await log.reader('visits', 1);
    await log.append('visits', 1, [{ key: 'a', value: Buffer.alloc(1) }]);
    expect(await reader.read(0, 100)).toHaveLength(1);
    line.leadTo(null);
    line.cut();
    await expect(log.endOffset('visits', 1)).rejects.toThrow(LogUnavailable);
    expect(await reader.read(1, 100)).toEqual([]);
    await expect(log.append('visits', 1, [{ key: 'b', value: Buffer.alloc(1) }])).rejects.toThrow(LogUnavailable);
    // Nobody else waits as long for the same answer.
    const askedMs = performance.now();
    await expect(log.append('links', 0, [{ key: 'b', value: Buffer.alloc(1) }])).rejects.toThrow(LogUnavailable);
    expect(performance.now() - askedMs).toBeLessThan(5_000);
    line.leadTo(services.brokers[0]?.listenPort ?? 0);
    const offset = await eventually(
      () => log.append('visits', 1, [{ key: 'c', value: Buffer.alloc(1) }]).catch(() => undefined),
      'the log takes records again',
    );
    await reader.waitFor(offset, 10_000);
    expect((await reader.read(offset, 100)).map(({ key }) => key)).toEqual(['c']);
    await reader.close();
  });

  it('takes records that were handed over while the broker was away, when it comes back in time', async () => {
    line.leadTo(null);
    line.cut();
    const appended = Promise.all(
      Array.from({ length: 5 }, (_, i) => log.append('links', 1, [{ key: `k${i}`, value: Buffer.alloc(1) }])),
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    line.leadTo(services.brokers[0]?.listenPort ?? 0);
    expect(await appended).toEqual([0, 1, 2, 3, 4]);
  });

  it('ships visits under their identity, again and again until it is known that they are there', async () => {
    const prefix = topicPrefix();
    const options = kafkaOptions({ brokers: [`127.0.0.1:${line.port}`], topicPrefix: prefix });
    await createBareTopics(options, 1);
    const shipper = createVisitShipper(options);
    let answers = 0;
    line.judge(api.produce, (): AnswerFate => (++answers % 2 === 1 ? 'reset' : 'pass'));
    const visit = (sequence: number) => {
      return { key: 'code', value: Buffer.from(`visit ${sequence}`), producerId: 'journal-7', sequence };
    };
    await shipper.ship(0, []);
    for (let first = 0; first < 30; first += 10) {
      await shipper.ship(
        0,
        Array.from({ length: 10 }, (_, i) => visit(first + i)),
      );
    }
    await shipper.close();
    await expect(shipper.ship(0, [visit(30)])).rejects.toThrow(LogUnavailable);
    line.judge(api.produce, () => 'pass');
    const shipped = await openKafkaLog({ ...options, secretFingerprint: 'f', onRefused: () => undefined });
    const records = await readAll(shipped, 'visits', 0, 0);
    await shipped.close();
    expect(records).toHaveLength(60);
    expect([...new Set(records.map(({ sequence }) => sequence))]).toEqual(Array.from({ length: 30 }, (_, i) => i));
    expect(
      records.every(
        ({ producerId, value, sequence }) => producerId === 'journal-7' && String(value) === `visit ${sequence}`,
      ),
    ).toBe(true);
  });

  it('asks once for all who want to know an end, but never gives an answer that is older than the question', async () => {
    const before = line.passed(api.listOffsets);
    await Promise.all(Array.from({ length: 50 }, () => log.endOffset('links', 0)));
    expect(line.passed(api.listOffsets) - before).toBeLessThanOrEqual(2);
    const end = await log.endOffset('links', 1);
    let asked: Promise<number> = Promise.resolve(-1);
    const early = log.endOffset('links', 1);
    const offset = await log.append('links', 1, [{ key: 'a', value: Buffer.alloc(1) }]);
    asked = log.endOffset('links', 1);
    expect(offset).toBe(end);
    expect(await early).toBeGreaterThanOrEqual(end);
    expect(await asked).toBe(end + 1);
  });

  it('sets no timers while nothing happens, but those of its few fetches', async () => {
    const reader = await log.reader('links', 1);
    await reader.waitFor(0, 300);
    const setTimer = jest.spyOn(globalThis, 'setTimeout');
    await reader.waitFor(0, 1_000);
    expect(setTimer.mock.calls.length).toBeLessThan(60);
    setTimer.mockRestore();
    await reader.close();
  });
});
