/** Drives a server with the redirect requests of a file: by wrk where it is installed, else by autocannon. */
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const connections = 32;
const script = fileURLToPath(new URL('redirect-requests.lua', import.meta.url));
/** autocannon keeps every request in memory for each connection. */
const autocannonRequestsMax = 250;

export const driver = spawnSync('wrk', ['--version']).error === undefined ? 'wrk' : 'autocannon';

/** Answers that were complete, those of them that were no redirect, requests that failed, and latencies. */
export function drive(port, requestsFile, seconds) {
  return driver === 'wrk'
    ? driveWithWrk(port, requestsFile, seconds)
    : driveWithAutocannon(port, requestsFile, seconds);
}

async function driveWithWrk(port, requestsFile, seconds) {
  const { stdout } = await promisify(execFile)('wrk', [
    ...['--threads', '1', '--connections', String(connections), '--duration', `${seconds}s`, '--timeout', '10s'],
    ...['--script', script, `http://127.0.0.1:${port}`, '--', requestsFile],
  ]);
  return JSON.parse(stdout.trimEnd().split('\n').at(-1));
}

async function driveWithAutocannon(port, requestsFile, seconds) {
  const { default: autocannon } = await import('autocannon');
  const lines = readFileSync(requestsFile, 'utf8').trimEnd().split('\n').slice(0, autocannonRequestsMax);
  const requests = lines.map((line) => {
    const [code, agent, referer, language, address] = line.split('\t');
    const headers = { 'user-agent': agent, 'accept-language': language, 'x-forwarded-for': address };
    return { method: 'GET', path: `/${code}`, headers: referer === '' ? headers : { ...headers, referer } };
  });
  const url = `http://127.0.0.1:${port}`;
  const result = await autocannon({ url, connections, duration: seconds, requests });
  return {
    durationUs: result.duration * 1e6,
    requests: result.requests.total,
    notRedirected: result.requests.total - result['3xx'],
    failed: result.errors + result.timeouts,
    p50Us: result.latency.p50 * 1_000,
    p99Us: result.latency.p99 * 1_000,
  };
}
