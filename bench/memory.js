/**
 * Resident memory of the program after its start and some thousand redirects: without links, with those of the other
 * measurements, and with a million, which it folds from a log that it has not seen before.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createApiClient, inParallel } from './api-client.js';
import { row } from './figures.js';
import { writeLinks } from './links.js';
import { end, residentBytes, startProgram } from './processes.js';

const mebibyte = 1_048_576;
const linksFollowed = 5_000;
const connections = 32;

export async function measure({ workDir, dataDir, codes, quick }) {
  const empty = await residentAfterStart(emptyFolder(workDir, 'memory-empty'), []);
  const some = await residentAfterStart(dataDir, codes);
  const rows = [
    row('resident without links', empty.now / mebibyte, 'MiB'),
    row(`resident with ${named(codes.length)} links`, some.now / mebibyte, 'MiB'),
  ];
  const manyDir = emptyFolder(workDir, 'memory-many');
  const manyCodes = await writeLinks(manyDir, quick ? 50_000 : 1_000_000);
  const links = `${named(manyCodes.length)} links`;
  const first = await residentAfterStart(manyDir, manyCodes);
  const again = await residentAfterStart(manyDir, manyCodes);
  rmSync(manyDir, { recursive: true });
  rows.push(
    row('links loaded from the log', (manyCodes.length * 1_000) / first.startedMs, 'events/s', { atLeast: 100_000 }),
    row(`start to ready with ${links}, from their store`, again.startedMs, 'ms'),
    row(`resident with ${links}`, again.now / mebibyte, 'MiB', { atMost: 300 }),
    row(`resident with ${links}, without mapped files`, again.anonymous / mebibyte, 'MiB'),
    row(`resident with ${links}, most ever`, again.peak / mebibyte, 'MiB'),
    row(`resident with ${links}, just loaded`, first.now / mebibyte, 'MiB', { atMost: 300 }),
    row(`resident with ${links}, just loaded, most ever`, first.peak / mebibyte, 'MiB'),
    row('more for each 100,000 links', (again.now - empty.now) / mebibyte / (manyCodes.length / 100_000), 'MiB'),
  );
  return { rows, details: { empty, some, first, again } };
}

/** Starts the program on a folder, follows links from all over it, and reads its memory. */
async function residentAfterStart(dataDir, codes) {
  const startMs = performance.now();
  const program = await startProgram(dataDir);
  const startedMs = performance.now() - startMs;
  const client = createApiClient(program.port, { sockets: connections });
  await inParallel(Math.min(linksFollowed, codes.length), connections, async (i) => {
    const { status } = await client.request('GET', `/${codes[(i * 7_919) % codes.length]}`);
    if (status !== 302) throw new Error(`a redirect was answered ${status}`);
  });
  client.close();
  const bytes = residentBytes(program.pid);
  await end(program);
  return { startedMs, ...bytes };
}

function emptyFolder(workDir, name) {
  const folder = join(workDir, name);
  mkdirSync(folder);
  return folder;
}

function named(count) {
  return count.toLocaleString('en-US');
}
