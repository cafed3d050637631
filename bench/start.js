/** From the start of the process to its first redirect: with one link and with all, after a stop and after a kill. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { median, row } from './figures.js';
import { writeLinks } from './links.js';
import { end, freePort, spawnProgram, statusOf, threadsCpuUs, until } from './processes.js';

const pollMs = 2;

export async function measure({ dataDir, workDir, codes, quick }) {
  const rounds = quick ? 3 : 7;
  const oneDir = join(workDir, 'start-one');
  mkdirSync(oneDir);
  const [oneCode] = await writeLinks(oneDir, 1);
  const one = await starts(oneDir, oneCode, rounds);
  const all = await starts(dataDir, codes[0], rounds);
  const elapsed = (of) => median(of.map(({ elapsedMs }) => elapsedMs));
  const cpu = (of) => median(of.map(({ cpuMs }) => cpuMs));
  const links = codes.length.toLocaleString('en-US');
  const asked = { atMost: 500 };
  return {
    rows: [
      row('first redirect after start, 1 link', elapsed(one.afterStop), 'ms', asked),
      row(`first redirect after start, ${links} links`, elapsed(all.afterStop), 'ms', asked),
      row(`first redirect after kill -9, ${links} links`, elapsed(all.afterKill), 'ms', asked),
      row('CPU until the first redirect, 1 link', cpu(one.afterStop), 'ms'),
      row(`CPU until the first redirect, ${links} links`, cpu(all.afterStop), 'ms'),
    ],
    details: { one, all },
  };
}

async function starts(dataDir, code, rounds) {
  // The first start loads the files into the system's cache and the log into the stores; it is not counted.
  await startOnce(dataDir, code, 'SIGTERM');
  const afterStop = [];
  const afterKill = [];
  for (let round = 0; round < rounds; round++) {
    afterStop.push(await startOnce(dataDir, code, 'SIGKILL'));
    afterKill.push(await startOnce(dataDir, code, 'SIGTERM'));
  }
  return { afterStop, afterKill };
}

async function startOnce(dataDir, code, signal) {
  const port = await freePort();
  const startMs = performance.now();
  const program = spawnProgram(dataDir, port);
  await until(async () => (await statusOf(port, `/${code}`)) === 302, program, pollMs);
  const elapsedMs = performance.now() - startMs;
  const cpuMs = threadsCpuUs(program.pid) / 1_000;
  await until(async () => (await statusOf(port, '/readyz')) === 200, program);
  await end(program, signal);
  return { elapsedMs, cpuMs };
}
