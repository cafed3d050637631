/**
 * Stands in front of everything while an instance cannot answer yet: its log was never reached and it has no links of its own.
 * Probes are answered; all else is told to come again, because no code may be called unknown now.
 */
import type { IncomingMessage, RequestListener } from 'node:http';
import { type Answer, jsonAnswer, sendAnswer } from './answer.ts';
import type { Door } from './app-options.ts';
import { ProblemError, problemAnswer } from './problem.ts';

export interface StartingGate {
  readonly app: RequestListener;
  readonly door: Door;
  /** From now on requests go to these. */
  open(door: Door, app: RequestListener): void;
}

/** @param baseUrl origin of short links, without a trailing slash */
export function createStartingGate(baseUrl: string): StartingGate {
  let behind: { readonly door: Door; readonly app: RequestListener } | null = null;
  return {
    app(request, response) {
      if (behind === null) sendAnswer(request, response, answerWhileStarting(pathOf(request), baseUrl));
      else behind.app(request, response);
    },
    door: (request, response) => behind?.door(request, response) ?? false,
    open(door, app) {
      behind = { door, app };
    },
  };
}

function answerWhileStarting(path: string, baseUrl: string): Answer {
  if (path === '/livez') return jsonAnswer(200, { status: 'ok' });
  if (path === '/readyz') {
    const checks = { server: 'starting', links: 'not loaded: the log was not reached yet' };
    return jsonAnswer(503, { status: 'unavailable', checks }, { 'Retry-After': '2' });
  }
  const problem = new ProblemError('store-unavailable', 'The links are not loaded yet.', {
    headers: { 'Retry-After': '2' },
  });
  return problemAnswer(problem, baseUrl, path);
}

function pathOf({ url }: IncomingMessage): string {
  return (url ?? '/').split('?', 1)[0] ?? '/';
}
