/**
 * Refuses changing requests that a browser sends for a page of another origin (cross-site request forgery). There is
 * no CORS: no answer ever carries `Access-Control-Allow-Origin`.
 */
import type { NextFunction, Request, Response } from 'express';
import type { OwnOrigins } from './host-check.ts';
import { ProblemError } from './problem.ts';

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Clients that are no browser send neither `Origin` nor `Sec-Fetch-Site`, and pass. */
export function originCheck(origins: OwnOrigins) {
  return (request: Request, _response: Response, next: NextFunction): void => {
    if (!safeMethods.has(request.method)) {
      const { origin } = request.headers;
      const site = request.headers['sec-fetch-site'];
      const foreignSite = site !== undefined && site !== 'same-origin' && site !== 'none';
      if (foreignSite || (origin !== undefined && !origins.isOwnOrigin(origin))) {
        throw new ProblemError('cross-origin', 'A changing request must come from this site itself.');
      }
    }
    next();
  };
}
