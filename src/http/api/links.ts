/** `/api/links` and `/api/links/:code`: create, list, read, change and delete links. */
import type { Request } from 'express';
import type { Link } from '../../domain/link.ts';
import type { ListLinksQuery } from '../../queries/list-links.ts';
import { type Answer, jsonAnswer, noContent } from '../answer.ts';
import { entityTagOf, expectedVersion, parseIfMatch } from '../entity-tag.ts';
import { jsonType, mergePatchTypes, readJsonBody } from '../json-body.ts';
import { takeCreation } from '../limit-creations.ts';
import { linkJson } from '../link-json.ts';
import { encodePositionToken } from '../position-token.ts';
import { invalidInput } from '../problem.ts';
import { problemOfRefusal } from '../problem-table.ts';
import { choiceParameter, queryParameters, wholeNumberParameter } from '../query-parameters.ts';
import type { Route } from '../route.ts';
import { type ApiContext, codeParameter, linkOfPath, normalizedUrl } from './context.ts';
import { linkAnswer, shownAfterCommand } from './link-answer.ts';

export function linkRoutes(context: ApiContext): readonly Route[] {
  return [
    {
      path: '/api/links',
      methods: { GET: (request) => list(context, request), POST: (request) => create(context, request) },
    },
    {
      path: '/api/links/:code',
      methods: {
        GET: (request) => read(context, request),
        PATCH: (request) => change(context, request),
        DELETE: (request) => remove(context, request),
      },
    },
  ];
}

async function create(context: ApiContext, request: Request): Promise<Answer> {
  queryParameters(request.url, []);
  const body = await readJsonBody(request, jsonType);
  const key = request.get('Idempotency-Key');
  return context.idempotency.run({ key, method: 'POST', path: request.path, body: body.bytes }, async (commandId) => {
    takeCreation(context, request);
    const input = context.parse.newLink(body.value);
    if ('refusal' in input) throw problemOfRefusal(input);
    const { createLink } = context.application.commands;
    const outcome = await createLink(input, { commandId, by: 'anonymous', expectedVersion: null });
    if ('refusal' in outcome) throw problemOfRefusal(outcome);
    const { link, created } = outcome;
    const shown = created
      ? ({ link, status: 'active', visits: { total: 0, nonBots: 0, bots: 0, lastVisitAt: null } } as const)
      : await shownAfterCommand(context, link);
    return linkAnswer(context, shown, created ? 201 : 200, { Location: `${context.baseUrl}/api/links/${link.code}` });
  });
}

async function read(context: ApiContext, request: Request): Promise<Answer> {
  queryParameters(request.url, []);
  const code = codeParameter(request);
  const view = await context.application.queries.getLink(code);
  if (!view) throw problemOfRefusal({ refusal: 'link-not-found', code });
  const { deletedAt } = view.link;
  if (deletedAt !== null) throw problemOfRefusal({ refusal: 'link-deleted', code, deletedAt });
  return linkAnswer(context, view);
}

async function change(context: ApiContext, request: Request): Promise<Answer> {
  queryParameters(request.url, []);
  const code = codeParameter(request);
  const precondition = parseIfMatch(request.get('If-Match'));
  const body = await readJsonBody(request, mergePatchTypes);
  const patch = context.parse.linkPatch(body.value);
  if ('refusal' in patch) throw problemOfRefusal(patch);
  const expected = expectedVersion(precondition, presentLink(context, request).version);
  const outcome = await context.application.commands.changeLink(code, patch, {
    commandId: context.application.random.id(),
    by: 'anonymous',
    expectedVersion: expected,
  });
  if ('refusal' in outcome) throw problemOfRefusal(outcome);
  return linkAnswer(context, await shownAfterCommand(context, outcome));
}

async function remove(context: ApiContext, request: Request): Promise<Answer> {
  queryParameters(request.url, []);
  const code = codeParameter(request);
  const precondition = parseIfMatch(request.get('If-Match'));
  const expected = expectedVersion(precondition, presentLink(context, request).version);
  const outcome = await context.application.commands.deleteLink(code, {
    commandId: context.application.random.id(),
    by: 'anonymous',
    expectedVersion: expected,
  });
  if ('refusal' in outcome) throw problemOfRefusal(outcome);
  return noContent({ ETag: entityTagOf(outcome) });
}

/** The link of the path, which must not be deleted: that is told before a wrong version is. */
function presentLink(context: ApiContext, request: Request): Link {
  const link = linkOfPath(context, request);
  if (link.deletedAt === null) return link;
  throw problemOfRefusal({ refusal: 'link-deleted', code: link.code, deletedAt: link.deletedAt });
}

const listParameters = ['url', 'q', 'tag', 'status', 'sort', 'order', 'cursor', 'limit'] as const;

async function list(context: ApiContext, request: Request): Promise<Answer> {
  const parameters = queryParameters(request.url, listParameters);
  const { cursor, limit, ...filters } = parameters;
  const scope = `links ${JSON.stringify(listParameters.map((name) => (name in filters ? filters[name as 'q'] : null)))}`;
  const [value, ordinal] = cursor === undefined ? [] : context.cursors.decode(scope, cursor, 2);
  const page = await context.application.queries.listLinks({
    ...listQuery(filters),
    ...(value !== undefined && ordinal !== undefined && { after: { value, ordinal } }),
    limit: wholeNumberParameter('limit', limit, { min: 1, max: 100, absent: 25 }),
  });
  const nextCursor = page.next && context.cursors.encode(scope, [page.next.value, page.next.ordinal]);
  const body = {
    links: page.links.map((view) => linkJson(view, context.baseUrl)),
    nextCursor,
    position: encodePositionToken(context.logId, page.position.partitions),
  };
  return jsonAnswer(200, body, nextPageLink(context, '/api/links', { ...filters, limit }, nextCursor));
}

type ListFilters = Readonly<Partial<Record<'url' | 'q' | 'tag' | 'status' | 'sort' | 'order', string>>>;

function listQuery(filters: ListFilters): Omit<ListLinksQuery, 'limit'> {
  const { url, q, tag } = filters;
  const statuses = ['active', 'disabled', 'expired', 'exhausted', 'deleted'] as const;
  const status = choiceParameter('status', filters.status, statuses, undefined);
  return {
    ...(url !== undefined && { url: normalizedUrl(url, 'url') }),
    ...(q !== undefined && { q: boundedText('q', q, 200) }),
    ...(tag !== undefined && { tag: boundedText('tag', tag, 50) }),
    ...(status !== undefined && { status }),
    sort: choiceParameter('sort', filters.sort, ['createdAt', 'visits', 'lastVisitAt'], 'createdAt'),
    order: choiceParameter('order', filters.order, ['asc', 'desc'], 'desc'),
  };
}

function boundedText(field: string, text: string, charactersMax: number): string {
  if (text.length <= charactersMax) return text;
  throw invalidInput([{ field, code: 'too-long', detail: `May have ${charactersMax} characters.` }]);
}

/** The `Link` header that leads to the next page (RFC 8288), when there is one. */
export function nextPageLink(
  context: ApiContext,
  path: string,
  parameters: Readonly<Record<string, string | undefined>>,
  nextCursor: string | null,
): Readonly<Record<string, string>> {
  if (nextCursor === null) return {};
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) query.set(name, value);
  query.set('cursor', nextCursor);
  return { Link: `<${context.baseUrl}${path}?${query}>; rel="next"` };
}
