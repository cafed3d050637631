/** Resident memory of the program: without links, with those of the other measurements, and (`--full`) with a million. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createLinks } from './create.js';
import { row } from './figures.js';
import { end, residentBytes, startProgram, statusOf } from './processes.js';

const mebibyte = 1_048_576;
const million = 1_000_000;

export async function measure({ workDir, dataDir, codes, full }) {
  const emptyBytes = await residentAfterStart(emptyFolder(workDir, 'memory-empty'), null);
  const bytes = await residentAfterStart(dataDir, codes[0]);
  const links = codes.length.toLocaleString('en-US');
  const rows = [
    row('resident without links', emptyBytes / mebibyte, 'MiB'),
    row(`resident with ${links} links`, bytes / mebibyte, 'MiB'),
    row('more for each 100,000 links', (bytes - emptyBytes) / mebibyte / (codes.length / 100_000), 'MiB'),
  ];
  if (full) rows.push(...(await rowsOfMillion(emptyFolder(workDir, 'memory-million'))));
  return { rows };
}

async function rowsOfMillion(dataDir) {
  const program = await startProgram(dataDir);
  let someCode = '';
  await createLinks(program, million, (_, code) => {
    someCode = code;
  });
  await end(program);
  const bytes = await residentAfterStart(dataDir, someCode);
  return [row('resident with 1,000,000 links', bytes / mebibyte, 'MiB', { atMost: 300 })];
}

/** Starts the program on a folder, follows one link, and reads its memory. */
async function residentAfterStart(dataDir, code) {
  const program = await startProgram(dataDir);
  if (code !== null && (await statusOf(program.port, `/${code}`)) !== 302) throw new Error('the links are not there');
  const bytes = residentBytes(program.pid);
  await end(program);
  return bytes;
}

function emptyFolder(workDir, name) {
  const folder = join(workDir, name);
  mkdirSync(folder);
  return folder;
}
