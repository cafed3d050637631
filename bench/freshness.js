/** From a redirect's answer to the number that includes it: asked of the API, and told by the event stream. */
import http from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { createApiClient } from './api-client.js';
import { quantile, row } from './figures.js';
import { browserHeaders, end, startProgram } from './processes.js';

/** The stream sends at most four events a second; visits further apart are not held back by that. */
const streamPauseMs = 300;
const deadlineMs = 10_000;

export async function measure({ dataDir, codes, quick }) {
  const program = await startProgram(dataDir);
  const client = createApiClient(program.port, { sockets: 2 });
  try {
    await client.counted(program, codes[1]);
    const asked = await samples(quick ? 50 : 500, () => untilAnswered(client, codes[1]));
    const stream = await openStream(program.port, codes[2]);
    const told = await samples(quick ? 10 : 100, async () => {
      await delay(streamPauseMs);
      return untilTold(client, stream, codes[2]);
    });
    stream.close();
    return {
      rows: [
        row('redirect to visible number, API, p50', quantile(asked, 0.5), 'ms', { atMost: 25 }),
        row('redirect to visible number, API, p99', quantile(asked, 0.99), 'ms'),
        row('redirect to visible number, stream, p50', quantile(told, 0.5), 'ms', { atMost: 25 }),
        row('redirect to visible number, stream, p99', quantile(told, 0.99), 'ms'),
      ],
      details: { asked, told },
    };
  } finally {
    client.close();
    await end(program);
  }
}

async function samples(count, sample) {
  const values = [];
  for (let i = 0; i < count; i++) values.push(await sample());
  return values;
}

async function totalOf(client, code) {
  return (await client.json('GET', `/api/links/${code}`)).visits.total;
}

async function untilAnswered(client, code) {
  const before = await totalOf(client, code);
  await client.request('GET', `/${code}`);
  const startMs = performance.now();
  while ((await totalOf(client, code)) <= before) {
    if (performance.now() - startMs > deadlineMs) throw new Error('the visit did not become visible');
  }
  return performance.now() - startMs;
}

async function untilTold(client, stream, code) {
  const before = stream.total();
  await client.request('GET', `/${code}`);
  const startMs = performance.now();
  await stream.beyond(before);
  return performance.now() - startMs;
}

/** Listens to the totals of one link; resolves when the first have come. */
async function openStream(port, code) {
  let total = -1;
  let text = '';
  let heard = () => {};
  const options = { host: '127.0.0.1', port, path: `/api/stream?codes=${code}`, agent: false };
  const request = http.get({ ...options, headers: { ...browserHeaders, Accept: 'text/event-stream' } }, (answer) => {
    answer.setEncoding('utf8');
    answer.on('data', (chunk) => {
      text += chunk;
      const events = text.split('\n\n');
      text = events.pop();
      for (const event of events) {
        const data = /^data: ?(.*)$/m.exec(event)?.[1];
        if (data !== undefined) total = JSON.parse(data).total ?? total;
      }
      heard();
    });
  });
  request.on('error', () => heard());
  const beyond = async (number) => {
    const startMs = performance.now();
    while (total <= number) {
      const leftMs = deadlineMs - (performance.now() - startMs);
      if (leftMs <= 0) throw new Error('the stream told nothing');
      const timer = new AbortController();
      const timeout = delay(leftMs, undefined, { signal: timer.signal }).catch(() => {});
      await Promise.race([new Promise((resolve) => (heard = resolve)), timeout]);
      timer.abort();
    }
  };
  await beyond(-1);
  return { total: () => total, beyond, close: () => request.destroy() };
}
