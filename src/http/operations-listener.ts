/**
 * What an instance with a part of the work alone answers besides it: `/livez`, `/readyz` and `/metrics`, under any Host. Everything else is told that it
 * came to the wrong instance, never that there is no such thing: who has no links cannot know.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Logger } from '../ports/logger.ts';
import type { Random } from '../ports/random.ts';
import { type Answer, noContent, sendAnswer } from './answer.ts';
import { type OperationOptions, operations } from './api/operations.ts';
import { ProblemError, problemAnswer } from './problem.ts';
import { isBug, problemOfError } from './problem-table.ts';

export interface OperationsListenerOptions extends OperationOptions {
  /** Origin of the problem types' URIs. */
  readonly baseUrl: string;
  /** Why everything else is not answered here. */
  readonly elsewhere: string;
  readonly random: Random;
  readonly logger: Logger;
}

const allow = 'GET, HEAD, OPTIONS';

export function createOperationsListener(options: OperationsListenerOptions): RequestListener {
  const { baseUrl, random, logger } = options;
  const byPath = operations(options);

  async function answer(request: IncomingMessage, path: string): Promise<Answer> {
    const operation = byPath.get(path);
    if (operation === undefined) {
      throw new ProblemError('misdirected-request', options.elsewhere);
    }
    if (request.method === 'OPTIONS') return noContent({ Allow: allow });
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      throw new ProblemError('method-not-allowed', `This path knows ${allow}.`, { headers: { Allow: allow } });
    }
    return operation(request.url ?? path);
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const requestId = random.id();
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    response.setHeader('X-Request-Id', requestId);
    response.setHeader('X-Content-Type-Options', 'nosniff');
    // A body that nobody reads would be taken for the next request.
    if (request.method !== 'GET' && request.method !== 'HEAD') response.setHeader('Connection', 'close');
    try {
      sendAnswer(request, response, await answer(request, path));
    } catch (error) {
      const problem = problemOfError(error, requestId);
      if (isBug(problem)) logger.error({ err: error, requestId }, 'a request failed because of a defect');
      sendAnswer(request, response, problemAnswer(problem, baseUrl, path));
    }
  }

  return (request, response) => void handle(request, response);
}
