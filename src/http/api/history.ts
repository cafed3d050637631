/** `GET /api/links/:code/history`: every event of a link, oldest first, effective or rejected. */
import type { Request } from 'express';
import type { HistoryEntry } from '../../queries/link-history.ts';
import { type Answer, jsonAnswer } from '../answer.ts';
import { problemOfRefusal } from '../problem-table.ts';
import { queryParameters, wholeNumberParameter } from '../query-parameters.ts';
import type { Route } from '../route.ts';
import { isoInstant } from '../times.ts';
import { type ApiContext, codeParameter } from './context.ts';
import { nextPageLink } from './links.ts';

export function historyRoutes(context: ApiContext): readonly Route[] {
  return [{ path: '/api/links/:code/history', methods: { GET: (request) => history(context, request) } }];
}

async function history(context: ApiContext, request: Request): Promise<Answer> {
  const code = codeParameter(request);
  const parameters = queryParameters(request.url, ['cursor', 'limit']);
  const limit = wholeNumberParameter('limit', parameters.limit, { min: 1, max: 100, absent: 25 });
  const scope = `history ${code}`;
  const [afterOffset = -1] = parameters.cursor === undefined ? [] : context.cursors.decode(scope, parameters.cursor, 1);
  const page = await context.application.queries.linkHistory(code, afterOffset, limit);
  if (!page) throw problemOfRefusal({ refusal: 'link-not-found', code });
  const last = page.events.at(-1);
  const nextCursor = page.nextOffset !== null && last ? context.cursors.encode(scope, [last.offset]) : null;
  const body = { events: page.events.map(eventJson), nextCursor };
  const path = `/api/links/${code}/history`;
  return jsonAnswer(200, body, nextPageLink(context, path, { limit: parameters.limit }, nextCursor));
}

function eventJson(entry: HistoryEntry) {
  const { event, version, effective, changes, partition, offset } = entry;
  return {
    id: event.id,
    type: event.type,
    at: isoInstant(event.at),
    by: event.by,
    version,
    effective,
    ...(!effective && { refusal: 'lost-race' }),
    changes,
    position: { partition, offset: String(offset) },
  };
}
