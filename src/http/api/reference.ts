/**
 * The API's reference: the OpenAPI document, its page under `/api/docs`, and a page for each type of problem. All
 * assets are served from here; what they need is loaded when it is first asked for.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Request } from 'express';
import { type Answer, jsonAnswer } from '../answer.ts';
import type { AppOptions } from '../app-options.ts';
import { ProblemError, problemTypeUri } from '../problem.ts';
import { type ProblemSlug, problemTypes } from '../problem-types.ts';
import { queryParameters } from '../query-parameters.ts';
import type { Route } from '../route.ts';

export function referenceRoutes({ baseUrl }: Pick<AppOptions, 'baseUrl'>): readonly Route[] {
  return [
    { path: '/api/openapi.json', methods: { GET: (request) => openApi(baseUrl, request) } },
    { path: '/api/docs', methods: { GET: docsPage } },
    { path: '/api/docs/:asset', methods: { GET: docsAsset } },
    { path: '/api/problems/:slug', methods: { GET: (request) => problemType(baseUrl, request) } },
  ];
}

async function openApi(baseUrl: string, request: Request): Promise<Answer> {
  queryParameters(request.url, []);
  const { openApiDocument } = await import('../openapi/document.ts');
  return jsonAnswer(200, openApiDocument(baseUrl), { 'Cache-Control': 'no-cache' });
}

function docsPage(): Answer {
  const head = [
    '<link rel="stylesheet" href="/api/docs/swagger-ui.css">',
    '<script src="/api/docs/swagger-ui-bundle.js" defer></script>',
    '<script src="/api/docs/start.js" defer></script>',
  ].join('');
  const body = '<noscript><a href="/api/openapi.json">The OpenAPI document</a></noscript><div id="reference"></div>';
  return htmlAnswer('Tallyhop API', head, body);
}

const startScript = `SwaggerUIBundle({ url: '/api/openapi.json', dom_id: '#reference', deepLinking: true, validatorUrl: null });\n`;

/** The only files of the package that are served: never a path of the caller's making. */
const assetTypes = new Map([
  ['swagger-ui.css', 'text/css; charset=utf-8'],
  ['swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
]);

async function docsAsset(request: Request): Promise<Answer> {
  const name = String(request.params['asset']);
  const cached = { 'Cache-Control': 'public, max-age=3600' };
  if (name === 'start.js') {
    return { status: 200, headers: { 'Content-Type': 'text/javascript; charset=utf-8', ...cached }, body: startScript };
  }
  const mediaType = assetTypes.get(name);
  if (mediaType === undefined) throw new ProblemError('not-found', 'The reference has no such file.');
  const folder = path.dirname(import.meta.resolve('swagger-ui-dist/package.json'));
  const body = await readFile(new URL(`${folder}/${name}`));
  return { status: 200, headers: { 'Content-Type': mediaType, ...cached }, body };
}

function problemType(baseUrl: string, request: Request): Answer {
  queryParameters(request.url, []);
  const slug = String(request.params['slug']);
  if (!isSlug(slug)) throw new ProblemError('not-found', 'There is no such type of problem.');
  const { status, title, help } = problemTypes[slug];
  if (request.accepts(['text/html', 'application/json']) === 'application/json') {
    return jsonAnswer(200, { type: problemTypeUri(baseUrl, slug), title, status, help }, { Vary: 'Accept' });
  }
  const body = `<main><h1>${title}</h1><p>HTTP status ${status}</p><p>${help}</p><p><a href="/api/docs">API reference</a></p></main>`;
  const page = htmlAnswer(title, '', body);
  return { ...page, headers: { ...page.headers, Vary: 'Accept' } };
}

function isSlug(text: string): text is ProblemSlug {
  return Object.hasOwn(problemTypes, text);
}

/** Everything put in is our own constant text. */
function htmlAnswer(title: string, head: string, body: string): Answer {
  return {
    status: 200,
    headers: { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-cache' },
    body: `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"><title>${title}</title>${head}</head><body>${body}</body></html>\n`,
  };
}
