/** From the start of the process to its first redirect, with all links in its folder: after a stop and after a kill. */
import { median, row } from './figures.js';
import { end, freePort, spawnProgram, statusOf, until } from './processes.js';

const pollMs = 2;

export async function measure({ dataDir, codes, quick }) {
  const rounds = quick ? 3 : 7;
  // The first start loads the files into the system's cache and is not counted.
  await startOnce(dataDir, codes[0], 'SIGTERM');
  const afterStop = [];
  const afterKill = [];
  for (let round = 0; round < rounds; round++) {
    afterStop.push(await startOnce(dataDir, codes[0], 'SIGKILL'));
    afterKill.push(await startOnce(dataDir, codes[0], 'SIGTERM'));
  }
  const links = codes.length.toLocaleString('en-US');
  return {
    rows: [
      row(`first redirect after start, ${links} links`, median(afterStop), 'ms', { atMost: 500 }),
      row(`first redirect after kill -9, ${links} links`, median(afterKill), 'ms', { atMost: 500 }),
    ],
    details: { afterStop, afterKill },
  };
}

async function startOnce(dataDir, code, signal) {
  const port = await freePort();
  const startMs = performance.now();
  const program = spawnProgram(dataDir, port);
  await until(async () => (await statusOf(port, `/${code}`)) === 302, program, pollMs);
  const elapsedMs = performance.now() - startMs;
  await end(program, signal);
  return elapsedMs;
}
