/** The OpenAPI document, made of the operations when it is first asked for. */
import { OpenAPIRegistry, OpenApiGeneratorV31, type ResponseConfig } from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';
import { problemTypes } from '../problem-types.ts';
import { type AnswerHeader, answerHeaders, type Operation, operations, problemsByStatus } from './operations.ts';
import { problemSchema } from './schemas.ts';

type Document = ReturnType<OpenApiGeneratorV31['generateDocument']>;

const documents = new Map<string, Document>();

/** @param baseUrl where the API is served */
export function openApiDocument(baseUrl: string): Document {
  const made = documents.get(baseUrl) ?? makeDocument(baseUrl);
  documents.set(baseUrl, made);
  return made;
}

function makeDocument(baseUrl: string): Document {
  const registry = new OpenAPIRegistry();
  for (const operation of operations) registerOperation(registry, operation);
  const document = new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: {
      title: 'Tallyhop',
      version: '1',
      description:
        'A URL shortener whose visit counts are exact. Any other method than those listed is answered 405 with Allow. Unknown and repeated query parameters and unknown members are refused by name.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: baseUrl }],
  });
  return withMethodNotAllowed(document);
}

function registerOperation(registry: OpenAPIRegistry, operation: Operation): void {
  const { method, path, summary, query, headers, body } = operation;
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
  const params = Object.fromEntries(names.map((name) => [name, z.string().meta({ example: exampleOf(name) })]));
  registry.registerPath({
    method,
    path,
    summary,
    operationId: `${method}${path.replace(/[^A-Za-z]+(.?)/g, (_, letter: string) => letter.toUpperCase())}`,
    request: {
      ...(names.length > 0 && { params: z.object(params) }),
      ...(query && { query: z.object(query) }),
      ...(headers && { headers: z.object(headers) }),
      ...(body && {
        body: {
          required: body.optional !== true,
          content: Object.fromEntries(body.mediaTypes.map((mediaType) => [mediaType, { schema: body.schema }])),
        },
      }),
    },
    responses: responsesOf(operation),
  });
}

function exampleOf(parameter: string): string {
  if (parameter === 'slug') return 'invalid-input';
  return parameter === 'asset' ? 'swagger-ui.css' : 'q7Zp3Xa';
}

function responsesOf(operation: Operation): Record<string, ResponseConfig> {
  const responses: Record<string, ResponseConfig> = {};
  for (const [status, slugs] of problemsByStatus(operation)) {
    const description = slugs.map((slug) => `${slug}: ${problemTypes[slug].title}.`).join(' ');
    responses[status] = {
      description,
      headers: headersOf(problemHeaders(status, operation.method)),
      ...(operation.method !== 'head' && { content: { 'application/problem+json': { schema: problemSchema } } }),
    };
  }
  for (const { status, description, content, headers } of operation.answers) {
    const schemas = Object.entries(content).map(([mediaType, schema]) => [mediaType, { schema }] as const);
    const both = responses[status]?.content ?? {};
    responses[status] = {
      description,
      headers: headersOf(headers),
      ...(operation.method !== 'head' &&
        schemas.length > 0 && { content: { ...both, ...Object.fromEntries(schemas) } }),
    };
  }
  return responses;
}

function problemHeaders(status: number, method: Operation['method']): readonly AnswerHeader[] {
  if (status === 429 || status === 503) return ['Retry-After'];
  if (status === 412) return ['ETag'];
  if (status === 415) return [method === 'patch' ? 'Accept-Patch' : 'Accept-Post'];
  return [];
}

function headersOf(names: readonly AnswerHeader[]) {
  return Object.fromEntries(
    (['X-Request-Id', ...names] as const).map((name) => [
      name,
      { description: answerHeaders[name], schema: { type: 'string' as const } },
    ]),
  );
}

/** A fuzzer that knows the path tries its other methods too: the 405 is described with each operation. */
function withMethodNotAllowed(document: Document): Document {
  for (const item of Object.values(document.paths ?? {})) {
    for (const [method, operation] of Object.entries(item ?? {})) {
      if (typeof operation !== 'object' || !('responses' in operation)) continue;
      operation.responses['405'] = {
        description: `method-not-allowed: ${problemTypes['method-not-allowed'].title}.`,
        headers: headersOf(['Allow']),
        ...(method !== 'head' && {
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        }),
      };
    }
  }
  return document;
}
