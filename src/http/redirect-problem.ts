/** The misses of the redirect door as problems, for clients that ask for JSON. The pages tell the same in words. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Link } from '../domain/link.ts';
import { sendAnswer } from './answer.ts';
import type { RedirectOutcome } from './metrics.ts';
import { ProblemError, problemAnswer } from './problem.ts';
import type { ProblemSlug } from './problem-types.ts';
import { isoInstant } from './times.ts';

export type RedirectProblem = Exclude<RedirectOutcome, 'redirected'>;

const slugs: Readonly<Record<RedirectProblem, ProblemSlug>> = {
  'not-found': 'link-not-found',
  deleted: 'link-deleted',
  disabled: 'link-gone',
  expired: 'link-gone',
  'used-up': 'link-gone',
  loop: 'link-gone',
  'too-many-misses': 'too-many-requests',
  unavailable: 'redirect-unavailable',
  misdirected: 'misdirected-request',
};

const details: Readonly<Record<RedirectProblem, string>> = {
  'not-found': 'No link has this code.',
  deleted: 'The link was deleted.',
  disabled: 'The link is disabled.',
  expired: 'The link is expired.',
  'used-up': 'All visits of the link are used up.',
  loop: 'The link leads back to this service.',
  'too-many-misses': 'Too many unknown codes were asked for.',
  unavailable: 'The visit could not be recorded.',
  misdirected: 'The Host of this request is not served here.',
};

/** @param retryAfterSeconds for the `Retry-After` header; 0 = without it */
export function problemOfMiss(miss: RedirectProblem, link: Link | undefined, retryAfterSeconds: number): ProblemError {
  const deletedAt = miss === 'deleted' ? link?.deletedAt : undefined;
  return new ProblemError(slugs[miss], details[miss], {
    ...(typeof deletedAt === 'number' && { extensions: { deletedAt: isoInstant(deletedAt) } }),
    ...(retryAfterSeconds > 0 && { headers: { 'Retry-After': String(retryAfterSeconds) } }),
  });
}

/** Answers with a problem where there is no Express around the request, with the headers that matter for JSON. */
export function sendProblem(
  request: IncomingMessage,
  response: ServerResponse,
  problem: ProblemError,
  baseUrl: string,
): void {
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'");
  const instance = (request.url ?? '/').split('?', 1)[0] ?? '/';
  sendAnswer(request, response, problemAnswer(problem, baseUrl, instance));
}
