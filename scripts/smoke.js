/**
 * Runs the built program with a given Node and uses it once: `node scripts/smoke.js [path of a node]`. Creates a link,
 * follows it, reads its number, looks at a page, stops. Prints `ok`, or fails with what went wrong.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const node = process.argv[2] ?? process.execPath;
const entry = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const dataDir = mkdtempSync(join(tmpdir(), 'tallyhop-smoke-'));
const port = await freePort();
const baseUrl = `http://127.0.0.1:${port}`;
const target = 'https://example.org/smoke?a=1';

const settings = { PORT: String(port), DATA_DIR: dataDir, DRAIN_MS: '0', LOG_LEVEL: 'warn' };
const program = spawn(node, [entry], {
  env: { PATH: process.env.PATH, ...settings },
  stdio: ['ignore', 'pipe', 'pipe'],
});
const exited = once(program, 'exit').catch((error) => [error.message]);
let output = '';
for (const stream of [program.stdout, program.stderr]) {
  stream.on('data', (text) => {
    output += text;
  });
}

try {
  await until('it is ready', async () => (await fetch(`${baseUrl}/readyz`)).ok);
  const created = await fetch(`${baseUrl}/api/links`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ url: target }),
  });
  expect('the status of a creation', created.status, 201);
  const { code } = await created.json();
  const redirect = await fetch(`${baseUrl}/${code}`, { redirect: 'manual' });
  expect('the status of a redirect', redirect.status, 302);
  expect('its Location', redirect.headers.get('location'), target);
  await until('the visit is counted', async () => {
    const answer = await fetch(`${baseUrl}/api/links/${code}/stats`);
    return answer.ok && (await answer.json()).total === 1;
  });
  for (const path of ['/', `/stats/${code}`]) {
    const page = await fetch(`${baseUrl}${path}`, { headers: { accept: 'text/html' } });
    expect(`the status of the page ${path}`, page.status, 200);
    expect('its end', (await page.text()).trimEnd().slice(-7), '</html>');
  }
  program.kill('SIGTERM');
  const [exitCode] = await exited;
  if (process.platform !== 'win32') expect('the exit code', exitCode, 0);
  console.log('ok');
} catch (error) {
  console.error(`${error.message}\n${output}`);
  process.exitCode = 1;
  program.kill('SIGKILL');
  await exited;
} finally {
  rmSync(dataDir, { recursive: true, force: true });
}

async function until(what, condition) {
  const deadline = performance.now() + 20_000;
  while (performance.now() < deadline) {
    if (program.exitCode !== null) throw new Error(`the program ended with ${program.exitCode} before ${what}`);
    if (await condition().catch(() => false)) return;
    await delay(20);
  }
  throw new Error(`waited in vain until ${what}`);
}

function expect(what, actual, expected) {
  if (actual !== expected) throw new Error(`${what} is ${actual} instead of ${expected}`);
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: free } = server.address();
  server.close();
  return free;
}
