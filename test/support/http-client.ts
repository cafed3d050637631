/** Requests to a running program exactly as a test writes them: no header added, no path mended, no redirect followed. */
import { once } from 'node:events';
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { connect, type Socket } from 'node:net';

export interface Call {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Buffer;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

const agent = new Agent({ keepAlive: true, maxSockets: 16 });
const answerTimeoutMs = 10_000;

/** Sends one request to a port of this machine. The Host is the program's own unless `headers` names another. */
export async function call(port: number, { method = 'GET', path, headers = {}, body }: Call): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const lengths = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
    const outgoing = request(
      {
        host: '127.0.0.1',
        port,
        method,
        path,
        agent,
        timeout: answerTimeoutMs,
        setHost: false,
        headers: { Host: `localhost:${port}`, ...lengths, ...headers },
      },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.once('error', reject);
        answer.once('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            text: Buffer.concat(chunks).toString('utf8'),
          }),
        );
      },
    );
    outgoing.once('error', reject);
    outgoing.once('timeout', () => outgoing.destroy(new Error(`${method} ${path} was not answered in time`)));
    outgoing.end(body);
  });
}

/** `POST` with a JSON body. */
export function postJson(port: number, path: string, body: unknown, headers: Call['headers'] = {}): Promise<Reply> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return call(port, {
    method: 'POST',
    path,
    headers: { 'Content-Type': 'application/json', ...headers },
    body: text,
  });
}

/** `POST /` as the form on the home page sends it. */
export function postForm(port: number, fields: Readonly<Record<string, string>>): Promise<Reply> {
  return call(port, {
    method: 'POST',
    path: '/',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', Accept: 'text/html' },
    body: new URLSearchParams(fields).toString(),
  });
}

/**
 * Writes bytes as they are and returns all that came back until the program closed, which it does by itself after a
 * request that it cannot read; with others ask for it with `Connection: close`.
 */
export async function sendRaw(port: number, bytes: string | Buffer): Promise<string> {
  const socket = await openSocket(port);
  const received = receivedBy(socket);
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  return received;
}

export async function openSocket(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  return socket;
}

/** All that a connection brings until it is closed, by whomever and however. */
export function receivedBy(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`the connection was not closed in time; received: ${text.slice(0, 500)}`));
    }, 30_000);
    const finish = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(text);
    };
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.once('end', finish);
    socket.once('error', finish);
    socket.once('close', finish);
  });
}

/** The status of each answer in what a connection brought. */
export function statusesIn(received: string): readonly number[] {
  return [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));
}
