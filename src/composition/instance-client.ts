/**
 * Signed calls to other instances, over connections that are kept: one hop, an own deadline, bounded in number and size. It says
 * no more than that an instance did not answer; what to do about it is the caller's.
 */
import { Agent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest, Agent as TlsAgent } from 'node:https';
import { signRequest } from '../http/internal/request-signature.ts';
import type { Clock } from '../ports/clock.ts';
import type { TaskInstance } from '../ports/task-ownership.ts';

export interface InstanceClientOptions {
  /** That of the other instances' internal doors. */
  readonly key: Uint8Array;
  readonly clock: Clock;
  readonly deadlineMs?: number;
}

export interface InstanceClient {
  /** POSTs JSON and gives the JSON of a 200. Throws {@link InstanceUnavailable}; a call may be repeated, here or elsewhere. */
  call(instance: TaskInstance, path: string, body: unknown): Promise<unknown>;
  close(): void;
}

/** The instance was not reached, was too slow, refused, or did not answer with JSON. */
export class InstanceUnavailable extends Error {
  override readonly name = 'InstanceUnavailable';
  /** Of its refusal; null when it did not answer. */
  readonly status: number | null;
  constructor(message: string, status: number | null, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

const defaultDeadlineMs = 2_000;
/** An instance that did not answer is left alone for so long: else every read would wait out the deadline. */
const restMs = 1_000;
const socketsPerInstanceMax = 16;
/** Calls under way at once; more are refused so that a silent instance cannot fill the memory. */
const callsMax = 1_000;
const answerMaxBytes = 32 * 1024 * 1024;
const restingMax = 1_000;

export function createInstanceClient(options: InstanceClientOptions): InstanceClient {
  const { key, clock, deadlineMs = defaultDeadlineMs } = options;
  const keepAlive = { keepAlive: true, maxSockets: socketsPerInstanceMax, scheduling: 'lifo' } as const;
  const agents = { http: new Agent(keepAlive), https: new TlsAgent(keepAlive) };
  /** By URL: until when an instance is left alone. */
  const resting = new Map<string, number>();
  let calls = 0;

  async function send(url: URL, body: Buffer, signal: AbortSignal): Promise<IncomingMessage> {
    try {
      return await sendOnce(url, body, signal, true);
    } catch (error) {
      // That the other side was just closing a kept connection says nothing about the instance; others may be as old.
      if (!(error instanceof KeptConnectionBroke) || signal.aborted) throw error;
      return sendOnce(url, body, signal, false);
    }
  }

  function sendOnce(url: URL, body: Buffer, signal: AbortSignal, kept: boolean): Promise<IncomingMessage> {
    const isTls = url.protocol === 'https:';
    const settings: RequestOptions = {
      method: 'POST',
      agent: kept ? (isTls ? agents.https : agents.http) : false,
      signal,
      headers: {
        'Content-Type': 'application/json',
        'Content-Length': body.length,
        Authorization: signRequest(key, { method: 'POST', path: url.pathname, body }, clock.nowMs()),
      },
    };
    return new Promise((resolve, reject) => {
      const outgoing = (isTls ? httpsRequest : httpRequest)(url, settings, resolve);
      outgoing.once('error', (error) => {
        reject(outgoing.reusedSocket ? new KeptConnectionBroke(error.message, { cause: error }) : error);
      });
      outgoing.end(body);
    });
  }

  async function exchange(instance: TaskInstance, path: string, body: Buffer): Promise<unknown> {
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), deadlineMs);
    try {
      const answer = await send(new URL(path, instance.url), body, deadline.signal);
      const text = await readAll(answer);
      const status = answer.statusCode ?? 0;
      if (status !== 200)
        throw new InstanceUnavailable(`${instance.url} refused with ${status}: ${text.slice(0, 500)}`, status);
      return JSON.parse(text);
    } catch (error) {
      if (error instanceof InstanceUnavailable) throw error;
      const why = deadline.signal.aborted ? `nothing within ${deadlineMs} ms` : (error as Error).message;
      if (!(error instanceof SyntaxError)) rest(instance.url);
      throw new InstanceUnavailable(`${instance.url} did not answer: ${why}`, null, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  function rest(url: string): void {
    if (resting.size >= restingMax) resting.clear();
    resting.set(url, clock.monotonicMs() + restMs);
  }

  return {
    async call(instance, path, body) {
      if ((resting.get(instance.url) ?? 0) > clock.monotonicMs()) {
        throw new InstanceUnavailable(`${instance.url} did not answer a moment ago`, null);
      }
      if (calls >= callsMax) throw new InstanceUnavailable(`${callsMax} calls to instances are under way`, null);
      calls++;
      try {
        return await exchange(instance, path, Buffer.from(JSON.stringify(body), 'utf8'));
      } finally {
        calls--;
      }
    },
    close() {
      for (const agent of Object.values(agents)) agent.destroy();
    },
  };
}

class KeptConnectionBroke extends Error {
  override readonly name = 'KeptConnectionBroke';
}

async function readAll(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > answerMaxBytes) throw new Error(`an answer of more than ${answerMaxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size).toString('utf8');
}
