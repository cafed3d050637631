/** How an instance that only redirects tells why it does not: as problem details, without pages. */
import type { Random } from '../ports/random.ts';
import { sendAnswer } from './answer.ts';
import { problemOfMiss } from './page-problem.ts';
import { problemAnswer } from './problem.ts';
import type { AnswerMiss } from './redirect-miss.ts';

/** @param baseUrl origin of the problem types' URIs */
export function createPlainMisses(baseUrl: string, random: Random): AnswerMiss {
  return (request, response, miss, link, retryAfterSeconds) => {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    const code = link?.code ?? path.split('/', 2)[1] ?? '';
    response.setHeader('X-Request-Id', random.id());
    response.setHeader('X-Content-Type-Options', 'nosniff');
    const problem = problemOfMiss(miss, code, link, retryAfterSeconds);
    sendAnswer(request, response, problemAnswer(problem, baseUrl, path));
  };
}
