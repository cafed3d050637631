/**
 * The pages as one Express router: reads the request, asks the application, renders. It answers what it knows; an outage
 * or a defect goes on to the error handler of the whole, which renders it with the same error pages.
 */
import { createHash } from 'node:crypto';
import express, { type Request, type Response, Router } from 'express';
import { statusOf } from '../../domain/link.ts';
import type { NewLink } from '../../domain/link-input.ts';
import type { FieldError, Refusal } from '../../domain/refusal.ts';
import { StatisticsRebuilding, StatisticsUnavailable } from '../../ports/statistics-read-model.ts';
import type { LinkStatisticsQuery, Statistics } from '../../queries/link-statistics.ts';
import type { ListLinksQuery } from '../../queries/list-links.ts';
import { sendAnswer } from '../answer.ts';
import type { Application } from '../application.ts';
import { type CreationLimit, limitCreations } from '../limit-creations.ts';
import { linkPreviewJson, type ShownLink, shortUrlOf } from '../link-json.ts';
import { PageProblem } from '../page-problem.ts';
import { answerOtherMethod } from '../route.ts';
import type { Assets } from './assets.ts';
import { emptyForm, linkInput, readForm, type TypedForm } from './create-form.ts';
import { homePage } from './home-page.ts';
import { linkPage } from './link-page.ts';
import { linksPage, readListQuery, type ShownPage } from './links-page.ts';
import { createListWithoutNumbers } from './list-without-numbers.ts';
import { previewPage } from './preview-page.ts';
import { prefersJson, sendPage } from './send-page.ts';
import { type StatisticsFigures, statisticsPage } from './statistics-page.ts';
import { rangeToAsk, readStatisticsState, type StatisticsState } from './statistics-range.ts';
import { createView, type View } from './view.ts';

export interface PagesOptions extends CreationLimit {
  readonly application: Pick<Application, 'commands' | 'queries' | 'linkTable' | 'clock' | 'random'>;
  /** Origin of short links, without a trailing slash. */
  readonly baseUrl: string;
  readonly assets: Assets;
  /** Narrows the body that `POST /api/links` takes, or says what is refused in it. */
  readonly parseNewLink: (
    body: Readonly<Record<string, unknown>>,
  ) => NewLink | Extract<Refusal, { readonly refusal: 'invalid' }>;
}

const formLimitBytes = 65_536;
const historyEventsMax = 1000;
const codePattern = '[A-Za-z0-9_-]{1,64}';
const linkPath = new RegExp(`^/links/(?<code>${codePattern})/?$`);
const statisticsPath = new RegExp(`^/stats/(?<code>${codePattern})/?$`);
const previewPath = new RegExp(`^/(?<code>${codePattern})(?:\\+|%2[Bb])$`);

export function createPages(options: PagesOptions): Router {
  const { application, baseUrl, assets } = options;
  const { clock } = application;
  const { getLink, linkStatistics } = application.queries;
  const router = Router({ caseSensitive: true });
  const urlOf = (code: string) => shortUrlOf(code, baseUrl);
  const viewOf = (request: Request) =>
    createView({ headers: request.headers, url: request.originalUrl }, clock.nowMs());

  /** The link with its numbers; while those cannot be read, the link alone. */
  const findLink = async (code: string): Promise<ShownLink> => {
    try {
      const found = await getLink(code);
      if (found !== undefined) return found;
    } catch (error) {
      if (!isWithoutNumbers(error)) throw error;
      const link = application.linkTable.find(code);
      if (link !== undefined) return { link, status: statusOf(link, clock.nowMs(), 0), visits: null };
    }
    throw new PageProblem({ kind: 'link-not-found', code });
  };

  const listWithoutNumbers = createListWithoutNumbers(application.linkTable, clock);
  const findLinks = async (query: ListLinksQuery): Promise<ShownPage> => {
    try {
      return { ...(await application.queries.listLinks(query)), numbersKnown: true };
    } catch (error) {
      if (!isWithoutNumbers(error)) throw error;
      return { ...(await listWithoutNumbers(query)), numbersKnown: false };
    }
  };

  /** A link changes rarely: its whole history is read, and bounded only against a script gone wild. */
  const historyOf = async (code: string) =>
    (await application.queries.linkHistory(code, -1, historyEventsMax))?.events ?? [];

  router.use(assets.handler);

  router.get('/', (request, response) =>
    sendPage(
      request,
      response,
      200,
      homePage(assets, viewOf(request), emptyForm(application.random.id()), [], baseUrl),
    ),
  );

  const refuseForm = (
    request: Request,
    response: Response,
    form: TypedForm,
    status: number,
    errors: readonly FieldError[],
  ) => sendPage(request, response, status, homePage(assets, viewOf(request), form, errors, baseUrl));

  router.post(
    '/',
    limitCreations(options),
    express.urlencoded({ extended: false, inflate: false, limit: formLimitBytes, parameterLimit: 50 }),
    async (request, response) => {
      const typed = readForm(request.body);
      // Every view of the form has a key of its own; one that is missing or forged only loses the protection.
      const form = /^[\w-]{1,64}$/.test(typed.key) ? typed : { ...typed, key: application.random.id() };
      const input = options.parseNewLink(linkInput(form, clock.nowMs()));
      if ('refusal' in input) return refuseForm(request, response, form, 422, input.errors);
      const outcome = await application.commands.createLink(input, {
        commandId: commandIdOf(form),
        by: 'anonymous',
        expectedVersion: null,
      });
      if (!('refusal' in outcome)) {
        const fresh = outcome.created ? 'created' : 'existing';
        return response.redirect(303, `/links/${outcome.link.code}?new=${fresh}`);
      }
      if (outcome.refusal === 'invalid') return refuseForm(request, response, form, 422, outcome.errors);
      if (outcome.refusal === 'alias-taken') {
        const detail = `The alias ${outcome.alias} is taken.`;
        return refuseForm(request, response, form, 409, [{ field: 'alias', code: 'alias-taken', detail }]);
      }
      // A creation meets other links only by chance of the moment: the same form works when sent again.
      throw new PageProblem({ kind: 'unavailable', retryAfterSeconds: 1 });
    },
  );

  router.get('/links', async (request, response) => {
    const query = readListQuery(parametersOf(request));
    const [page, tags] = await Promise.all([findLinks(query), application.linkTable.tags()]);
    await sendPage(request, response, 200, linksPage(assets, viewOf(request), query, page, tags, urlOf));
  });

  router.get(linkPath, async (request, response) => {
    const code = codeOf(request);
    const shown = await findLink(code);
    const asked = parametersOf(request).get('new');
    const fresh = asked === 'created' || asked === 'existing' ? asked : null;
    const page = linkPage(assets, viewOf(request), shown, urlOf(code), fresh, await historyOf(code));
    return sendPage(request, response, 200, page);
  });

  router.get(statisticsPath, async (request, response) => {
    const code = codeOf(request);
    const shown = await findLink(code);
    const view = viewOf(request);
    const state = readStatisticsState(parametersOf(request), view.timezone);
    const figures = await readFigures(linkStatistics, shown, state, view);
    const waiting = figures.kind === 'rebuilding' || figures.kind === 'unavailable';
    if (waiting) response.set('Retry-After', '2');
    const page = statisticsPage(assets, view, shown, urlOf(code), state, figures);
    return sendPage(request, response, waiting ? 503 : figures.kind === 'invalid' ? 422 : 200, page);
  });

  router.get(previewPath, async (request, response) => {
    const code = codeOf(request);
    const shown = await findLink(code);
    const { deletedAt } = shown.link;
    if (deletedAt !== null) throw new PageProblem({ kind: 'deleted', code, deletedAt });
    response.set('X-Robots-Tag', 'noindex');
    if (prefersJson(request.headers.accept)) {
      response.set({ 'Cache-Control': 'no-store', Vary: 'Accept' });
      return response.json(linkPreviewJson(shown, baseUrl));
    }
    const page = previewPage(assets, viewOf(request), shown, urlOf(code));
    return sendPage(request, response, 200, page);
  });

  for (const path of ['/', '/links', linkPath, statisticsPath, previewPath]) {
    const allow = path === '/' ? 'GET, HEAD, POST, OPTIONS' : 'GET, HEAD, OPTIONS';
    router.all(path, (request, response) => sendAnswer(request, response, answerOtherMethod(request, allow)));
  }

  return router;
}

async function readFigures(
  linkStatistics: LinkStatisticsQuery,
  { link, visits }: ShownLink,
  state: StatisticsState,
  view: View,
): Promise<StatisticsFigures> {
  const ask = rangeToAsk(state, view.nowMs);
  const valid = async (range: Parameters<LinkStatisticsQuery>[1] | null): Promise<Statistics | null> => {
    const answer = range === null ? null : await linkStatistics(link, range);
    return answer === null || isErrors(answer) ? null : answer;
  };
  try {
    const statistics = await linkStatistics(link, ask.current);
    if (isErrors(statistics)) return { kind: 'invalid', errors: statistics };
    if (visits === null) return { kind: 'unavailable' };
    const byDays = statistics.interval === 'day' ? statistics : null;
    const wholeDays = state.range !== '24h';
    const [previous, today, daily] = await Promise.all([
      valid(ask.previous),
      valid(ask.today),
      byDays ?? (wholeDays ? valid({ ...ask.current, interval: 'day' }) : null),
    ]);
    return { kind: 'ready', visits, statistics, previous, today, daily };
  } catch (error) {
    if (error instanceof StatisticsRebuilding) return { kind: 'rebuilding', progress: error.progress };
    if (error instanceof StatisticsUnavailable) return { kind: 'unavailable' };
    throw error;
  }
}

function isWithoutNumbers(error: unknown): boolean {
  return error instanceof StatisticsRebuilding || error instanceof StatisticsUnavailable;
}

function isErrors<T>(answer: T | readonly FieldError[]): answer is readonly FieldError[] {
  return Array.isArray(answer);
}

/** The same form sent twice is one command; a form that was changed and sent again is another. */
function commandIdOf(form: TypedForm): string {
  return `form-${createHash('sha256').update(JSON.stringify(form)).digest('base64url')}`;
}

function codeOf(request: Request): string {
  const code = request.params['code'];
  return typeof code === 'string' ? code : '';
}

function parametersOf(request: Request): URLSearchParams {
  return new URLSearchParams(request.originalUrl.split('?')[1] ?? '');
}
