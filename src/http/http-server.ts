/**
 * The server: the redirect door in front, Express behind it, and the bounds that keep slow, broken and hostile
 * connections from holding it up. Started and stopped by `composition/`.
 */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Random } from '../ports/random.ts';
import type { Door } from './app-options.ts';
import { closeLingering, lingerWhenAnsweredEarly } from './lingering-close.ts';
import { ProblemError, problemAnswer } from './problem.ts';
import type { ProblemSlug } from './problem-types.ts';
import { ServedRequest } from './served-request.ts';
import { createSilentConnections } from './silent-connections.ts';

export interface HttpServer {
  readonly server: Server;
  /** Resolves with the port when connections are accepted. Rejects when the address is taken or not ours. */
  listen(port: number, host: string): Promise<number>;
  /** From now on every answer closes its connection, so that clients go elsewhere. Requests are still served. */
  drain(): void;
  /**
   * Ends the live streams, stops accepting, lets running requests end, and resolves when all connections are closed: after
   * the limit's `closeGraceMs` at the latest, when what still runs is cut.
   */
  close(): Promise<void>;
}

export interface HttpServerOptions {
  readonly app: RequestListener;
  readonly door?: Door;
  readonly baseUrl: string;
  readonly random: Random;
  /** Long-lived answers, ended first when the server closes. */
  readonly liveTotals: { close(): void };
  readonly limits?: Partial<ServerLimits>;
}

export interface ServerLimits {
  /** A connection whose headers are not complete by then is closed. */
  readonly headersTimeoutMs: number;
  /** A connection whose whole request is not there by then is closed. */
  readonly requestTimeoutMs: number;
  /** How often the two are looked at: the closing is late by up to this. */
  readonly checkIntervalMs: number;
  /**
   * A connection on which nothing moves for so long is closed: one that is kept for later, or whose reader takes nothing. Streams beat
   * more often, and proxies let go of a connection earlier (after 60 s), so that none sends into one that is being closed.
   */
  readonly silenceMs: number;
  readonly headerLimitBytes: number;
  readonly connectionsMax: number;
  readonly closeGraceMs: number;
}

const defaultLimits: ServerLimits = {
  headersTimeoutMs: 8_000,
  requestTimeoutMs: 12_000,
  checkIntervalMs: 1_000,
  silenceMs: 65_000,
  headerLimitBytes: 16_384,
  connectionsMax: 10_000,
  closeGraceMs: 5_000,
};

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { app, door, baseUrl, random, liveTotals } = options;
  const limits = { ...defaultLimits, ...options.limits };
  let draining = false;

  /** Connections whose last request is here: what a client sent behind it must not be carried out (RFC 9112 §9.6). */
  const ending = new WeakSet<Socket>();

  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request;
    if (ending.has(socket)) return;
    if (draining) response.shouldKeepAlive = false;
    if (!response.shouldKeepAlive) ending.add(socket);
    if (door?.(request, response)) return;
    connections.watchAnswers(socket);
    lingerWhenAnsweredEarly(request, response);
    app(request, response);
    if (response.headersSent && response.getHeader('Connection') === 'close') ending.add(socket);
  };

  const connections = createSilentConnections(limits.silenceMs);
  const server = createServer<typeof ServedRequest>(
    {
      IncomingMessage: ServedRequest,
      maxHeaderSize: limits.headerLimitBytes,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      connectionsCheckingInterval: limits.checkIntervalMs,
      keepAliveTimeout: 0,
      // A missing Host is told by the application, as a problem like every other.
      requireHostHeader: false,
    },
    onRequest,
  );
  server.on('connection', connections.watch);
  server.maxConnections = limits.connectionsMax;
  server.on('clientError', (error: ClientError, socket) => {
    writeProblem(socket as Socket, problemOfClientError(error), baseUrl, random.id());
  });
  server.on('connect', (_request, socket) => {
    const problem = new ProblemError('method-not-allowed', 'This is not a proxy.', { headers: { Allow: 'GET, HEAD' } });
    writeProblem(socket as Socket, problem, baseUrl, random.id());
  });
  server.on('checkExpectation', (request, response) => {
    response.shouldKeepAlive = false;
    const answer = problemAnswer(
      new ProblemError('expectation-failed', 'Only "Expect: 100-continue" is understood.'),
      baseUrl,
      pathOf(request),
    );
    response.writeHead(answer.status, { ...answer.headers, 'X-Request-Id': random.id() }).end(answer.body);
  });

  return {
    server,
    async listen(port, host) {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
          server.off('error', reject);
          resolve();
        });
      });
      return (server.address() as AddressInfo).port;
    },
    drain() {
      draining = true;
    },
    async close() {
      draining = true;
      liveTotals.close();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of connections.open()) endAfterAnswer(socket);
      const cut = setTimeout(() => server.closeAllConnections(), limits.closeGraceMs);
      await closed;
      clearTimeout(cut);
    },
  };
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?', 1)[0] ?? '/';
}

/** What Node's parser tells of what it could not read. */
type ClientError = NodeJS.ErrnoException & { readonly rawPacket?: Buffer };

function problemOfClientError(error: ClientError): ProblemError {
  const slugs: Readonly<Record<string, ProblemSlug>> = {
    HPE_HEADER_OVERFLOW: 'headers-too-large',
    HPE_CHUNK_EXTENSIONS_OVERFLOW: 'body-too-large',
    ERR_HTTP_REQUEST_TIMEOUT: 'request-timeout',
  };
  // Bytes of another protocol are no method at all.
  const namesMethod = /^[A-Z]+ /.test(error.rawPacket?.toString('latin1') ?? '');
  const unknown = error.code === 'HPE_INVALID_METHOD' && namesMethod;
  const slug = unknown ? 'method-unknown' : (slugs[error.code ?? ''] ?? 'malformed-request');
  return new ProblemError(slug, 'The connection is closed because this was not a request that can be read.');
}

/** Ends a connection when the answer that is under way on it is written, or at once when there is none. */
function endAfterAnswer(socket: Socket): void {
  const response = responseOn(socket);
  if (!response) {
    socket.destroySoon();
    return;
  }
  response.shouldKeepAlive = false;
  response.once('finish', () => socket.destroySoon());
}

/** Node keeps it here and tells it nowhere else; its own `closeIdleConnections` reads it too. */
function responseOn(socket: Socket): ServerResponse | undefined {
  return (socket as { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined;
}

/** Answers on a bare socket, where there is no request to answer, and closes it. */
function writeProblem(socket: Socket, problem: ProblemError, baseUrl: string, requestId: string): void {
  // It was told already; what still comes is thrown away.
  if (socket.writableEnded) return;
  const response = responseOn(socket);
  if (response?.req.complete && !response.writableEnded) {
    // What cannot be read came behind a whole request: that one gets its own answer, and then the connection ends.
    endAfterAnswer(socket);
    return;
  }
  // Nothing may be written into an answer that has begun.
  if (!socket.writable || response?.headersSent) {
    socket.destroy();
    return;
  }
  const { status, headers, body } = problemAnswer(problem, baseUrl, '/');
  const text = String(body);
  const lines = Object.entries({
    ...headers,
    'Content-Length': String(Buffer.byteLength(text)),
    'X-Content-Type-Options': 'nosniff',
    'X-Request-Id': requestId,
    Connection: 'close',
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${text}`);
  closeLingering(socket);
}
