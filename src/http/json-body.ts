/**
 * Reads a JSON body: bounded, uncompressed, valid UTF-8, one object. It does not look at the members: the domain's
 * `parse…` functions do.
 */
import type { IncomingMessage } from 'node:http';
import { invalidInput, ProblemError } from './problem.ts';

export const bodyLimitBytes = 65_536;
/** Up to here a body that is too large is still taken off the wire, so that the client gets to read the answer. */
const drainLimitBytes = 1_048_576;
const depthLimit = 32;

export type JsonObject = Readonly<Record<string, unknown>>;

export interface JsonBody {
  readonly value: JsonObject;
  /** The bytes as they came, for a fingerprint of the request. */
  readonly bytes: Buffer;
}

/** What a body may be called. A charset may be given if it is UTF-8. */
export const jsonType = ['application/json'] as const;
export const mergePatchTypes = ['application/merge-patch+json', 'application/json'] as const;

/** Throws the 400, 413, 415 or 422 problem that fits. A byte order mark is not JSON (RFC 8259 §8.1) and refused. */
export async function readJsonBody(request: IncomingMessage, mediaTypes: readonly string[]): Promise<JsonBody> {
  assertUncompressed(request);
  assertMediaType(request, mediaTypes);
  const bytes = await readBytes(request);
  return { value: parseObject(bytes), bytes };
}

/** For requests that need no body: none, or an empty JSON object. */
export async function readEmptyBody(request: IncomingMessage): Promise<Buffer> {
  const length = request.headers['content-length'];
  if (request.headers['transfer-encoding'] === undefined && (length === undefined || length === '0')) {
    return Buffer.alloc(0);
  }
  const { value, bytes } = await readJsonBody(request, jsonType);
  const unknown = Object.keys(value);
  if (unknown.length === 0) return bytes;
  throw invalidInput(
    unknown
      .slice(0, 20)
      .map((field) => ({ field, code: 'unknown-member', detail: 'No member is known here.' }) as const),
  );
}

function assertUncompressed(request: IncomingMessage): void {
  const encoding = request.headers['content-encoding'];
  if (encoding === undefined || encoding.trim().toLowerCase() === 'identity') return;
  throw new ProblemError('unsupported-media-type', 'A compressed body is not accepted.', {
    headers: { 'Accept-Encoding': 'identity' },
  });
}

function assertMediaType(request: IncomingMessage, mediaTypes: readonly string[]): void {
  const [mediaType = '', ...parameters] = (request.headers['content-type'] ?? '').split(';');
  const charsetIsUtf8 = parameters.every((parameter) => {
    const [name = '', value = ''] = parameter.split('=');
    return name.trim().toLowerCase() === 'charset' && /^"?utf-?8"?$/i.test(value.trim());
  });
  if (mediaTypes.includes(mediaType.trim().toLowerCase()) && charsetIsUtf8) return;
  const accepted = mediaTypes.join(', ');
  throw new ProblemError('unsupported-media-type', `Send ${mediaTypes.join(' or ')} in UTF-8.`, {
    headers: request.method === 'PATCH' ? { 'Accept-Patch': accepted } : { 'Accept-Post': accepted },
  });
}

function readBytes(request: IncomingMessage): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > drainLimitBytes) return Promise.reject(tooLarge());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= bodyLimitBytes) chunks.push(chunk);
      else if (size > drainLimitBytes) {
        request.pause();
        reject(tooLarge());
      }
    });
    request.once('end', () => (size > bodyLimitBytes ? reject(tooLarge()) : resolve(Buffer.concat(chunks))));
    const cutOff = () => reject(new ProblemError('malformed-request', 'The body ended too early.'));
    request.once('error', cutOff);
    request.once('close', cutOff);
  });
}

function tooLarge(): ProblemError {
  return new ProblemError('body-too-large', `The body has more than ${bodyLimitBytes} bytes.`, {
    headers: { Connection: 'close' },
  });
}

function parseObject(bytes: Buffer): JsonObject {
  const text = decodeUtf8(bytes);
  if (isDeeperThan(text, depthLimit)) {
    throw new ProblemError('malformed-request', `The body is nested deeper than ${depthLimit} levels.`);
  }
  const value = parseJson(text);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw invalidInput([{ field: '', code: 'wrong-type', detail: 'The body must be a JSON object.' }]);
}

function decodeUtf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new ProblemError('malformed-request', 'The body is not valid UTF-8.');
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ProblemError('malformed-request', 'The body is not valid JSON.');
  }
}

/** Counts brackets outside of strings, so that the depth is known before anything is built. */
function isDeeperThan(text: string, limit: number): boolean {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (inString) {
      if (character === '\\') index += 1;
      else if (character === '"') inString = false;
    } else if (character === '"') {
      inString = true;
    } else if (character === '{' || character === '[') {
      depth += 1;
      if (depth > limit) return true;
    } else if (character === '}' || character === ']') {
      depth -= 1;
    }
  }
  return false;
}
