/** Talks to the program's API over a few kept connections. */
import http from 'node:http';
import { browserHeaders, until } from './processes.js';

export function createApiClient(port, { sockets = 32 } = {}) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: sockets });

  /** Resolves with status, headers and text once the answer is complete; rejects when it never is. */
  function request(method, path, body, headers = {}) {
    return new Promise((resolve, reject) => {
      const payload = body === undefined ? undefined : JSON.stringify(body);
      const type =
        payload === undefined
          ? {}
          : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(payload) };
      const options = {
        host: '127.0.0.1',
        port,
        method,
        path,
        agent,
        headers: { ...browserHeaders, ...type, ...headers },
      };
      const sent = http.request(options, (answer) => {
        const chunks = [];
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({ status: answer.statusCode, headers: answer.headers, text });
        });
      });
      sent.on('error', reject);
      sent.end(payload);
    });
  }

  async function json(method, path, body, headers) {
    const answer = await request(method, path, body, headers);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return JSON.parse(answer.text);
  }

  return {
    request,
    json,
    /** Every link, page by page. */
    async *links() {
      let cursor = null;
      do {
        const page = await json(
          'GET',
          `/api/links?limit=100${cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
        );
        yield* page.links;
        cursor = page.nextCursor;
      } while (cursor !== null);
    },
    /** Resolves when every visit answered before is in the numbers, which just after a start cannot be read yet. */
    async counted(server, code) {
      await until(async () => {
        const { status, text } = await request('GET', `/api/links/${code}/stats`);
        return status === 200 && JSON.parse(text).position.lagMs === 0;
      }, server);
    },
    close: () => agent.destroy(),
  };
}

/** Runs `task(i)` for 0 to `count - 1`, at most `atOnce` at a time. */
export async function inParallel(count, atOnce, task) {
  let next = 0;
  const work = async () => {
    while (next < count) await task(next++);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, work));
}
