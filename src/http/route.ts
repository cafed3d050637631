/** Routes as data: a path, its methods, and what follows from them (HEAD for GET, OPTIONS, 405 with `Allow`). */
import type { Express, Request, Response } from 'express';
import { type Answer, noContent, sendAnswer } from './answer.ts';
import { ProblemError } from './problem.ts';

/** Returns the answer, or null when it has written to the response by itself. */
export type Handler = (request: Request, response: Response) => Promise<Answer | null> | Answer | null;

export interface Route {
  /** Express path; parameters are `:name`. */
  readonly path: string;
  readonly methods: Readonly<Partial<Record<'GET' | 'POST' | 'PATCH' | 'DELETE', Handler>>>;
}

export function registerRoutes(app: Express, routes: readonly Route[]): void {
  for (const route of routes) {
    const allow = allowOf(route);
    app.all(route.path, async (request, response) => {
      response.locals['route'] = route.path;
      const answer = await answerOf(route, allow, request, response);
      if (answer) sendAnswer(request, response, answer);
    });
  }
}

function answerOf(route: Route, allow: string, request: Request, response: Response): ReturnType<Handler> {
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const handler = Object.hasOwn(route.methods, method) ? route.methods[method as keyof Route['methods']] : undefined;
  return handler ? handler(request, response) : answerOtherMethod(request, allow);
}

/** The answer to a method that a path has no handler for: its methods to OPTIONS, else the 405 problem. */
export function answerOtherMethod(request: Request, allow: string): Answer {
  if (request.method === 'OPTIONS') return noContent({ Allow: allow });
  throw new ProblemError('method-not-allowed', `This path knows ${allow}.`, { headers: { Allow: allow } });
}

export function allowOf(route: Route): string {
  const methods = Object.keys(route.methods).flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
  return [...methods, 'OPTIONS'].join(', ');
}
