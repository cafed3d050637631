import { formatPosition, parsePosition } from '../../../src/adapters/redis/position-text.ts';
import { openRedisConnection, type RedisConnection } from '../../../src/adapters/redis/redis-connection.ts';
import { createRedisKeys } from '../../../src/adapters/redis/redis-keys.ts';
import { openRedisProgress, type RedisProgress } from '../../../src/adapters/redis/redis-progress.ts';
import { systemRandom } from '../../../src/adapters/system/system-random.ts';
import type { PartitionPosition } from '../../../src/ports/statistics-read-model.ts';
import { eventually } from '../../support/eventually.ts';
import { createQuietLogger } from '../../support/quiet-logger.ts';
import { type RedisServer, startRedisServer } from '../../support/redis-server.ts';

const keys = createRedisKeys();
const logger = createQuietLogger();
const text = (partition: number, nextOffset: number, logId = 'log-1') =>
  formatPosition({ partition, nextOffset, streamTimeMs: nextOffset * 10, logId, generation: 'g1' });
const position = (partition: number, nextOffset: number) => ({ partition, nextOffset, streamTimeMs: nextOffset * 10 });

let server: RedisServer;
let connection: RedisConnection;
let progress: RedisProgress;
let heard: PartitionPosition[];

beforeEach(async () => {
  server = await startRedisServer();
  await server.client.set(keys.position(1), text(1, 7));
  connection = openRedisConnection({ url: server.url, logger, random: systemRandom });
  progress = openRedisProgress({
    url: server.url,
    connection,
    keys,
    logId: 'log-1',
    partitions: 3,
    logger,
    random: systemRandom,
  });
  heard = [];
  progress.onPosition((further) => heard.push(further));
  await eventually(() => progress.isCurrent(), 'it is current');
});
afterEach(async () => {
  progress.close();
  connection.close();
  await server.dispose();
});

const tell = (message: string) => server.client.publish(keys.progressChannel, message);

describe('the progress of Redis', () => {
  it('begins with what Redis holds and goes on with what is told', async () => {
    expect(progress.positions()).toEqual([position(1, 7)]);
    await tell(text(0, 3));
    await tell(text(1, 9));
    await eventually(() => heard.length === 3, 'both were heard');
    expect(heard).toEqual([position(1, 7), position(0, 3), position(1, 9)]);
    expect(progress.positions()).toEqual([position(0, 3), position(1, 9)]);
  });

  it('never falls, and takes nothing from other logs, unknown partitions or strangers', async () => {
    for (const message of [
      text(1, 6),
      text(1, 7),
      text(1, 99, 'log-0'),
      text(3, 5),
      'hello',
      '',
      text(1, 99).replace('99', '98'),
    ]) {
      await tell(message);
    }
    await tell(text(1, 8));
    await eventually(() => heard.length > 1, 'the last one was heard');
    expect(heard).toEqual([position(1, 7), position(1, 8)]);
  });

  it('reads again what it may have missed while Redis was away', async () => {
    await server.client.set(keys.position(1), text(1, 12));
    await server.client.save();
    await server.restart();
    await eventually(() => progress.isCurrent() && heard.length > 1, 'it is current again');
    expect(progress.positions()).toEqual([position(1, 12)]);
    await tell(text(1, 13));
    await eventually(() => heard.length > 2, 'it listens again');
  });
});

describe('a position as text', () => {
  it('comes back as it was, and not at all when a character of it changed', () => {
    const whole = { partition: 3, nextOffset: 2 ** 53 - 1, streamTimeMs: 5, logId: 'log-1', generation: 'g-1' };
    const written = formatPosition(whole);
    expect(parsePosition(written)).toEqual(whole);
    for (let at = 0; at < written.length; at++) {
      const changed = `${written.slice(0, at)}${written[at] === '1' ? '2' : '1'}${written.slice(at + 1)}`;
      expect(parsePosition(changed)).toBeNull();
    }
  });
});
