/** Why the redirect door answers something else than a redirect, and with which status. The pages tell it in words. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Link } from '../domain/link.ts';

export type RedirectMiss = keyof typeof redirectMissStatus;

/**
 * - `not-found`: no link ever had the code.
 * - `deleted`, `disabled`, `expired`, `used-up`: the link does not redirect now.
 * - `loop`: the target is an address of this shortener by now (`BASE_URL` was changed after the creation). It is refused
 *   like a link that is gone, because following it leads nowhere.
 * - `too-many-misses`: this client asked for too many codes that lead nowhere; live links it still gets.
 * - `unavailable`: links cannot be read, whether the link has visits left cannot be known now, or the visit could not be
 *   journaled: an uncounted redirect is never given.
 * - `misdirected`: the Host is not ours (RFC 9110 §15.5.20).
 */
export const redirectMissStatus = {
  'not-found': 404,
  deleted: 410,
  disabled: 410,
  expired: 410,
  'used-up': 410,
  loop: 410,
  'too-many-misses': 429,
  unavailable: 503,
  misdirected: 421,
} as const;

/**
 * Writes the whole answer to a miss, HTML or problem details by `Accept`, never cached.
 * @param link the link that was found, if one was
 * @param retryAfterSeconds for the `Retry-After` header; 0 = without it
 */
export type AnswerMiss = (
  request: IncomingMessage,
  response: ServerResponse,
  miss: RedirectMiss,
  link: Link | undefined,
  retryAfterSeconds: number,
) => void;
