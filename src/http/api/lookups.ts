/** `GET /api/tags` and `GET /api/aliases/:alias`: what is in use, and what is free. */
import type { Request } from 'express';
import { type Answer, jsonAnswer } from '../answer.ts';
import { queryParameters } from '../query-parameters.ts';
import type { Route } from '../route.ts';
import type { ApiContext } from './context.ts';

export function lookupRoutes(context: ApiContext): readonly Route[] {
  return [
    { path: '/api/tags', methods: { GET: (request) => tags(context, request) } },
    { path: '/api/aliases/:alias', methods: { GET: (request) => alias(context, request) } },
  ];
}

async function tags(context: ApiContext, request: Request): Promise<Answer> {
  queryParameters(request.url, []);
  return jsonAnswer(200, { tags: await context.application.linkTable.tags() });
}

function alias(context: ApiContext, request: Request): Answer {
  queryParameters(request.url, []);
  const wanted = String(request.params['alias']);
  const parsed = context.parse.alias(wanted);
  const taken = typeof parsed === 'string' && context.application.linkTable.find(parsed) !== undefined;
  const reason = typeof parsed === 'string' ? (taken ? 'alias-taken' : null) : parsed.code;
  return jsonAnswer(
    200,
    reason === null ? { alias: wanted, available: true } : { alias: wanted, available: false, reason },
  );
}
