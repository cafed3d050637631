/** Problems as pages, for people: every path but the API's, when the client asks for HTML. */
import type { Clock } from '../ports/clock.ts';
import type { AppOptions } from './app-options.ts';
import { pageOfProblem } from './page-problem.ts';
import type { Assets } from './pages/assets.ts';
import { createErrorPages } from './pages/error-page.ts';
import { prefersHtml } from './pages/send-page.ts';

export function createProblemPage(options: {
  readonly assets: Assets;
  readonly clock: Clock;
}): NonNullable<AppOptions['problemPage']> {
  const render = createErrorPages({ assets: options.assets, nowMs: () => options.clock.nowMs() });
  return (problem, request, response) => {
    if (request.path.startsWith('/api/') || !prefersHtml(request.headers.accept)) return false;
    const page = render({ headers: request.headers, url: request.originalUrl }, pageOfProblem(problem));
    response.status(page.status).set(page.headers).send(page.body);
    return true;
  };
}
