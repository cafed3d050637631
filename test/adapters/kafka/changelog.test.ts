/** The changelog and the dead letters in Kafka. */
import { createDeadLetterSender, deadLetterValueBytesMax } from '../../../src/adapters/kafka/dead-letter-sender.ts';
import { openKafkaChangelog } from '../../../src/adapters/kafka/kafka-changelog.ts';
import { createKafkaClient } from '../../../src/adapters/kafka/kafka-client.ts';
import type { KafkaOptions } from '../../../src/adapters/kafka/kafka-options.ts';
import { topicName } from '../../../src/adapters/kafka/topic-names.ts';
import {
  type Changelog,
  type ChangelogEntry,
  type ChangelogRecord,
  ChangelogUnavailable,
  changelogAppendMax,
} from '../../../src/ports/changelog.ts';
import { OffsetOutOfRange } from '../../../src/ports/event-log.ts';
import { eventually } from '../../support/eventually.ts';
import { sharedServices } from '../../support/services.ts';
import { createBareTopics, kafkaOptions, writeAsStranger } from './support/kafka-world.ts';

let brokers: readonly string[] = [];
beforeAll(async () => {
  brokers = (await sharedServices()).kafkaBrokers;
}, 60_000);

const row = (key: string, value = `row ${key}`): ChangelogEntry => ({ kind: 'row', key, value: Buffer.from(value) });

describe('the changelog in Kafka', () => {
  let options: KafkaOptions;
  let changelog: Changelog;

  beforeEach(async () => {
    options = kafkaOptions(brokers);
    await createBareTopics(options, 2, ['changelog']);
    changelog = await openKafkaChangelog(options);
  });
  afterEach(() => changelog.close());

  async function readAll(partition: number): Promise<ChangelogRecord[]> {
    const reader = await changelog.reader(partition);
    const found: ChangelogRecord[] = [];
    for (let next = 0; ; ) {
      const read = await reader.read(next, 100);
      if (read.records.length === 0 && read.nextOffset === next) break;
      found.push(...read.records);
      next = read.nextOffset;
    }
    await reader.close();
    return found;
  }

  it('gives back every kind of entry with its owner and send, in order', async () => {
    expect(await changelog.append(1, [{ kind: 'barrier', key: 'owner-1', value: Buffer.from('{}') }], -1, 0)).toBe(0);
    const entries: ChangelogEntry[] = [
      row('a'),
      { kind: 'row', key: 'b', value: Buffer.alloc(0) },
      { kind: 'checkpoint', key: 'visits', value: Buffer.from([0, 255]) },
      { kind: 'barrier', key: 'owner-0', value: null },
    ];
    expect(await changelog.append(1, entries, 0, 7)).toBe(1);
    expect(await changelog.endOffset(1)).toBe(5);
    expect(await changelog.endOffset(0)).toBe(0);
    const records = await readAll(1);
    expect(records.map(({ offset, epoch, send }) => [offset, epoch, send])).toEqual([
      [0, -1, 0],
      [1, 0, 7],
      [2, 0, 7],
      [3, 0, 7],
      [4, 0, 7],
    ]);
    expect(records.slice(1).map(({ kind, key, value }) => ({ kind, key, value }))).toEqual(entries);
    expect(records.some((record) => 'invalid' in record)).toBe(false);
  });

  it('leaves the bytes of a value to the caller once the append has resolved', async () => {
    const value = Buffer.from('before');
    await changelog.append(0, [{ kind: 'row', key: 'a', value }], 0, 0);
    value.fill('x');
    await changelog.append(0, [{ kind: 'row', key: 'b', value }], 0, 1);
    expect((await readAll(0)).map((record) => record.value?.toString())).toEqual(['before', 'xxxxxx']);
  });

  it('takes as much as one append may have, and refuses more, strange keys and strange partitions', async () => {
    const { entries, bytes } = changelogAppendMax;
    const most = Array.from({ length: entries }, (_, i) =>
      row(`k${i}`.padEnd(40, '_'), 'v'.repeat(bytes / entries - 40)),
    );
    expect(await changelog.append(0, most, 123_456_789_012, 4_000_000_000)).toBe(0);
    expect(await changelog.endOffset(0)).toBe(entries);
    for (const wrong of [
      [],
      [...most, row('one more')],
      [row('a', 'x'.repeat(bytes))],
      [row('')],
      [row('ü')],
      [row('x'.repeat(513))],
    ]) {
      await expect(changelog.append(0, wrong, 0, 0)).rejects.toThrow(RangeError);
    }
    await expect(changelog.append(2, [row('a')], 0, 0)).rejects.toThrow(RangeError);
    await expect(changelog.reader(-1)).rejects.toThrow(RangeError);
    const longest = 'x'.repeat(512);
    await changelog.append(1, [row(longest)], 0, 0);
    expect((await readAll(1))[0]?.key).toBe(longest);
  });

  it('marks what it did not write itself', async () => {
    await changelog.append(0, [row('a')], 3, 4);
    await writeAsStranger(options, 'changelog', 0, [
      { key: 'ra', value: 'no headers' },
      { key: 'ra', value: 'row a', headers: { e: '3', n: '5', c: '00000000' } },
      { key: 'xa', value: 'row a', headers: { e: '3', n: '4', c: '00000000' } },
      { key: 'ra', value: 'row a', headers: { e: '-2', n: '4', c: '00000000' } },
      { key: null, value: 'row a' },
      { key: 'r', value: 'row a' },
    ]);
    expect((await readAll(0)).map(({ invalid }) => invalid)).toEqual([
      undefined,
      'it has no headers e, n, c',
      'its checksum does not match',
      'its kind is unknown',
      'its epoch or its send is malformed',
      'its key is none of ours',
      'its key is none of ours',
    ]);
  });

  it('wakes who waits for its end, and refuses an offset behind it', async () => {
    const reader = await changelog.reader(0);
    await expect(reader.read(1, 100)).rejects.toThrow(OffsetOutOfRange);
    const woken = reader.waitFor(0, 20_000);
    await changelog.append(0, [row('a')], 0, 0);
    await woken;
    expect(await reader.read(0, 100)).toMatchObject({ nextOffset: 1, records: [{ key: 'a' }] });
    expect(await reader.read(1, 100)).toEqual({ nextOffset: 1, records: [] });
    expect([reader.startOffset(), reader.endOffset()]).toEqual([0, 1]);
    await reader.close();
  });

  it('opens without Kafka for who knows its partitions, and is unavailable then when it is used', async () => {
    const away = await openKafkaChangelog({ ...kafkaOptions(['127.0.0.1:1']), partitions: 2 });
    await expect(away.endOffset(1)).rejects.toThrow(ChangelogUnavailable);
    await expect(away.endOffset(2)).rejects.toThrow(RangeError);
    await away.close();
    const known = await openKafkaChangelog({ ...options, partitions: 2 });
    await known.append(1, [row('a')], 0, 0);
    expect(await known.endOffset(1)).toBe(1);
    await known.close();
  });

  it('is unavailable without its topic, without Kafka, and after it was closed', async () => {
    await expect(openKafkaChangelog(kafkaOptions(brokers))).rejects.toThrow(ChangelogUnavailable);
    await expect(openKafkaChangelog(kafkaOptions(['127.0.0.1:1']))).rejects.toThrow(ChangelogUnavailable);
    const other = await openKafkaChangelog(options);
    await other.close();
    await expect(other.append(0, [row('a')], 0, 0)).rejects.toThrow(ChangelogUnavailable);
    await expect(other.endOffset(0)).rejects.toThrow(ChangelogUnavailable);
  });
});

describe('dead letters in Kafka', () => {
  it('stand under the place of their original with the reason, its length and the beginning of its value', async () => {
    const options = kafkaOptions(brokers);
    await createBareTopics(options, 1, ['dead-letters']);
    const sender = createDeadLetterSender(options);
    const value = Buffer.alloc(deadLetterValueBytesMax + 5, 'v');
    const stranger = { key: '', producerId: '', sequence: 0 };
    await sender.send([
      {
        topic: 'visits',
        partition: 3,
        offset: 17,
        reason: 'not a visit: "ü"\n',
        key: 'abc',
        producerId: 'producer-1',
        sequence: 5,
        value: Buffer.from('short'),
      },
      { ...stranger, topic: 'links', partition: 0, offset: 2, reason: 'too long', value },
      ...Array.from({ length: 30 }, (_, offset) => {
        return { ...stranger, topic: 'visits' as const, partition: 0, offset, reason: 'r', value };
      }),
    ]);
    await sender.close();

    const consumer = createKafkaClient(options).consumer({ groupId: `${options.topicPrefix}reader` });
    await consumer.connect();
    const found: { key: string; bytes: number; headers: Record<string, string> }[] = [];
    await consumer.subscribe({ topics: [topicName(options.topicPrefix, 'dead-letters')], fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message: { key, value: bytes, headers } }) => {
        const texts = Object.entries(headers ?? {}).map(([name, text]) => [name, String(text)]);
        found.push({ key: String(key), bytes: bytes?.length ?? -1, headers: Object.fromEntries(texts) });
      },
    });
    await eventually(() => found.length === 32, 'all letters are read');
    await consumer.disconnect();
    const visits = topicName(options.topicPrefix, 'visits');
    const links = topicName(options.topicPrefix, 'links');
    expect(found.slice(0, 2)).toEqual([
      {
        key: `${visits}:3:17`,
        bytes: 5,
        headers: {
          reason: 'not a visit: "?"?',
          length: '5',
          origin: `${visits}:3:17`,
          key: 'abc',
          p: 'producer-1',
          s: '5',
        },
      },
      {
        key: `${links}:0:2`,
        bytes: deadLetterValueBytesMax,
        headers: { reason: 'too long', length: String(value.length), origin: `${links}:0:2`, key: '' },
      },
    ]);
  });
});
