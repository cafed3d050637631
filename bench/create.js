/** Creations a second over HTTP, each durable before its answer. The links made here are those of the other measurements. */
import { createApiClient, inParallel } from './api-client.js';
import { quantile, row } from './figures.js';
import { targetOf } from './load.js';
import { end, startProgram } from './processes.js';

const atOnce = 64;

export async function measure(context) {
  const program = await startProgram(context.dataDir);
  const figures = await createLinks(program, context.links, (i, code) => {
    context.codes[i] = code;
  });
  await end(program);
  return { rows: figures };
}

/** Creates links 0 to `count - 1` and hands over their codes; returns the figures. */
export async function createLinks(program, count, take) {
  const client = createApiClient(program.port, { sockets: atOnce });
  const latenciesMs = new Float64Array(count);
  const startMs = performance.now();
  await inParallel(count, atOnce, async (i) => {
    const sentMs = performance.now();
    const { code } = await client.json('POST', '/api/links', { url: targetOf(i) });
    latenciesMs[i] = performance.now() - sentMs;
    take(i, code);
  });
  const seconds = (performance.now() - startMs) / 1_000;
  client.close();
  return [
    row(`create, ${atOnce} at once`, count / seconds, 'links/s'),
    row('create, p50', quantile(latenciesMs, 0.5), 'ms'),
    row('create, p99', quantile(latenciesMs, 0.99), 'ms'),
  ];
}
