/** What a handler of the API returns: a whole answer as a value, so that it can be kept, compared and sent later. */
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer | null;
}

/** JSON that no cache keeps: numbers and links change without notice. */
export function jsonAnswer(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return {
    status,
    headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...headers },
    body: compactJson(value),
  };
}

export function noContent(headers: Readonly<Record<string, string>> = {}): Answer {
  return { status: 204, headers: { 'Cache-Control': 'no-store', ...headers }, body: null };
}

export function compactJson(value: unknown): string {
  return JSON.stringify(value);
}

/** Writes the answer. For HEAD the headers are those of GET, with the length of the body that is not sent. */
export function sendAnswer(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  response.statusCode = answer.status;
  for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value);
  if (answer.body === null) {
    response.end();
    return;
  }
  response.setHeader('Content-Length', Buffer.byteLength(answer.body));
  if (request.method === 'HEAD') response.end();
  else response.end(answer.body);
}
