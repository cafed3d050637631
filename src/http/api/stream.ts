/** `GET /api/stream`: opens a live stream of totals. */
import type { Request, Response } from 'express';
import { invalidInput, ProblemError } from '../problem.ts';
import { queryParameters } from '../query-parameters.ts';
import type { Route } from '../route.ts';
import { type ApiContext, codePattern } from './context.ts';

export function streamRoutes(context: ApiContext): readonly Route[] {
  return [{ path: '/api/stream', methods: { GET: (request, response) => open(context, request, response) } }];
}

const codesMax = 100;

function open(context: ApiContext, request: Request, response: Response): null {
  const { codes } = queryParameters(request.url, ['codes']);
  const wanted = codes === undefined ? null : parseCodes(context, codes);
  context.liveTotals.open(request, response, wanted, context.clientKey(request));
  return null;
}

function parseCodes(context: ApiContext, text: string): readonly string[] {
  const codes = [...new Set(text.split(','))];
  if (codes.length > codesMax) {
    throw invalidInput([{ field: 'codes', code: 'too-many', detail: `May name ${codesMax} codes.` }]);
  }
  const unknown = codes.find((code) => !codePattern.test(code) || !context.application.linkTable.find(code));
  if (unknown === undefined) return codes;
  throw new ProblemError('link-not-found', `No link has the code ${JSON.stringify(unknown.slice(0, 64))}.`);
}
