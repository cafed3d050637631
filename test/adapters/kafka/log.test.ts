/** The log in Kafka: who it is, what strangers put into it, how link events stand in it, and how it opens without Kafka. */
import kafkajs from 'kafkajs';
import { createKafkaClient } from '../../../src/adapters/kafka/kafka-client.ts';
import { type KafkaLog, type KafkaLogOptions, openKafkaLog } from '../../../src/adapters/kafka/kafka-log.ts';
import type { KafkaOptions } from '../../../src/adapters/kafka/kafka-options.ts';
import { LogRefused } from '../../../src/adapters/kafka/log-identity.ts';
import { topicName } from '../../../src/adapters/kafka/topic-names.ts';
import { type LogRecord, LogUnavailable } from '../../../src/ports/event-log.ts';
import { partitionOf } from '../../../src/ports/partitioner.ts';
import { encodeLinkEvent } from '../../../src/serde/link-event.ts';
import { readAll } from '../../contracts/event-log.ts';
import { eventually } from '../../support/eventually.ts';
import { sharedServices } from '../../support/services.ts';
import { type FrameLine, openFrameLine } from './support/frame-line.ts';
import { createBareTopics, kafkaOptions, withAdmin, writeAsStranger } from './support/kafka-world.ts';

let brokers: readonly string[] = [];
const opened: KafkaLog[] = [];

beforeAll(async () => {
  brokers = (await sharedServices()).kafkaBrokers;
}, 60_000);

afterEach(async () => {
  await Promise.all(opened.splice(0).map((log) => log.close()));
});

async function open(options: KafkaOptions, more: Partial<KafkaLogOptions> = {}): Promise<KafkaLog> {
  const log = await openKafkaLog({ ...options, secretFingerprint: 'f1', onRefused: () => undefined, ...more });
  opened.push(log);
  return log;
}

async function freshTopics(partitions = 1, visitPartitions = partitions): Promise<KafkaOptions> {
  const options = kafkaOptions(brokers);
  await createBareTopics(options, partitions, ['links']);
  await createBareTopics(options, visitPartitions, ['visits']);
  return options;
}

/** Records with their headers, as another client reads them. */
async function readElsewhere(options: KafkaOptions, role: 'links' | 'visits', count: number) {
  const consumer = createKafkaClient(options).consumer({ groupId: `${options.topicPrefix}reader` });
  await consumer.connect();
  const found: { key: string; value: string; headers: Record<string, string> }[] = [];
  try {
    await consumer.subscribe({ topics: [topicName(options.topicPrefix, role)], fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => {
        const headers = Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]);
        found.push({ key: String(message.key), value: String(message.value), headers: Object.fromEntries(headers) });
      },
    });
    await eventually(() => found.length >= count, `${count} records are read`);
  } finally {
    await consumer.disconnect();
  }
  return found;
}

describe('the identity of a log in Kafka', () => {
  it('is made once, however many open it at the same time, and is the same at every later opening', async () => {
    const options = await freshTopics(2);
    const logs = await Promise.all([open(options), open(options), open(options)]);
    const [first] = logs;
    expect(first?.logId).toMatch(/^[0-9a-f-]{36}$/);
    expect(new Set(logs.map(({ logId }) => logId)).size).toBe(1);
    expect((await open(options)).remembered).toEqual({ logId: first?.logId, partitions: 2 });
    const [record] = await readElsewhere(options, 'links', 1);
    expect(record?.key).toBe('!log');
    expect(JSON.parse(record?.value ?? '')).toEqual({
      logId: first?.logId,
      partitions: 2,
      secretFingerprint: 'f1',
      createdAt: expect.stringMatching(/Z$/),
    });
  });

  it('is found behind what strangers wrote before', async () => {
    const options = await freshTopics();
    await writeAsStranger(options, 'links', 0, [
      { key: '!log', value: '{"logId":"forged","partitions":1,"secretFingerprint":"f1","createdAt":""}' },
    ]);
    const { logId } = await open(options);
    expect(logId).not.toBe('forged');
    expect((await open(options)).logId).toBe(logId);
  });

  it('refuses an instance with another secret, and one that was folded from another log', async () => {
    const options = await freshTopics();
    const { logId } = await open(options);
    await expect(open(options, { secretFingerprint: 'f2' })).rejects.toMatchObject({ reason: 'other-secret' });
    const other = open(options, { remembered: { logId: 'another', partitions: 1 } });
    await expect(other).rejects.toThrow(LogRefused);
    await expect(other).rejects.toThrow(logId);
  });

  it('does not begin anew when topics that it knows are empty', async () => {
    const options = await freshTopics();
    await expect(open(options, { remembered: { logId: 'gone', partitions: 1 } })).rejects.toMatchObject({
      reason: 'other-log',
      message: expect.stringContaining('an empty one'),
    });
    expect(await (await open(options)).endOffset('links', 0)).toBe(1);
  });

  it('refuses topics whose numbers of partitions differ, or that got more', async () => {
    await expect(freshTopics(1, 2).then(open)).rejects.toMatchObject({ reason: 'other-partitions' });
    const options = await freshTopics();
    await open(options);
    const grow = (role: 'links' | 'visits') => ({ topic: topicName(options.topicPrefix, role), count: 2 });
    await withAdmin(options, (admin) => admin.createPartitions({ topicPartitions: [grow('links'), grow('visits')] }));
    await eventually(async () => {
      const refusal = await open(options).then(
        () => null,
        (error: unknown) => error,
      );
      return refusal instanceof LogRefused && refusal.reason === 'other-partitions';
    }, 'the new number is seen and refused');
  });
});

describe('the log in Kafka without Kafka', () => {
  let line: FrameLine;
  const port = (): number => Number(brokers[0]?.split(':')[1]);

  beforeEach(async () => {
    line = await openFrameLine();
  });
  afterEach(() => line.close());

  /** The broker is found through the line; it then names itself. */
  const throughLine = (options: KafkaOptions): KafkaOptions => ({ ...options, brokers: [`127.0.0.1:${line.port}`] });

  it('opens when it is remembered, throws until Kafka is there, and then works', async () => {
    const options = await freshTopics();
    const before = await open(options);
    await before.append('links', 0, [{ key: 'a', value: Buffer.from('1') }]);

    const log = await open(throughLine(options), { remembered: before.remembered });
    expect(log).toMatchObject({ logId: before.logId, remembered: before.remembered });
    expect(log.isVerified()).toBe(false);
    const reader = await log.reader('links', 0);
    await expect(log.endOffset('links', 0)).rejects.toThrow(LogUnavailable);
    await expect(log.append('links', 0, [{ key: 'b', value: Buffer.alloc(0) }])).rejects.toThrow(LogUnavailable);
    await expect(reader.read(0, 100)).rejects.toThrow(LogUnavailable);

    line.leadTo(port());
    await eventually(() => log.isVerified(), 'the log is verified by itself');
    expect(await log.endOffset('links', 0)).toBe(2);
    expect((await reader.read(1, 100)).map(({ key }) => key)).toEqual(['a']);
    expect(await log.append('links', 0, [{ key: 'c', value: Buffer.alloc(0) }])).toBe(2);
    await reader.close();
  });

  it('tells loudly, once, when Kafka comes back with another log, and gives nothing of it away', async () => {
    const options = await freshTopics();
    await open(options);
    const refusals: LogRefused[] = [];
    const log = await open(throughLine(options), {
      remembered: { logId: 'another', partitions: 1 },
      onRefused: (error) => refusals.push(error),
    });
    const reader = await log.reader('links', 0);
    line.leadTo(port());
    await eventually(() => refusals.length > 0, 'the other log is noticed');
    await expect(reader.read(0, 100)).rejects.toThrow(LogRefused);
    await expect(log.append('links', 0, [{ key: 'a', value: Buffer.alloc(0) }])).rejects.toThrow(LogRefused);
    expect(log.isVerified()).toBe(false);
    expect(refusals.map(({ reason }) => reason)).toEqual(['other-log']);
    await reader.close();
  });
});

describe('records of the log in Kafka', () => {
  const event = encodeLinkEvent({
    id: '018f0000-0000-7000-8000-000000000001',
    code: 'abc',
    at: 1_767_225_600_000,
    by: 'anonymous',
    commandId: 'command-1',
    expectedVersion: 0,
    type: 'LinkCreated',
    kind: 'alias',
    url: 'https://example.com/?q="x"',
    expiresAt: null,
    maxVisits: null,
    tags: ['Tag, "quoted"', 'ümlaut'],
    note: 'a note: {"data":{}}',
  });

  it('are link events as CloudEvents in binary mode, and the same bytes again when they are read', async () => {
    const options = await freshTopics();
    const log = await open(options);
    await log.append('links', 0, [{ key: 'abc', value: event }]);
    const [, record] = await readElsewhere(options, 'links', 2);
    expect(record?.headers).toEqual({
      p: log.producerId,
      s: '0',
      c: expect.stringMatching(/^[0-9a-f]{8}$/),
      ce_specversion: '1.0',
      ce_id: '018f0000-0000-7000-8000-000000000001',
      ce_source: 'tallyhop',
      ce_type: 'tallyhop.link.created.v1',
      ce_time: '2026-01-01T00:00:00.000Z',
      ce_subject: 'abc',
      'content-type': 'application/json',
    });
    expect(JSON.parse(record?.value ?? '')).toMatchObject({
      commandId: 'command-1',
      url: 'https://example.com/?q="x"',
    });
    expect((await readAll(log, 'links', 0, 1))[0]?.value.toString()).toBe(event.toString());
  });

  it.each([
    ['no JSON', Buffer.from('{"specversion":"1.0","id":"x"')],
    ['an envelope whose members need escapes', Buffer.from(event.toString().replace('"tallyhop"', '"tally\\"hop"'))],
    [
      'an envelope without data',
      Buffer.from('{"specversion":"1.0","id":"a","source":"b","type":"c","time":"d","subject":"e"}'),
    ],
    ['nothing', Buffer.alloc(0)],
  ])('come back byte for byte also when they are %s', async (_, value) => {
    const log = await open(await freshTopics());
    await log.append('links', 0, [{ key: 'abc', value }]);
    const [record] = await readAll(log, 'links', 0, 1);
    expect(record?.value).toEqual(value);
    expect(record).not.toHaveProperty('invalid');
  });

  it('of strangers are given as what they are, in their place, and nothing behind them is held up', async () => {
    const options = await freshTopics();
    const log = await open(options);
    await log.append('visits', 0, [{ key: 'abc', value: Buffer.from('one') }]);
    const [own] = await readElsewhere(options, 'visits', 1);
    const headers = own?.headers ?? {};
    await writeAsStranger(options, 'visits', 0, [
      { key: 'abc', value: 'no headers' },
      { key: 'abc', value: 'other', headers },
      { key: 'abd', value: 'one', headers },
      { key: 'abc', value: 'one', headers: { ...headers, s: '1' } },
      { key: 'abc', value: 'one', headers: { ...headers, s: '-1' } },
      { key: 'abc', value: 'one', headers: { ...headers, s: '99999999999999999999' } },
      { key: 'abc', value: 'one', headers: { ...headers, p: 'x'.repeat(1000) } },
      { key: 'abc', value: null, headers },
      { key: null, value: 'one', headers },
      { key: Buffer.from([0xff, 0xfe]), value: 'one', headers },
      { key: 'ü', value: 'one', headers },
      {
        key: 'abc',
        value: 'many headers',
        headers: Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`h${i}`, ''])),
      },
      { key: 'abc', value: 'one', headers },
    ]);
    await writeAsStranger(
      options,
      'visits',
      0,
      [{ key: 'abc', value: Buffer.alloc(20_000_000) }],
      kafkajs.CompressionTypes.GZIP,
    );
    await writeAsStranger(options, 'visits', 0, [{ key: 'abc', value: 'one', headers }], kafkajs.CompressionTypes.GZIP);
    await log.append('visits', 0, [{ key: 'abc', value: Buffer.from('two') }]);

    const records = await readAll(log, 'visits', 0, 0);
    expect(records.map(({ offset }) => offset)).toEqual(Array.from({ length: 17 }, (_, offset) => offset));
    expect(records.map((record) => (record as LogRecord).invalid)).toEqual([
      undefined,
      'it has no identity (headers p, s, c)',
      'its checksum does not match',
      'its checksum does not match',
      'its checksum does not match',
      'its identity is malformed',
      'its identity is malformed',
      'its identity is malformed',
      'it has no value',
      'it has no key',
      'its key is not ASCII; here it is in base64',
      'its key is not ASCII; here it is in base64',
      'it has no identity (headers p, s, c)',
      // A copy of a record of ours is that record again: its sequence tells.
      undefined,
      expect.stringContaining('compressed to more than'),
      undefined,
      undefined,
    ]);
    expect(
      records.filter((record) => (record as LogRecord).invalid === undefined).map(({ sequence }) => sequence),
    ).toEqual([0, 0, 0, 1]);
  });

  it('give a place also to the end of a transaction, which is no record', async () => {
    const options = await freshTopics();
    const log = await open(options);
    const producer = createKafkaClient(options).producer({ transactionalId: options.topicPrefix, idempotent: true });
    await producer.connect();
    const transaction = await producer.transaction();
    await transaction.send({
      topic: topicName(options.topicPrefix, 'visits'),
      messages: [{ partition: 0, key: 'a', value: 'b' }],
    });
    await transaction.abort();
    await producer.disconnect();
    await eventually(async () => (await log.endOffset('visits', 0)) === 2, 'the end of the transaction is written');
    expect(await log.append('visits', 0, [{ key: 'abc', value: Buffer.from('one') }])).toBe(2);
    const records = await readAll(log, 'visits', 0, 0);
    expect(records.map((record) => (record as LogRecord).invalid)).toEqual([
      'it has no identity (headers p, s, c)',
      'the end of a transaction',
      undefined,
    ]);
  });

  it('lie in the partition into which another client puts the same key', async () => {
    const options = await freshTopics(7);
    const log = await open(options);
    const keys = Array.from({ length: 100 }, (_, i) => `code-${i}`);
    const producer = createKafkaClient(options).producer({
      createPartitioner: kafkajs.Partitioners.JavaCompatiblePartitioner,
    });
    await producer.connect();
    await producer.send({
      topic: topicName(options.topicPrefix, 'visits'),
      messages: keys.map((key) => ({ key, value: 'x' })),
    });
    await producer.disconnect();
    const found = await Promise.all(Array.from({ length: 7 }, (_, partition) => readAll(log, 'visits', partition, 0)));
    // That client sends to all partitions again when one of them was not ready.
    expect(found.map((records) => [...new Set(records.map(({ key }) => key))])).toEqual(
      Array.from({ length: 7 }, (_, partition) => keys.filter((key) => partitionOf(key, 7) === partition)),
    );
    expect(log.partitionOf('code-1')).toBe(partitionOf('code-1', 7));
  });

  it('reach many waiting readers long before the broker would end their wait', async () => {
    const options = await freshTopics(8);
    const writer = await open(options);
    const log = await open(options);
    const readers = await Promise.all(Array.from({ length: 8 }, (_, partition) => log.reader('visits', partition)));
    await Promise.all(readers.map((reader) => reader.read(0, 1)));
    const waits: number[] = [];
    for (let i = 0; i < 40; i++) {
      const reader = readers[i % 8];
      const offset = Math.floor(i / 8);
      const woken = reader?.waitFor(offset, 10_000);
      await writer.append('visits', i % 8, [{ key: 'a', value: Buffer.alloc(10) }]);
      const startMs = performance.now();
      await woken;
      waits.push(performance.now() - startMs);
      expect(await reader?.read(offset, 100)).toHaveLength(1);
    }
    waits.sort((a, b) => a - b);
    expect(waits[20]).toBeLessThan(50);
    await Promise.all(readers.map((reader) => reader.close()));
  });

  it('are read in bulk without holes or repetition by readers that seek about', async () => {
    const log = await open(await freshTopics());
    const value = Buffer.alloc(300, 'v');
    for (let i = 0; i < 20; i++) {
      await log.append(
        'visits',
        0,
        Array.from({ length: 1_000 }, (_, j) => ({ key: `k${1_000 * i + j}`, value })),
      );
    }
    const reader = await log.reader('visits', 0);
    let next = 0;
    while (next < 20_000) {
      for (const record of await reader.read(next, 200_000)) {
        expect(record.key).toBe(`k${record.offset}`);
        expect(record.offset).toBe(next);
        next++;
      }
    }
    for (const offset of [19_999, 0, 1_001, 1_000, 15_555]) {
      expect((await reader.read(offset, 1)).map(({ key }) => key)).toEqual([`k${offset}`]);
    }
    await reader.close();
  });
});
