/**
 * The door for other instances, in front of Express beside the redirect door: everything below `/internal/`, under any Host,
 * signed, small, and in no public document. It answers by itself or refuses; it never passes a request on to a further instance.
 */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Clock } from '../../ports/clock.ts';
import { LogUnavailable } from '../../ports/event-log.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Random } from '../../ports/random.ts';
import { StoreDamaged } from '../../ports/state-store.ts';
import { StatisticsRebuilding, StatisticsUnavailable } from '../../ports/statistics-read-model.ts';
import type { Door } from '../app-options.ts';
import { isSignedBy, readCredentials } from './request-signature.ts';

export interface InternalRoute {
  /** Below `/internal/`. */
  readonly path: string;
  readonly bodyLimitBytes: number;
  /** The answer's JSON. Throws {@link InternalRefusal}; an outage as the ports' typed errors, which becomes 503. */
  answer(body: unknown): Promise<unknown> | unknown;
}

export interface InternalDoorOptions {
  /** At least 32 bytes, the same on every instance. */
  readonly key: Uint8Array;
  readonly routes: readonly InternalRoute[];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Ends a request with a problem (RFC 9457, of no type of its own: nobody but our own client reads it). */
export class InternalRefusal extends Error {
  override readonly name = 'InternalRefusal';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail);
    this.status = status;
    this.headers = headers;
  }
}

const prefix = '/internal/';

/** Takes every request below `/internal/`. */
export function createInternalDoor(options: InternalDoorOptions): Door {
  const { key, clock, random, logger } = options;
  const routes = new Map(options.routes.map((route) => [route.path, route]));

  async function answer(request: IncomingMessage): Promise<unknown> {
    const { method = '', url: path = '', headers } = request;
    const route = routes.get(path);
    if (route === undefined) throw new InternalRefusal(404, 'Nothing has this path.');
    if (method !== 'POST') throw new InternalRefusal(405, 'This path knows POST.', { Allow: 'POST' });
    const credentials = readCredentials(headers.authorization, clock.nowMs());
    if (credentials === null) {
      throw new InternalRefusal(401, 'The request is not signed, or not at this time.', {
        'WWW-Authenticate': 'Tallyhop-HMAC-SHA256',
      });
    }
    if (headers['content-type'] !== 'application/json' || headers['content-encoding'] !== undefined) {
      throw new InternalRefusal(415, 'The body must be application/json, uncompressed.');
    }
    const body = await readBody(request, route.bodyLimitBytes);
    if (!isSignedBy(key, { method, path, body }, credentials)) {
      throw new InternalRefusal(403, 'The signature is not that of an instance of this installation.');
    }
    return route.answer(parseJson(body));
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const requestId = random.id();
    response.setHeader('X-Request-Id', requestId);
    response.setHeader('X-Content-Type-Options', 'nosniff');
    response.setHeader('Cache-Control', 'no-store');
    try {
      send(response, 200, 'application/json', await answer(request));
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal.status === 500)
        logger.error({ err: error, requestId }, 'a request of an instance failed because of a defect');
      if (response.destroyed) return;
      for (const [name, value] of Object.entries(refusal.headers)) response.setHeader(name, value);
      // What was not read would be taken for the next request.
      if (!request.complete) response.setHeader('Connection', 'close');
      send(response, refusal.status, 'application/problem+json', {
        type: 'about:blank',
        title: STATUS_CODES[refusal.status],
        status: refusal.status,
        detail: refusal.message,
      });
    }
  }

  return (request, response) => {
    if (request.url?.startsWith(prefix) !== true) return false;
    void handle(request, response);
    return true;
  };
}

function send(response: ServerResponse, status: number, contentType: string, value: unknown): void {
  const body = Buffer.from(JSON.stringify(value), 'utf8');
  response.writeHead(status, { 'Content-Type': contentType, 'Content-Length': body.length });
  response.end(body);
}

function refusalOf(error: unknown): InternalRefusal {
  if (error instanceof InternalRefusal) return error;
  const outages = [StatisticsUnavailable, StatisticsRebuilding, StoreDamaged, LogUnavailable];
  if (error instanceof Error && outages.some((outage) => error instanceof outage))
    return new InternalRefusal(503, error.message, { 'Retry-After': '2' });
  return new InternalRefusal(500, 'The request could not be answered because of a defect.');
}

async function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const tooLarge = new InternalRefusal(413, `The body may have ${limitBytes} bytes.`);
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) throw tooLarge;
  const chunks: Buffer[] = [];
  let size = 0;
  // Not by iteration: leaving that early would destroy the connection before it is told why.
  await new Promise<void>((resolve, reject) => {
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limitBytes) {
        chunks.push(chunk);
        return;
      }
      request.pause();
      request.removeAllListeners('data');
      reject(tooLarge);
    });
    request.once('end', resolve);
    request.once('error', reject);
    request.once('close', () => reject(new InternalRefusal(400, 'The request was broken off.')));
  });
  return Buffer.concat(chunks, size);
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw new InternalRefusal(400, 'The body is not JSON in UTF-8.');
  }
}
