/** The limit on creations, the same for the API and for the form: both take from one allowance per client. */
import type { IncomingMessage } from 'node:http';
import type { ClientLimiter } from './client-limiter.ts';
import { ProblemError } from './problem.ts';

export interface CreationLimit {
  /** Counts creations a minute and client. */
  readonly creations: ClientLimiter;
  /** Who counts as one client for limits: the address, for IPv6 its /64. The only reader of `X-Forwarded-For`. */
  readonly clientKey: (request: IncomingMessage) => string;
}

/** Takes one creation from the client's allowance, or throws the problem that tells when there is one again. */
export function takeCreation(limit: CreationLimit, request: IncomingMessage): void {
  const waitSeconds = limit.creations.take(limit.clientKey(request));
  if (waitSeconds === 0) return;
  throw new ProblemError('too-many-requests', `Create the next link in ${waitSeconds} s.`, {
    headers: { 'Retry-After': String(waitSeconds) },
  });
}
