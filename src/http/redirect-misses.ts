/**
 * How the redirect door's misses are told: the request is handed on to Express with the miss noted beside it, so that
 * headers, content negotiation and metrics are those of every other answer.
 */
import type { IncomingMessage, RequestListener } from 'node:http';
import { problemOfMiss } from './page-problem.ts';
import type { ProblemError } from './problem.ts';
import type { AnswerMiss } from './redirect-miss.ts';

export interface RedirectMisses {
  readonly answerMiss: AnswerMiss;
  /** What the door found for this request, if it is one of the door's. */
  problemOf(request: IncomingMessage): ProblemError | undefined;
}

/** @param app the Express application, which must ask {@link RedirectMisses.problemOf} */
export function createRedirectMisses(app: () => RequestListener): RedirectMisses {
  const problems = new WeakMap<IncomingMessage, ProblemError>();
  return {
    answerMiss(request, response, miss, link, retryAfterSeconds) {
      const code = link?.code ?? (request.url ?? '').split(/[/?]/, 2)[1] ?? '';
      problems.set(request, problemOfMiss(miss, code, link, retryAfterSeconds));
      app()(request, response);
    },
    problemOf: (request) => problems.get(request),
  };
}
