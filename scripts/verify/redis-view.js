/**
 * Redis against the raw log: rows of links that are said to be complete, the two lists of links by visits, and links. Redis may
 * hold as little as it likes; what it holds under a mark that counts must be right. Keys: `<prefix>tallyhop:{<partition>}:…`.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { Redis } from 'ioredis';
import { NotPossible } from './not-possible.js';
import { compareMissing, compareRow } from './row-comparison.js';
import { payloadOf, versionOf } from './stored-rows.js';

const mark = '!generation';
const checksumBytes = 4;
const pauseMs = 100;
/** A change of a link is in Redis soon after it is in the log. */
const seenWithinMs = 5_000;
const keysPerScan = 1_000;

export async function compareRedis({ oracle, report, env, prefix, timeoutMs }) {
  const address = env.REDIS_URL.replace(/\/\/[^@/]*@/, '//');
  const redis = connect(env);
  redis.on('error', () => {});
  try {
    await redis.connect();
  } catch (error) {
    redis.disconnect();
    throw new NotPossible(
      `Redis at ${address} cannot be reached (${error.message}): set REDIS_URL and the REDIS_ settings as the instances have them.`,
    );
  }
  try {
    const rows = report.view('Redis rows', address);
    const lists = report.view('Redis lists', address);
    const links = report.view('Redis links', address);
    for (const { partition } of oracle.positions) {
      const keyOf = (name) => `${prefix}tallyhop:{${partition}}:${name}`;
      const context = { redis, oracle, partition, keyOf, timeoutMs };
      const position = await compareRows(context, rows);
      if (position !== null) await compareLists(context, lists, position);
      await compareLinks(context, links);
    }
  } finally {
    redis.disconnect();
  }
}

function connect({ REDIS_URL: url, REDIS_USERNAME: username, REDIS_PASSWORD: password, REDIS_CA_FILE: caFile }) {
  return new Redis(url, {
    lazyConnect: true,
    protocol: 2,
    replyMapping: 'legacy',
    maxRetriesPerRequest: 2,
    connectTimeout: 5_000,
    retryStrategy: (times) => (times > 2 ? null : 200),
    ...(username && { username }),
    ...(password && { password }),
    ...(caFile && { tls: { ca: readFileSync(caFile) } }),
  });
}

/** `<partition> <nextOffset> <streamTimeMs> <logId> <generation> <CRC-32 of all before, hex>`; null when it is none of this log. */
async function readPosition({ redis, oracle, partition, keyOf }) {
  const text = (await redis.get(keyOf('position'))) ?? '';
  const words = text.split(' ');
  const [, nextOffset, , logId, generation, sum] = words;
  const isOurs = words.length === 6 && Number(words[0]) === partition && logId === oracle.logId;
  if (!isOurs || crc32(words.slice(0, 5).join(' ')).toString(16) !== sum) return null;
  return { nextOffset: Number(nextOffset), generation };
}

/** Compares rows once Redis is as far as the log was at the start. Resolves with the position, null when it never was. */
async function compareRows(context, view) {
  const { redis, oracle, partition, keyOf, timeoutMs } = context;
  const end = oracle.positions[partition].nextOffset;
  const deadline = performance.now() + timeoutMs;
  let position = await readPosition(context);
  // A partition without a record may never have been put.
  while ((position?.nextOffset ?? 0) < end && performance.now() < deadline) {
    await delay(pauseMs);
    position = await readPosition(context);
  }
  if (position === null || position.nextOffset < end) {
    view.compared();
    if (end === 0 && position === null) return null;
    view.drift({
      key: `partition ${partition}`,
      what: 'position',
      expected: end,
      found: position?.nextOffset ?? 'none',
    });
    return null;
  }
  const { nextOffset, generation } = position;
  const held = new Set();
  const start = keyOf('rows:');
  for await (const key of keysOf(redis, start)) {
    const code = key.slice(start.length);
    const fields = await fieldsOf(redis, key);
    if (fields.get(mark)?.toString() !== generation) continue;
    held.add(code);
    fields.delete(mark);
    for (const [rowKey, value] of fields) {
      if (rowKey.startsWith('!')) continue;
      const bytes = value.subarray(0, -checksumBytes);
      const isSound =
        value.length > checksumBytes + 8 && crc32(bytes, crc32(`${rowKey}\0`)) === value.readUInt32BE(bytes.length);
      if (isSound) {
        await compareRow(oracle, view, {
          key: rowKey,
          payload: payloadOf(bytes),
          version: versionOf(bytes),
          partition,
          nextOffset,
        });
      } else {
        view.compared();
        view.drift({ key: rowKey, what: 'the bytes', expected: 'what was written', found: value.toString('hex') });
      }
    }
    compareMissing(oracle, view, partition, [code], (rowKey) => fields.has(rowKey));
  }
  for (const code of oracle.visitedCodes(partition)) if (!held.has(code)) view.absent();
  return position;
}

/** The lists are fed in passing, so a score may be of any position from the one that was read first. */
async function compareLists({ redis, oracle, partition, keyOf }, view, { nextOffset, generation }) {
  const lists = [
    { name: 'by-visits', scoreOf: ({ nonBots, bots }) => nonBots + bots },
    { name: 'by-last-visit', scoreOf: ({ last }) => last ?? 0 },
  ];
  if (oracle.wholeFromDay(partition) > 0) return;
  for (const { name, scoreOf } of lists) {
    const scores = await scoresOf(redis, keyOf(name));
    if (!scores.has(`!${generation}`)) {
      for (const _ of oracle.visitedCodes(partition)) view.absent();
      continue;
    }
    await oracle.reaches(partition, Number.POSITIVE_INFINITY);
    const codes = new Set([
      ...oracle.visitedCodes(partition),
      ...[...scores.keys()].filter((code) => !code.startsWith('!')),
    ]);
    for (const code of codes) {
      view.compared();
      const score = scores.get(code);
      const expected = scoreOf(await oracle.visitsAt(code, nextOffset));
      const newest = scoreOf(oracle.visitsReadOf(code));
      if (score !== undefined && score >= expected && score <= newest) continue;
      view.drift({
        key: `${name} ${code}`,
        what: 'score',
        expected,
        found: score ?? 'missing',
        position: `${partition}:${nextOffset}`,
      });
    }
  }
}

async function compareLinks({ redis, oracle, keyOf }, view) {
  const [logId, generation] = await redis.hmget(keyOf('links'), 'log', 'generation');
  if (logId !== oracle.logId) return;
  const start = keyOf('link:');
  for await (const key of keysOf(redis, start)) {
    const code = key.slice(start.length);
    const deadline = performance.now() + seenWithinMs;
    let difference = await linkDifference({ redis, oracle, key, code, generation });
    while (difference !== null && performance.now() < deadline) {
      await delay(pauseMs);
      await oracle.readLinksOf(code);
      difference = await linkDifference({ redis, oracle, key, code, generation });
    }
    view.compared();
    if (difference !== null) view.drift({ key: code, ...difference });
  }
}

/** `<generation> <version> <checksum> <JSON>`; the JSON is the link, as an object or by position (code, url, …). */
async function linkDifference({ redis, oracle, key, code, generation }) {
  const text = (await redis.get(key)) ?? '';
  const [, of, version, sum, json] = /^(\S+) (\d+) (\S+) ([\s\S]*)$/.exec(text) ?? [];
  if (of !== generation) return null;
  if (crc32(`${code} ${version} ${json}`).toString(16) !== sum)
    return { what: 'the bytes', expected: 'what was written', found: text };
  const known = oracle.links.links.get(code);
  const link = JSON.parse(json);
  const url = Array.isArray(link) ? link[1] : link.url;
  if (known?.version !== Number(version))
    return { what: 'version', expected: known?.version ?? 'no link', found: Number(version) };
  return url === known.url ? null : { what: 'url', expected: known.url, found: url };
}

async function* keysOf(redis, start) {
  const pattern = `${start.replace(/[[\]*?\\]/g, '\\$&')}*`;
  const seen = new Set();
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', pattern, 'COUNT', keysPerScan);
    for (const key of keys) if (!seen.has(key) && seen.add(key)) yield key;
    cursor = next;
  } while (cursor !== '0');
}

async function fieldsOf(redis, key) {
  const flat = await redis.callBuffer('HGETALL', key);
  const fields = new Map();
  for (let i = 0; i < flat.length; i += 2) fields.set(flat[i].toString('latin1'), flat[i + 1]);
  return fields;
}

async function scoresOf(redis, key) {
  const flat = await redis.call('ZRANGE', key, '0', '-1', 'WITHSCORES');
  const scores = new Map();
  for (let i = 0; i < flat.length; i += 2) scores.set(flat[i], Number(flat[i + 1]));
  return scores;
}
