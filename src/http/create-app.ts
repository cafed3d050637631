/**
 * The Express application: what every request passes, then the API, the pages and, last, the redirect door for codes.
 * In production the door has taken its requests before they come here.
 */
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { isReserved } from '../domain/short-code.ts';
import { sendAnswer } from './answer.ts';
import { historyRoutes } from './api/history.ts';
import { linkActionRoutes } from './api/link-actions.ts';
import { linkRoutes } from './api/links.ts';
import { lookupRoutes } from './api/lookups.ts';
import { operationRoutes } from './api/operations.ts';
import { qrRoutes } from './api/qr.ts';
import { referenceRoutes } from './api/reference.ts';
import { statisticsRoutes } from './api/statistics.ts';
import { streamRoutes } from './api/stream.ts';
import type { AppOptions } from './app-options.ts';
import { createOwnOrigins, hostCheck } from './host-check.ts';
import { createIdempotency } from './idempotency.ts';
import { originCheck } from './origin-check.ts';
import { createPagingCursors } from './paging-cursor.ts';
import { ProblemError, problemAnswer } from './problem.ts';
import { isBug, problemOfError } from './problem-table.ts';
import { type Route, registerRoutes } from './route.ts';
import { securityHeaders } from './security-headers.ts';

/** Longer request targets are refused. The longest of ours is a creation-time URL in a query, percent-encoded. */
export const targetLimitCharacters = 8192;

export function createApp(options: AppOptions): Express {
  const origins = createOwnOrigins(options);
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  // For the pages. The API reads its queries itself, and strictly.
  app.set('query parser', 'simple');
  app.enable('case sensitive routing');
  app.enable('strict routing');

  app.use(observe(options));
  app.use(securityHeaders(options.baseUrl));
  app.use(refuseLongTarget);
  app.use(hostCheck(origins));
  app.use(originCheck(origins));
  app.use(refuseMiss(options));
  app.use(passBarrier(options));
  registerRoutes(app, apiRoutes(options));
  if (options.pages) app.use(options.pages);
  registerRoutes(app, [codeRoute(options)]);
  app.use(refuseUnknownPath);
  app.use(answerProblem(options));
  return app;
}

/** Every route of the API, as the OpenAPI document must describe it. */
export function apiRoutes(options: AppOptions): readonly Route[] {
  const { application, baseUrl, cursorKey } = options;
  const { answers, clock, random, logger } = application;
  const context = {
    ...options,
    idempotency: createIdempotency({ answers, clock, random, logger, baseUrl }),
    cursors: createPagingCursors(cursorKey),
  };
  return [
    ...linkRoutes(context),
    ...linkActionRoutes(context),
    ...historyRoutes(context),
    ...statisticsRoutes(context),
    ...qrRoutes(context),
    ...lookupRoutes(context),
    ...streamRoutes(context),
    ...operationRoutes(options),
    ...referenceRoutes(options),
  ];
}

/** Names the request and, when it is answered, counts it. The id is ours alone: what a client sends is not taken over. */
function observe({ application, metrics }: AppOptions) {
  const { clock, random } = application;
  return (request: Request, response: Response, next: NextFunction): void => {
    const startedAtMs = clock.monotonicMs();
    const requestId = random.id();
    response.locals['requestId'] = requestId;
    response.setHeader('X-Request-Id', requestId);
    response.once('close', () => {
      const route = String(response.locals['route'] ?? 'other');
      const isStream = response.getHeader('Content-Type') === 'text/event-stream';
      const durationMs = isStream ? null : clock.monotonicMs() - startedAtMs;
      metrics.recordRequest(route, request.method, response.statusCode, durationMs);
    });
    next();
  };
}

/** What the redirect door could not redirect comes here to be told. */
function refuseMiss({ problemOfMiss }: AppOptions) {
  return (request: Request, _response: Response, next: NextFunction): void => {
    const problem = problemOfMiss?.(request);
    if (problem) throw problem;
    next();
  };
}

/** Paths that name a link. */
const pathOfLink = /^\/(?:api\/(?:links|aliases)\/|links\/|stats\/)?(?<code>[A-Za-z0-9_-]{1,64})(?:\/|\+|%2[Bb]|$)/;

/** A code that another instance has just made is in the table before a route looks for it. */
function passBarrier({ application, barrier }: AppOptions) {
  return async (request: Request, _response: Response, next: NextFunction): Promise<void> => {
    const code = pathOfLink.exec(request.path)?.groups?.['code'];
    if (code !== undefined && !isReserved(code) && application.linkTable.find(code) === undefined) {
      await barrier.pass(code)?.catch(() => {
        const headers = { 'Retry-After': '1' };
        throw new ProblemError('store-unavailable', 'Whether there is such a link cannot be known now.', { headers });
      });
    }
    next();
  };
}

function refuseLongTarget(request: Request, _response: Response, next: NextFunction): void {
  if (request.url.length > targetLimitCharacters) {
    throw new ProblemError('uri-too-long', `A request target may have ${targetLimitCharacters} characters.`);
  }
  next();
}

/** The door answers codes before Express is entered; this is for an application that runs without that server. */
function codeRoute({ door }: AppOptions): Route {
  return {
    path: '/:code',
    methods: {
      GET: (request, response) => {
        if (door?.(request, response)) return null;
        throw unknownPath();
      },
    },
  };
}

function refuseUnknownPath(): never {
  throw unknownPath();
}

function unknownPath(): ProblemError {
  return new ProblemError('not-found', 'Nothing has this path.');
}

function answerProblem(options: AppOptions) {
  const { application, baseUrl, problemPage } = options;
  return (error: unknown, request: Request, response: Response, _next: NextFunction): void => {
    const requestId = String(response.locals['requestId']);
    const problem = problemOfError(error, requestId);
    if (isBug(problem)) application.logger.error({ err: error, requestId }, 'a request failed because of a defect');
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const instance = request.path;
    for (const [name, value] of Object.entries(problem.members.headers ?? {})) response.setHeader(name, value);
    if (problemPage?.(problem, request, response)) return;
    sendAnswer(request, response, problemAnswer(problem, baseUrl, instance));
  };
}
