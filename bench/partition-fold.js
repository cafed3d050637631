/**
 * The fold of one partition in the distributed mode, in one thread, store and changelog on: with all statistics, and with a topology
 * that only counts, against Kafka Streams counting the same topic exactly once. In turn, each in a process of its own. Then
 * the restoring of a lost store from the changelog.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { openKafkaLog } from '../dist/adapters/kafka/kafka-log.js';
import { createVisitShipper } from '../dist/adapters/kafka/kafka-visit-shipper.js';
import { openLevelStateStore } from '../dist/adapters/level/level-state-store.js';
import { systemClock } from '../dist/adapters/system/system-clock.js';
import { systemRandom } from '../dist/adapters/system/system-random.js';
import { totalsRowCodec } from '../dist/projections/totals-row.js';
import { encodeVisit } from '../dist/serde/visit.js';
import { payloadOf } from '../dist/worker/versioned-rows.js';
import { visitsCounted } from './count-topology.js';
import { median, row } from './figures.js';
import { countWithKafkaStreams, prepareKafkaStreams } from './kafka-streams.js';
import { logger } from './links.js';
import { makeTopics } from './topics.js';
import { describedVisits } from './visits.js';

const partitionProcess = fileURLToPath(new URL('partition-process.js', import.meta.url));
const topicPrefix = 'bench-fold-';
const visitsPerSend = 1_500;
const kinds = ['statistics', 'count', 'streams'];

export async function measurePartitionFold({ quick, links, visits, workDir }, { kafkaBrokers: brokers }) {
  const classPath = prepareKafkaStreams();
  const kafka = { brokers, clientId: 'tallyhop-bench', logger, clock: systemClock, random: systemRandom };
  await loadTopic({ ...kafka, topicPrefix }, { visits, links });
  const runs = [];
  for (let round = 0; round < (quick ? 1 : 3); round++) {
    for (const kind of kinds) {
      const name = `${kind}-${round}`;
      const stateDir = join(workDir, `partition-${name}`);
      if (kind === 'streams') {
        const topic = `${topicPrefix}tallyhop.visits.v1`;
        const run = { brokers, topic, records: visits, application: `bench-${name}`, stateDir };
        runs.push({ kind, ...(await countWithKafkaStreams(classPath, run)) });
      } else {
        const changelogPrefix = `bench-${name}-`;
        await makeTopics({ ...kafka, topicPrefix: changelogPrefix }, 1);
        const run = { brokers, topicPrefix, changelogPrefix, topology: kind, visits };
        runs.push({
          kind,
          ...(await foldPartition({ ...run, folder: stateDir })),
          wrong: await wrongIn(stateDir, kind, visits),
        });
        if (kind === 'statistics')
          runs.push({ kind: 'restore', ...(await restore({ ...run, folder: `${stateDir}-restored` })) });
      }
      console.log(JSON.stringify(runs.at(-1)));
    }
  }
  return { rows: rowsOf(runs), details: runs };
}

function rowsOf(runs) {
  const of = (kind, figure) => median(runs.filter((run) => run.kind === kind).map((run) => run[figure]));
  const ratio = (kind) => {
    const yardsticks = runs.filter((run) => run.kind === 'streams').map(({ perSecond }) => perSecond);
    return median(runs.filter((run) => run.kind === kind).map(({ perSecond }, round) => perSecond / yardsticks[round]));
  };
  const wrong = runs.filter((run) => run.wrong !== undefined).map((run) => Math.abs(run.wrong));
  return [
    row('fold of a partition, all statistics', of('statistics', 'perSecond'), 'events/s'),
    row('fold of a partition, count alone', of('count', 'perSecond'), 'events/s'),
    row('Kafka Streams count, exactly once', of('streams', 'perSecond'), 'events/s'),
    row('all statistics: ratio to Kafka Streams', ratio('statistics'), '×', { atLeast: 1 }),
    row('count alone: ratio to Kafka Streams', ratio('count'), '×', { atLeast: 1.7 }),
    row('CPU, all statistics', of('statistics', 'cpuUs'), 'µs each'),
    row('CPU, count alone', of('count', 'cpuUs'), 'µs each'),
    row('CPU, Kafka Streams', of('streams', 'cpuUs'), 'µs each'),
    row('rows sent to the changelog, all statistics', of('statistics', 'keysPerVisit'), 'a visit'),
    row('restore of a lost store', of('restore', 'perSecond'), 'keys/s', { atLeast: 50_000 }),
    row('visits missing or too many in the rows folded', Math.max(...wrong), '', { atMost: 0 }),
  ];
}

/** Ships visits as the forwarder does, under one producer. */
async function loadTopic(kafka, { visits, links }) {
  await makeTopics(kafka, 1);
  const log = await openKafkaLog({
    ...kafka,
    secretFingerprint: 'bench',
    onRefused(error) {
      throw error;
    },
  });
  await log.close();
  const shipper = createVisitShipper(kafka);
  const producerId = systemRandom.id();
  let batch = [];
  let sequence = 0;
  for (const visit of describedVisits({ visits, links, popularity: 'zipf' })) {
    batch.push({ key: visit.code, value: Buffer.from(encodeVisit(visit)), producerId, sequence: sequence++ });
    if (batch.length < visitsPerSend && sequence < visits) continue;
    await shipper.ship(0, batch);
    batch = [];
  }
  await shipper.close();
}

async function foldPartition(options) {
  const { stdout } = await promisify(execFile)(process.execPath, [partitionProcess, JSON.stringify(options)]);
  const figures = JSON.parse(stdout.trimEnd().split('\n').at(-1));
  const perSecond = options.visits / figures.seconds;
  return { ...figures, perSecond, keysPerVisit: figures.keysFlushed / options.visits };
}

/** Takes the partition over with an empty store, from a changelog that holds all rows. */
async function restore(options) {
  const { takeOverMs, folded } = await foldPartition(options);
  const store = await openLevelStateStore({ folder: options.folder });
  let keys = 0;
  for await (const [key] of rowsOfStore(store)) if (!key.startsWith('!')) keys++;
  await store.close();
  return { takeOverMs, folded, keys, perSecond: (keys * 1_000) / takeOverMs };
}

/** Visits in the rows of links, minus those in the topic. */
async function wrongIn(folder, kind, visits) {
  const store = await openLevelStateStore({ folder });
  let sum = 0;
  for await (const [key, value] of rowsOfStore(store)) {
    if (!key.startsWith('t')) continue;
    const payload = payloadOf(value);
    if (kind === 'count') {
      sum += visitsCounted(payload);
    } else {
      const { nonBots, bots, prefetches } = totalsRowCodec.decode(payload);
      sum += nonBots + bots + prefetches;
    }
  }
  await store.close();
  return sum - visits;
}

async function* rowsOfStore(store) {
  for (let gt = ' '; ; ) {
    const entries = await store.range({ gt, limit: 10_000 });
    yield* entries;
    if (entries.length < 10_000) return;
    gt = entries.at(-1)[0];
  }
}
