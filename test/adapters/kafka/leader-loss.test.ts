/** Three brokers, and the one that leads is killed under load: what was acknowledged stays, writers and readers follow. */

import { checkTopics } from '../../../src/adapters/kafka/check-topics.ts';
import { ensureTopics } from '../../../src/adapters/kafka/ensure-topics.ts';
import { openKafkaLog } from '../../../src/adapters/kafka/kafka-log.ts';
import { topicName } from '../../../src/adapters/kafka/topic-names.ts';
import { readAll } from '../../contracts/event-log.ts';
import { eventually } from '../../support/eventually.ts';
import { type Services, startOwnServices } from '../../support/services.ts';
import { kafkaOptions, withAdmin } from './support/kafka-world.ts';

let services: Services;
beforeAll(async () => {
  services = await startOwnServices({ redis: false, brokers: 3 });
}, 180_000);
afterAll(() => services.stop());

it('loses nothing that was acknowledged when the leader of a partition dies, and goes on without it', async () => {
  const options = kafkaOptions(services.kafkaBrokers);
  await ensureTopics(options, 1);
  expect(await checkTopics(options, 1)).toEqual([]);
  const log = await openKafkaLog({ ...options, secretFingerprint: 'f', onRefused: () => undefined });
  const reader = await log.reader('visits', 0);
  const seen: string[] = [];
  let reading = true;
  const follow = (async () => {
    while (reading) {
      const next = seen.length;
      for (const { key } of await reader.read(next, 10_000).catch(() => [])) seen.push(key);
      await reader.waitFor(seen.length, 100);
    }
  })();

  const acknowledged = new Map<number, string>();
  let written = 0;
  let writing = true;
  const write = (async () => {
    while (writing) {
      const key = `k${written++}`;
      const offset = await log.append('visits', 0, [{ key, value: Buffer.alloc(50) }]).catch(() => null);
      if (offset !== null) acknowledged.set(offset, key);
    }
  })();
  await eventually(() => acknowledged.size > 200, 'the log is under load');
  const leader = await withAdmin(options, async (admin) => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topicName(options.topicPrefix, 'visits')] });
    return topics[0]?.partitions[0]?.leader;
  });
  await services.brokers.find(({ id }) => id === leader)?.kill('SIGKILL');
  const before = acknowledged.size;
  await eventually(() => acknowledged.size > before + 200, 'another broker leads', 60_000);
  writing = false;
  await write;
  await eventually(async () => seen.length >= (await log.endOffset('visits', 0)), 'the reader has followed', 20_000);
  reading = false;
  await follow;

  const records = await readAll(log, 'visits', 0, 0);
  expect(seen).toEqual(records.map(({ key }) => key));
  for (const [offset, key] of acknowledged) expect(records[offset]?.key).toBe(key);
  await reader.close();
  await log.close();
}, 180_000);
