/** The pages on a bare Express app over a fake application. */
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import type { NewLink } from '../../src/domain/link-input.ts';
import type { FieldErrorCode, Refusal } from '../../src/domain/refusal.ts';
import { sendAnswer } from '../../src/http/answer.ts';
import { loadAssets } from '../../src/http/pages/assets.ts';
import { createPages } from '../../src/http/pages/create-pages.ts';
import { problemAnswer } from '../../src/http/problem.ts';
import { createProblemPage } from '../../src/http/problem-page.ts';
import { problemOfError } from '../../src/http/problem-table.ts';
import type { FakeApplication } from './pages-application.ts';

type Invalid = Extract<Refusal, { readonly refusal: 'invalid' }>;

const refuseUrl = (code: FieldErrorCode): Invalid => ({
  refusal: 'invalid',
  errors: [{ field: 'url', code, detail: code }],
});

/** Checks just enough to refuse something; the rules themselves are the domain's. */
function parseNewLink(body: Readonly<Record<string, unknown>>): NewLink | Invalid {
  const { url, alias, expiresAt, maxVisits, tags, note, unique } = body;
  if (typeof url !== 'string' || url === '') return refuseUrl('required');
  if (!/^https?:\/\//.test(url)) return refuseUrl('scheme-not-allowed');
  return {
    url: new URL(url).href,
    alias: typeof alias === 'string' ? alias : null,
    expiresAt: typeof expiresAt === 'string' ? Date.parse(expiresAt) : null,
    maxVisits: typeof maxVisits === 'number' ? maxVisits : null,
    tags: Array.isArray(tags) ? tags : [],
    note: typeof note === 'string' ? note : null,
    unique: unique === true,
  };
}

export function createPagesApp(application: FakeApplication, baseUrl = 'https://tally.example'): Express {
  const app = express();
  const assets = loadAssets();
  app.use(
    createPages({
      application,
      baseUrl,
      assets,
      creationLimiter: { take: () => 0 },
      clientKey: () => 'client',
      parseNewLink,
    }),
  );
  const problemPage = createProblemPage({ assets, clock: application.clock });
  app.use((error: unknown, request: Request, response: Response, _next: NextFunction) => {
    const problem = problemOfError(error, 'request-1');
    if (problemPage(problem, request, response)) return;
    sendAnswer(request, response, problemAnswer(problem, baseUrl, request.path));
  });
  return app;
}
