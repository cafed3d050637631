/**
 * How instances prove to each other that a request is from one of them: an HMAC over method, path, time and body under a key
 * that only instances with the same code secret have. It does not hide anything: for that there is TLS.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

/** How far the clocks of two instances may be apart; also how long a recorded request can be sent again. */
export const signatureLifetimeMs = 60_000;

const scheme = 'Tallyhop-HMAC-SHA256';
const credentialsPattern = /^Tallyhop-HMAC-SHA256 (\d{1,16}):([0-9a-f]{64})$/;

export interface SignedRequest {
  readonly method: string;
  /** The request's target as sent. */
  readonly path: string;
  readonly body: Uint8Array;
}

/** The value of `Authorization`. */
export function signRequest(key: Uint8Array, request: SignedRequest, nowMs: number): string {
  const timestamp = String(Math.floor(nowMs));
  return `${scheme} ${timestamp}:${macOf(key, request, timestamp).toString('hex')}`;
}

export interface Credentials {
  readonly timestamp: string;
  readonly mac: Buffer;
}

/** What an `Authorization` header claims, to be refused before the body is read when it is none of ours or not of now. */
export function readCredentials(authorization: string | undefined, nowMs: number): Credentials | null {
  const [, timestamp, mac] = credentialsPattern.exec(authorization ?? '') ?? [];
  if (timestamp === undefined || mac === undefined) return null;
  if (!(Math.abs(nowMs - Number(timestamp)) <= signatureLifetimeMs)) return null;
  return { timestamp, mac: Buffer.from(mac, 'hex') };
}

/** In constant time. */
export function isSignedBy(key: Uint8Array, request: SignedRequest, { timestamp, mac }: Credentials): boolean {
  return timingSafeEqual(macOf(key, request, timestamp), mac);
}

/** None of the parts before the body can hold a line break, so no two requests give the same bytes. */
function macOf(key: Uint8Array, { method, path, body }: SignedRequest, timestamp: string): Buffer {
  return createHmac('sha256', key).update(`${method}\n${path}\n${timestamp}\n`).update(body).digest();
}
