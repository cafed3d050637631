/** Creations a second over HTTP, each durable before its answer, in a program that has the links of the measurements already. */
import { createApiClient, inParallel } from './api-client.js';
import { quantile, row } from './figures.js';
import { end, startProgram } from './processes.js';

const atOnce = 64;

export async function measure({ dataDir, quick }) {
  const program = await startProgram(dataDir);
  const client = createApiClient(program.port, { sockets: atOnce });
  try {
    const alone = await createLinks(client, 'alone', quick ? 100 : 500, 1);
    const together = await createLinks(client, 'together', quick ? 1_000 : 5_000, atOnce);
    return {
      rows: [
        row(`create, ${atOnce} at once`, together.perSecond, 'links/s'),
        row(`create, ${atOnce} at once, p50`, quantile(together.latenciesMs, 0.5), 'ms'),
        row(`create, ${atOnce} at once, p99`, quantile(together.latenciesMs, 0.99), 'ms'),
        row('create, one at a time, p50', quantile(alone.latenciesMs, 0.5), 'ms'),
        row('create, one at a time, p99', quantile(alone.latenciesMs, 0.99), 'ms'),
      ],
    };
  } finally {
    client.close();
    await end(program);
  }
}

async function createLinks(client, name, count, atOnce) {
  const latenciesMs = new Float64Array(count);
  const startMs = performance.now();
  await inParallel(count, atOnce, async (i) => {
    const sentMs = performance.now();
    await client.json('POST', '/api/links', { url: `https://created-${name}.example/${i.toString(36)}` });
    latenciesMs[i] = performance.now() - sentMs;
  });
  return { latenciesMs, perSecond: (count * 1_000) / (performance.now() - startMs) };
}
