/** `GET /api/links/:code/stats`, its CSV form, and `GET /api/stats?url=`: the numbers of one link over a range. */
import type { Request } from 'express';
import type { Link } from '../../domain/link.ts';
import { StatisticsRebuilding, StatisticsUnavailable } from '../../ports/statistics-read-model.ts';
import type { Statistics } from '../../queries/link-statistics.ts';
import { type Answer, jsonAnswer } from '../answer.ts';
import { csvOf } from '../csv.ts';
import { decodePositionToken } from '../position-token.ts';
import { invalidInput, ProblemError } from '../problem.ts';
import { queryParameters } from '../query-parameters.ts';
import type { Route } from '../route.ts';
import { statisticsJson } from '../statistics-json.ts';
import { type ApiContext, linkOfPath, normalizedUrl } from './context.ts';

export function statisticsRoutes(context: ApiContext): readonly Route[] {
  return [
    { path: '/api/links/:code/stats', methods: { GET: (request) => statisticsOfCode(context, request) } },
    { path: '/api/links/:code/stats.csv', methods: { GET: (request) => csvOfCode(context, request) } },
    { path: '/api/stats', methods: { GET: (request) => statisticsOfUrl(context, request) } },
  ];
}

const rangeParameters = ['from', 'to', 'interval', 'timezone', 'asOf'] as const;
type RangeParameters = Readonly<Partial<Record<(typeof rangeParameters)[number], string>>>;

/** How long a reader waits for the numbers to reach its `asOf`. */
const asOfTimeoutMs = 2000;

async function statisticsOfCode(context: ApiContext, request: Request): Promise<Answer> {
  const parameters = queryParameters(request.url, rangeParameters);
  return negotiated(context, request, linkOfPath(context, request), parameters);
}

async function csvOfCode(context: ApiContext, request: Request): Promise<Answer> {
  const parameters = queryParameters(request.url, rangeParameters);
  return csvAnswer(await statisticsOf(context, linkOfPath(context, request), parameters), {});
}

async function statisticsOfUrl(context: ApiContext, request: Request): Promise<Answer> {
  const { url, ...parameters } = queryParameters(request.url, ['url', ...rangeParameters]);
  if (url === undefined) throw invalidInput([{ field: 'url', code: 'required', detail: 'Give the original URL.' }]);
  const link = context.application.queries.findOwnLink(normalizedUrl(url, 'url'));
  if (!link) throw new ProblemError('link-not-found', 'This URL has no link of its own.');
  return negotiated(context, request, link, parameters);
}

async function negotiated(
  context: ApiContext,
  request: Request,
  link: Link,
  parameters: RangeParameters,
): Promise<Answer> {
  const statistics = await statisticsOf(context, link, parameters);
  const vary = { Vary: 'Accept' };
  return request.accepts(['application/json', 'text/csv']) === 'text/csv'
    ? csvAnswer(statistics, vary)
    : jsonAnswer(200, statisticsJson(statistics, context.logId), vary);
}

async function statisticsOf(context: ApiContext, link: Link, parameters: RangeParameters): Promise<Statistics> {
  const { asOf, ...range } = parameters;
  if (asOf !== undefined) await waitFor(context, asOf);
  const statistics = await context.application.queries.linkStatistics(link, range);
  if ('length' in statistics) throw invalidInput(statistics);
  return statistics;
}

/** Waits until the numbers are at least as fresh as the position of the token. */
async function waitFor(context: ApiContext, token: string): Promise<void> {
  const vector = decodePositionToken(context.logId, token);
  const { partitions, endOffset } = context.visitsLog;
  if (!vector?.every(({ partition }) => partition < partitions)) throw positionInvalid();
  for (const { partition, nextOffset } of vector) {
    if (nextOffset > (await endOffset(partition))) throw positionInvalid();
  }
  const { statistics } = context.application;
  try {
    await Promise.all(
      vector.map(({ partition, nextOffset }) => statistics.reached(partition, nextOffset, asOfTimeoutMs)),
    );
  } catch (error) {
    if (error instanceof StatisticsRebuilding || error instanceof StatisticsUnavailable) throw error;
    throw new ProblemError('statistics-behind', 'This position is not counted yet.', {
      headers: { 'Retry-After': '1' },
    });
  }
}

function positionInvalid(): ProblemError {
  const detail = 'This position is not one of this log.';
  return invalidInput([{ field: 'asOf', code: 'position-invalid', detail }]);
}

function csvAnswer(statistics: Statistics, headers: Readonly<Record<string, string>>): Answer {
  const rows = statistics.series.map(({ start, total, nonBots }) => [start, total, nonBots, total - nonBots]);
  return {
    status: 200,
    headers: {
      'Content-Type': 'text/csv; charset=utf-8; header=present',
      'Content-Disposition': `attachment; filename="${statistics.code}-visits.csv"`,
      'Cache-Control': 'no-store',
      ...headers,
    },
    body: csvOf([['start', 'total', 'nonBots', 'bots'], ...rows]),
  };
}
