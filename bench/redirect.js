/**
 * The redirect with its visit in the journal, against a bare `node:http` 302 and Express's `res.redirect`: three
 * processes, the same requests, in turn. Afterwards the statistics must hold every redirect that was answered.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createApiClient, inParallel } from './api-client.js';
import { connections, drive, driver } from './drive.js';
import { median, row } from './figures.js';
import { createLoad, popularities, targetOf } from './load.js';
import { end, startBareServer, startProgram, threadsCpuUs } from './processes.js';

const requestsInFile = 20_000;

export async function measure(context) {
  const { quick, dataDir, workDir, codes } = context;
  const seconds = quick ? 1 : 2;
  const rounds = quick ? 3 : 9;
  const targetsFile = join(workDir, 'targets.tsv');
  writeFileSync(targetsFile, codes.map((code, i) => `${code}\t${targetOf(i)}\n`).join(''));
  const requestFiles = Object.fromEntries(
    popularities.map((popularity) => [popularity, writeRequests(workDir, popularity, codes)]),
  );
  const servers = {
    bare: await startBareServer('bare', targetsFile),
    express: await startBareServer('express', targetsFile),
    program: await startProgram(dataDir),
  };
  try {
    const before = await countedVisits(servers.program, codes[0]);
    const answered = { complete: 0, unknown: 0 };
    const runs = [];
    const run = async (kind, popularity, round) => {
      const isWarmUp = round === undefined;
      const result = await driveOnce(servers[kind], requestFiles[popularity], isWarmUp ? 1 : seconds);
      if (result.failed > 0 || result.notRedirected > 0) throw new Error(`${kind}: ${JSON.stringify(result)}`);
      if (kind === 'program') {
        answered.complete += result.requests;
        // wrk leaves without reading the answers that are on their way.
        answered.unknown += connections;
      }
      if (!isWarmUp) runs.push({ kind, popularity, round, ...result });
    };
    for (const kind of Object.keys(servers)) await run(kind, 'zipf');
    for (let round = 0; round < rounds; round++) {
      for (const kind of Object.keys(servers)) await run(kind, 'zipf', round);
    }
    for (const popularity of ['uniform', 'one-link']) {
      for (let round = 0; round < Math.ceil(rounds / 2); round++) {
        for (const kind of ['bare', 'program']) await run(kind, popularity, round);
      }
    }
    const counted = (await countedVisits(servers.program, codes[0])) - before;
    const exact = await exactDifference(servers.program, codes, quick ? 2_000 : 20_000);
    return { rows: rowsOf(runs, answered, counted, exact), details: { driver, connections, seconds, runs } };
  } finally {
    for (const server of Object.values(servers)) await end(server);
  }
}

function rowsOf(runs, answered, counted, exact) {
  const of = (kind, popularity, figure) =>
    median(runs.filter((run) => run.kind === kind && run.popularity === popularity).map((run) => run[figure]));
  // Within a round the machine is as busy with other things for one as for the other.
  const ratio = (kind, popularity, figure = 'perSecond') =>
    median(
      runs
        .filter((run) => run.kind === kind && run.popularity === popularity)
        .map((run) => run[figure] / bareOfRound(runs, run)[figure]),
    );
  const lost = Math.max(0, answered.complete - counted);
  const invented = Math.max(0, counted - answered.complete - answered.unknown);
  const bare = (figure) => of('bare', 'zipf', figure);
  const program = (figure) => of('program', 'zipf', figure);
  return [
    row('redirect, bare node:http', bare('perSecond'), '/s'),
    row('redirect, Express res.redirect', of('express', 'zipf', 'perSecond'), '/s'),
    row('redirect, visit journaled', program('perSecond'), '/s'),
    row('redirect: ratio to bare', ratio('program', 'zipf'), '×', { atLeast: 0.7 }),
    row('redirect: ratio to bare, uniform popularity', ratio('program', 'uniform'), '×'),
    row('redirect: ratio to bare, one link', ratio('program', 'one-link'), '×'),
    row('redirect: Express ratio to bare', ratio('express', 'zipf'), '×'),
    row('redirect p99, bare', bare('p99Us') / 1_000, 'ms'),
    row('redirect p99, visit journaled', program('p99Us') / 1_000, 'ms'),
    row('redirect p99: ratio to bare', ratio('program', 'zipf', 'p99Us'), '×', { atMost: 3 }),
    row('redirect CPU, bare', bare('cpuUs'), 'µs each'),
    row('redirect CPU, Express', of('express', 'zipf', 'cpuUs'), 'µs each'),
    row('redirect CPU, visit journaled', program('mainCpuUs'), 'µs each'),
    row('redirect CPU, journaled and folded', program('cpuUs'), 'µs each'),
    row('visits answered', answered.complete, ''),
    row('visits answered and not counted', lost, '', { atMost: 0 }),
    row('visits counted beyond answered and unknown', invented, '', { atMost: 0 }),
    row('visits: counted − answered, nothing in flight', exact, '', { atLeast: 0, atMost: 0 }),
  ];
}

function bareOfRound(runs, { popularity, round }) {
  return runs.find((run) => run.kind === 'bare' && run.popularity === popularity && run.round === round);
}

export async function driveOnce(server, requestsFile, seconds) {
  const isMain = (threadId) => threadId === server.pid;
  const before = { all: threadsCpuUs(server.pid), main: threadsCpuUs(server.pid, isMain) };
  const result = await drive(server.port, requestsFile, seconds);
  const cpuUs = (threadsCpuUs(server.pid) - before.all) / result.requests;
  const mainCpuUs = (threadsCpuUs(server.pid, isMain) - before.main) / result.requests;
  return { ...result, cpuUs, mainCpuUs, perSecond: (result.requests * 1e6) / result.durationUs };
}

/** Visits of all links, once everything answered is in the numbers. */
async function countedVisits(program, anyCode) {
  const client = createApiClient(program.port);
  await client.counted(program, anyCode);
  let visits = 0;
  for await (const link of client.links()) visits += link.visits.total;
  client.close();
  return visits;
}

/** Follows `count` links, waits for every answer, and returns counted minus answered. */
async function exactDifference(program, codes, count) {
  const before = await countedVisits(program, codes[0]);
  const client = createApiClient(program.port);
  await inParallel(count, connections, async (i) => {
    const answer = await client.request('GET', `/${codes[(i * 7) % codes.length]}`);
    if (answer.status !== 302) throw new Error(`a redirect was answered ${answer.status}`);
  });
  client.close();
  return (await countedVisits(program, codes[0])) - before - count;
}

export function writeRequests(workDir, popularity, codes) {
  const load = createLoad({ seed: 7, links: codes.length, popularity });
  const file = join(workDir, `requests-${popularity}.tsv`);
  const lines = Array.from({ length: requestsInFile }, () => {
    const { link, agent, referrer, language, address } = load.next();
    return `${codes[link]}\t${agent}\t${referrer}\t${language}\t${address}\n`;
  });
  writeFileSync(file, lines.join(''));
  return file;
}
