/** Asks one instance over HTTP, over few kept connections. An answer that asks to come again later is asked for again. */
import http from 'node:http';
import https from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { NotPossible } from './not-possible.js';

const answerTimeoutMs = 30_000;
const pauseMs = 100;

/** Requests at once. */
export const atOnce = 8;

/** @typedef {ReturnType<typeof createInstanceClient>} InstanceClient */

/**
 * @param {{ url: string, host?: string, timeoutMs: number }} options `host` is the Host header where BASE_URL differs from the
 *   address; `timeoutMs` bounds how long an instance may ask to come again
 */
export function createInstanceClient({ url, host, timeoutMs }) {
  const base = new URL(url);
  const { request: send, Agent } = base.protocol === 'https:' ? https : http;
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce });

  /** One request. Rejects with NotPossible when there is no answer. */
  function ask(method, path, { headers = {}, body } = {}) {
    return new Promise((resolve, reject) => {
      const refuse = (error) =>
        reject(
          new NotPossible(
            `${url} does not answer (${error.message}). Start the program, or give --url with the address that it listens on.`,
          ),
        );
      const request = send(new URL(path, base), {
        method,
        agent,
        timeout: answerTimeoutMs,
        headers: { Accept: 'application/json', ...(host && { Host: host }), ...headers },
      });
      request.on('timeout', () => request.destroy(new Error(`nothing within ${answerTimeoutMs} ms`)));
      request.on('error', refuse);
      request.on('response', (answer) => {
        const chunks = [];
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.on('error', refuse);
        answer.on('end', () => {
          const bytes = Buffer.concat(chunks);
          resolve({ status: answer.statusCode, headers: answer.headers, bytes });
        });
      });
      request.end(body);
    });
  }

  /** The answer with its JSON, asked for again while it is 503 or 429 and the time lasts. */
  async function get(path) {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const answer = await ask('GET', path);
      if (answer.status === 421) {
        throw new NotPossible(
          `${url} answers only under its BASE_URL: give --host with the host of it, such as go.example.org.`,
        );
      }
      const again = answer.status === 503 || answer.status === 429;
      if (!again || performance.now() > deadline) return { ...answer, json: jsonOf(answer) };
      await delay(pauseMs);
    }
  }

  return { url, ask, get, close: () => agent.destroy() };
}

function jsonOf({ headers, bytes }) {
  return /json/.test(headers['content-type'] ?? '') ? JSON.parse(bytes.toString()) : null;
}

/** Runs `task` for each item, a few at a time. */
export async function forEachOf(items, task) {
  const iterator = items[Symbol.iterator]();
  let failure = null;
  const work = async () => {
    for (let next = iterator.next(); !next.done && failure === null; next = iterator.next()) {
      try {
        await task(next.value);
      } catch (error) {
        failure ??= error;
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  if (failure !== null) throw failure;
}
