/** `/livez`, `/readyz` and `/metrics`: for probes and scrapers, under any Host. */
import { type Answer, jsonAnswer } from '../answer.ts';
import type { AppOptions } from '../app-options.ts';
import { queryParameters } from '../query-parameters.ts';
import type { Route } from '../route.ts';

export type OperationOptions = Pick<AppOptions, 'readiness' | 'metrics'>;

/** By path: the answer to a request's target. Throws the problem of a query. */
export function operations(
  options: OperationOptions,
): ReadonlyMap<string, (target: string) => Answer | Promise<Answer>> {
  return new Map<string, (target: string) => Answer | Promise<Answer>>([
    ['/livez', live],
    ['/readyz', (target) => ready(options, target)],
    ['/metrics', (target) => metrics(options, target)],
  ]);
}

export function operationRoutes(options: OperationOptions): readonly Route[] {
  return [...operations(options)].map(([path, answer]) => ({
    path,
    methods: { GET: (request) => answer(request.url) },
  }));
}

function live(target: string): Answer {
  queryParameters(target, []);
  return jsonAnswer(200, { status: 'ok' });
}

function ready(options: OperationOptions, target: string): Answer {
  queryParameters(target, []);
  const { ready: isReady, checks, rebuild } = options.readiness();
  const degraded = rebuild !== null || Object.values(checks).some((check) => check !== 'ok');
  const status = isReady ? (degraded ? 'degraded' : 'ok') : 'unavailable';
  return jsonAnswer(
    isReady ? 200 : 503,
    { status, checks, ...(rebuild && { rebuild }) },
    isReady ? {} : { 'Retry-After': '2' },
  );
}

async function metrics(options: OperationOptions, target: string): Promise<Answer> {
  queryParameters(target, []);
  return {
    status: 200,
    headers: { 'Content-Type': options.metrics.contentType, 'Cache-Control': 'no-store' },
    body: await options.metrics.render(),
  };
}
