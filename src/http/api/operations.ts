/** `/livez`, `/readyz` and `/metrics`: for probes and scrapers, under any Host. */
import type { Request } from 'express';
import { type Answer, jsonAnswer } from '../answer.ts';
import type { AppOptions } from '../app-options.ts';
import { queryParameters } from '../query-parameters.ts';
import type { Route } from '../route.ts';

export function operationRoutes(options: Pick<AppOptions, 'readiness' | 'metrics'>): readonly Route[] {
  return [
    { path: '/livez', methods: { GET: live } },
    { path: '/readyz', methods: { GET: (request) => ready(options, request) } },
    { path: '/metrics', methods: { GET: (request) => metrics(options, request) } },
  ];
}

function live(request: Request): Answer {
  queryParameters(request.url, []);
  return jsonAnswer(200, { status: 'ok' });
}

function ready(options: Pick<AppOptions, 'readiness'>, request: Request): Answer {
  queryParameters(request.url, []);
  const { ready: isReady, checks, rebuild } = options.readiness();
  const degraded = rebuild !== null || Object.values(checks).some((check) => check !== 'ok');
  const status = isReady ? (degraded ? 'degraded' : 'ok') : 'unavailable';
  return jsonAnswer(
    isReady ? 200 : 503,
    { status, checks, ...(rebuild && { rebuild }) },
    isReady ? {} : { 'Retry-After': '2' },
  );
}

async function metrics(options: Pick<AppOptions, 'metrics'>, request: Request): Promise<Answer> {
  queryParameters(request.url, []);
  return {
    status: 200,
    headers: { 'Content-Type': options.metrics.contentType, 'Cache-Control': 'no-store' },
    body: await options.metrics.render(),
  };
}
