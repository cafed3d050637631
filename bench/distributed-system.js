/**
 * The distributed mode as its users meet it: how fresh Redis and the statistics are under a steady load, how long a creation takes, what
 * a redirect costs beside bare `node:http` while visits are shipped, and how long a lost Redis is being refilled.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { createApiClient } from './api-client.js';
import { connections, driver } from './drive.js';
import { median, quantile, row } from './figures.js';
import { createInstallation } from './installation.js';
import { targetOf } from './load.js';
import { end, startBareServer, until } from './processes.js';
import { driveOnce, writeRequests } from './redirect.js';
import { startSteadyLoad } from './steady-load.js';

const partitions = 16;
const visitsPerSecond = 1_000;
/** Links that the load leaves alone, so that a visit of ours is the only one. */
const linksWatched = 100;
const pollMs = 2;
const deadlineMs = 20_000;
const countedLagMs = 250;

export async function measureDistributedSystem(context, services) {
  const { codes, quick, visits, links, workDir } = context;
  const installation = await createInstallation(services, { name: 'system', codes, partitions, workDir });
  await installation.shipVisits(Math.round(visits / 10), links);
  const redis = new Redis(services.redisUrl, { protocol: 2, replyMapping: 'legacy' });
  const program = await installation.startInstance();
  const client = createApiClient(program.port, { sockets: 4 });
  try {
    await until(() => isWhole(redis, installation), program, 100);
    await counted(client, program, codes.at(-1));
    const fresh = await freshness({ installation, redis, client, program, codes, quick });
    const created = await creations(client, quick ? 50 : 300);
    const refill = await refillRedis({ installation, redis, program });
    const redirects = await redirectRatio({ program, workDir, codes, quick });
    await counted(client, program, codes[0]);
    return {
      rows: [
        row(`click to Redis at ${visitsPerSecond} visits/s, p50`, quantile(fresh.redis, 0.5), 'ms'),
        row(`click to Redis at ${visitsPerSecond} visits/s, p99`, quantile(fresh.redis, 0.99), 'ms'),
        row('click to statistics, p50', quantile(fresh.statistics, 0.5), 'ms', { atMost: 50 }),
        row('click to statistics, p99', quantile(fresh.statistics, 0.99), 'ms', { atMost: 300 }),
        row('visits of the load that were not redirected', fresh.load.failed, '', { atMost: 0 }),
        row('create, one at a time, p50', quantile(created, 0.5), 'ms', { atMost: 60 }),
        row('create, one at a time, p99', quantile(created, 0.99), 'ms'),
        row('refill of an emptied Redis', (refill.keys * 1_000) / refill.elapsedMs, 'keys/s'),
        row('redirect while shipping to Kafka', redirects.program, '/s'),
        row('redirect while shipping: ratio to bare', redirects.ratio, '×', { atLeast: 0.45 }),
      ],
      details: { fresh, created, refill, redirects },
    };
  } finally {
    client.close();
    redis.disconnect();
    await end(program);
  }
}

/** `lagMs` is how long ago the log's end was asked for, at the least: it never becomes 0 while others may write. */
async function counted(client, program, code) {
  await until(async () => {
    const { status, text } = await client.request('GET', `/api/links/${code}/stats`);
    return status === 200 && JSON.parse(text).position.lagMs < countedLagMs;
  }, program);
}

async function freshness({ installation, redis, client, program, codes, quick }) {
  const watched = codes.slice(-linksWatched);
  const steady = startSteadyLoad(program.port, codes.slice(0, -linksWatched), visitsPerSecond);
  const samples = { redis: [], statistics: [] };
  // Connections and compiled code have to come first.
  await delay(quick ? 1_000 : 5_000);
  for (let i = 0; i < (quick ? 20 : 300); i++) {
    const code = watched[i % watched.length];
    const rowOf = () => redis.hgetBuffer(installation.redisKey(code, 'rows'), `t${code}`);
    const totalOf = async () => (await client.json('GET', `/api/links/${code}`)).visits.total;
    const [rowBefore, totalBefore] = [await rowOf(), await totalOf()];
    await client.request('GET', `/${code}`);
    const startMs = performance.now();
    const [inRedis, inStatistics] = await Promise.all([
      elapsedUntil(startMs, async () => isOther(await rowOf(), rowBefore)),
      elapsedUntil(startMs, async () => (await totalOf()) > totalBefore),
    ]);
    samples.redis.push(inRedis);
    samples.statistics.push(inStatistics);
  }
  return { ...samples, load: await steady.stop() };
}

const isOther = (row, before) => row !== null && (before === null || !row.equals(before));

async function elapsedUntil(startMs, condition) {
  while (!(await condition())) {
    if (performance.now() - startMs > deadlineMs) throw new Error('the visit did not become visible');
    await delay(pollMs);
  }
  return performance.now() - startMs;
}

async function creations(client, count) {
  const latenciesMs = [];
  for (let i = 0; i < count; i++) {
    const sentMs = performance.now();
    await client.json('POST', '/api/links', { url: `https://created-distributed.example/${i.toString(36)}` });
    latenciesMs.push(performance.now() - sentMs);
  }
  return latenciesMs;
}

/** From the moment when it is empty until every partition says that it holds all links that were visited lately. */
async function refillRedis({ installation, redis, program }) {
  await redis.flushall();
  const startMs = performance.now();
  await until(() => isWhole(redis, installation), program, 20);
  const elapsedMs = performance.now() - startMs;
  let keys = 0;
  for (let partition = 0; partition < partitions; partition++) {
    let cursor = '0';
    do {
      const pattern = `${installation.redisKeyOf(partition, 'rows')}:*`;
      const [next, found] = await redis.scan(cursor, 'MATCH', pattern, 'COUNT', 10_000);
      // The mark that a link is whole is no row.
      for (const key of found) keys += (await redis.hlen(key)) - 1;
      cursor = next;
    } while (cursor !== '0');
  }
  return { elapsedMs, keys };
}

async function isWhole(redis, { redisKeyOf }) {
  for (let partition = 0; partition < partitions; partition++) {
    const [, , , , generation] = ((await redis.get(redisKeyOf(partition, 'position'))) ?? '').split(' ');
    if (generation === undefined) return false;
    // Below that it is being filled.
    const mark = await redis.zscore(redisKeyOf(partition, 'by-visits'), `!${generation}`);
    if (mark === null || Number(mark) !== -1) return false;
  }
  return true;
}

/** In turn with a server that only redirects; the visits go into the journal, to Kafka, and through the fold meanwhile. */
async function redirectRatio({ program, workDir, codes, quick }) {
  const targetsFile = join(workDir, 'targets-distributed.tsv');
  writeFileSync(targetsFile, codes.map((code, i) => `${code}\t${targetOf(i)}\n`).join(''));
  const requestsFile = writeRequests(workDir, 'zipf', codes);
  const bare = await startBareServer('bare', targetsFile);
  const seconds = quick ? 1 : 3;
  const runs = { bare: [], program: [] };
  try {
    for (let round = -1; round < (quick ? 1 : 5); round++) {
      for (const [name, server] of Object.entries({ bare, program })) {
        const { perSecond, failed, notRedirected } = await driveOnce(server, requestsFile, seconds);
        if (failed + notRedirected > 0)
          throw new Error(`${name}: ${failed} failed, ${notRedirected} were no redirects`);
        // The first round is to warm up.
        if (round >= 0) runs[name].push(perSecond);
      }
    }
  } finally {
    await end(bare);
  }
  const ratio = median(runs.program.map((perSecond, round) => perSecond / runs.bare[round]));
  return { ratio, program: median(runs.program), bare: median(runs.bare), driver, connections };
}
