/** The limit on creations, for the API and for the pages' form alike. */
import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import type { ClientLimiter } from './client-limiter.ts';
import { ProblemError } from './problem.ts';

export interface CreationLimit {
  /** Counts creations a minute and client. */
  readonly creationLimiter: ClientLimiter;
  /** Who counts as one client for limits: the address, for IPv6 its /64. The only reader of `X-Forwarded-For`. */
  readonly clientKey: (request: IncomingMessage) => string;
}

/** Takes one creation from the client's allowance. Throws the 429 problem, with `Retry-After`, when it is used up. */
export function takeCreation(limit: CreationLimit, request: IncomingMessage): void {
  const waitSeconds = limit.creationLimiter.take(limit.clientKey(request));
  if (waitSeconds === 0) return;
  throw new ProblemError('too-many-requests', `Create the next link in ${waitSeconds} s.`, {
    headers: { 'Retry-After': String(waitSeconds) },
  });
}

export function limitCreations(limit: CreationLimit): RequestHandler {
  return (request, _response, next) => {
    takeCreation(limit, request);
    next();
  };
}
