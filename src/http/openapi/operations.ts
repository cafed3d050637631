/** Every operation of the API as data: what it takes, and every answer it can give. The tests hold the routes against it. */
import { z } from 'zod';
import type { ProblemSlug } from '../problem-types.ts';
import { problemTypes } from '../problem-types.ts';
import * as schemas from './schemas.ts';

export type Method = 'get' | 'head' | 'post' | 'patch' | 'delete';

export interface Operation {
  readonly method: Method;
  /** With parameters in braces. */
  readonly path: string;
  readonly summary: string;
  readonly query?: Readonly<Record<string, z.ZodType>>;
  readonly headers?: Readonly<Record<string, z.ZodType>>;
  readonly body?: { readonly mediaTypes: readonly string[]; readonly schema: z.ZodType; readonly optional?: true };
  readonly answers: readonly OperationAnswer[];
  /** Types of problem that this operation can answer beside {@link commonProblems}. */
  readonly problems: readonly ProblemSlug[];
}

export interface OperationAnswer {
  readonly status: number;
  readonly description: string;
  /** By media type; empty for an answer without a body. */
  readonly content: Readonly<Record<string, z.ZodType>>;
  readonly headers: readonly AnswerHeader[];
}

export type AnswerHeader = keyof typeof answerHeaders;

export const answerHeaders = {
  'X-Request-Id': 'Identity of the request, as in the log.',
  ETag: 'The version of the link, for If-Match.',
  Location: 'URI of the link in the API.',
  Link: 'The next page, as rel="next", when there is one.',
  'Idempotency-Replayed': 'true when this is the kept answer of an earlier request.',
  'Retry-After': 'Seconds to wait before the next try.',
  Allow: 'The methods of this path.',
  'Accept-Post': 'Media types that are accepted.',
  'Accept-Patch': 'Media types that are accepted.',
  'Content-Disposition': 'The name of the file.',
} as const;

/** Can be the answer to any request: they are decided before, or beneath, every operation. */
export const commonProblems = [
  'malformed-request',
  'request-timeout',
  'uri-too-long',
  'expectation-failed',
  'misdirected-request',
  'invalid-input',
  'headers-too-large',
  'internal-error',
  'store-unavailable',
] as const satisfies readonly ProblemSlug[];

const unsafe = ['cross-origin', 'log-unavailable', 'body-too-large', 'unsupported-media-type'] as const;
const ofLink = ['link-not-found'] as const;
const ofNumbers = ['statistics-rebuilding', 'statistics-unavailable'] as const;

const ok = (schema: z.ZodType, description: string, headers: readonly AnswerHeader[] = []): OperationAnswer => ({
  status: 200,
  description,
  content: { 'application/json': schema },
  headers,
});

const linkOk = ok(schemas.linkSchema, 'The link.', ['ETag']);
const text = z.string();
const limit = z.int().min(1).max(100).default(25);
const ifMatch = {
  'If-Match': z
    .string()
    .regex(/^(\*|(W\/)?"[!#-~]*"([ \t]*,[ \t]*(W\/)?"[!#-~]*")*)$/)
    .optional()
    .meta({ description: 'ETag of the version that is to be changed, a list of them, or *.' }),
};
const idempotencyKey = {
  'Idempotency-Key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/)
    .optional()
    .meta({
      description: 'The same key with the same request has one effect and one answer, for at least 24 h.',
    }),
};
const range = {
  from: text
    .optional()
    .meta({ description: 'Start, inclusive: an instant, or a date in timezone.', example: '2026-11-01' }),
  to: text.optional().meta({ description: 'End, exclusive.', example: '2026-11-08' }),
  interval: z.enum(['15m', 'hour', 'day', 'week', 'month']).optional(),
  timezone: text.optional().meta({ description: 'IANA name.', example: 'Europe/Berlin' }),
  asOf: schemas.positionToken
    .optional()
    .meta({ description: 'The numbers must be at least as fresh as this position.' }),
};
const statisticsProblems = [...ofLink, ...ofNumbers, 'statistics-behind'] as const;

const withGet: readonly Operation[] = [
  {
    method: 'get',
    path: '/api/links',
    summary: 'List links',
    query: {
      url: text.optional().meta({ description: 'Only links to this target.' }),
      q: z.string().max(200).optional().meta({ description: 'Substring of target, code, note or tags.' }),
      tag: z.string().max(50).optional(),
      status: z.enum(['active', 'disabled', 'expired', 'exhausted', 'deleted']).optional(),
      sort: z.enum(['createdAt', 'visits', 'lastVisitAt']).default('createdAt'),
      order: z.enum(['asc', 'desc']).default('desc'),
      cursor: z.string().min(1).optional(),
      limit,
    },
    answers: [ok(schemas.linkPageSchema, 'A page of links.', ['Link'])],
    problems: [...ofNumbers],
  },
  {
    method: 'post',
    path: '/api/links',
    summary: 'Create a link',
    headers: idempotencyKey,
    body: { mediaTypes: ['application/json'], schema: schemas.newLinkSchema },
    answers: [
      { ...linkOk, status: 201, description: 'The new link.', headers: ['ETag', 'Location', 'Idempotency-Replayed'] },
      {
        ...linkOk,
        description: 'The link that was there already.',
        headers: ['ETag', 'Location', 'Idempotency-Replayed'],
      },
    ],
    problems: [...unsafe, 'alias-taken', 'lost-race', 'idempotency-key-reused', 'too-many-requests'],
  },
  {
    method: 'get',
    path: '/api/links/{code}',
    summary: 'Read a link',
    answers: [linkOk],
    problems: [...ofLink, 'link-deleted', ...ofNumbers],
  },
  {
    method: 'patch',
    path: '/api/links/{code}',
    summary: 'Change a link',
    headers: ifMatch,
    body: { mediaTypes: ['application/merge-patch+json', 'application/json'], schema: schemas.linkPatchSchema },
    answers: [linkOk],
    problems: [...unsafe, ...ofLink, 'link-deleted', 'lost-race', 'version-mismatch'],
  },
  {
    method: 'delete',
    path: '/api/links/{code}',
    summary: 'Delete a link',
    headers: ifMatch,
    answers: [{ status: 204, description: 'The link is deleted. Its history stays.', content: {}, headers: ['ETag'] }],
    problems: ['cross-origin', 'log-unavailable', ...ofLink, 'link-deleted', 'lost-race', 'version-mismatch'],
  },
  {
    method: 'post',
    path: '/api/links/{code}/restore',
    summary: 'Undo a delete',
    headers: { ...ifMatch, ...idempotencyKey },
    body: { mediaTypes: ['application/json'], schema: schemas.emptySchema, optional: true },
    answers: [{ ...linkOk, headers: ['ETag', 'Idempotency-Replayed'] }],
    problems: [...unsafe, ...ofLink, 'link-not-deleted', 'lost-race', 'version-mismatch', 'idempotency-key-reused'],
  },
  {
    method: 'post',
    path: '/api/links/{code}/rollback',
    summary: 'Make an earlier version the newest',
    headers: { ...ifMatch, ...idempotencyKey },
    body: { mediaTypes: ['application/json'], schema: schemas.rollbackSchema },
    answers: [{ ...linkOk, headers: ['ETag', 'Idempotency-Replayed'] }],
    problems: [
      ...unsafe,
      ...ofLink,
      'link-deleted',
      'lost-race',
      'version-mismatch',
      'version-unknown',
      'idempotency-key-reused',
    ],
  },
  {
    method: 'get',
    path: '/api/links/{code}/history',
    summary: 'Every event of a link, oldest first',
    query: { cursor: z.string().min(1).optional(), limit },
    answers: [ok(schemas.historySchema, 'A page of events.', ['Link'])],
    problems: [...ofLink],
  },
  {
    method: 'get',
    path: '/api/links/{code}/stats',
    summary: 'Statistics of a link',
    query: range,
    answers: [
      {
        status: 200,
        description: 'The numbers of the range; as CSV the series alone.',
        content: { 'application/json': schemas.statisticsSchema, 'text/csv': text },
        headers: ['Content-Disposition'],
      },
    ],
    problems: statisticsProblems,
  },
  {
    method: 'get',
    path: '/api/links/{code}/stats.csv',
    summary: 'The series of a link as CSV',
    query: range,
    answers: [
      { status: 200, description: 'The series.', content: { 'text/csv': text }, headers: ['Content-Disposition'] },
    ],
    problems: statisticsProblems,
  },
  {
    method: 'get',
    path: '/api/links/{code}/qr.svg',
    summary: 'The short link as a QR code (SVG)',
    answers: [{ status: 200, description: 'The image.', content: { 'image/svg+xml': text }, headers: [] }],
    problems: [...ofLink, 'link-deleted'],
  },
  {
    method: 'get',
    path: '/api/links/{code}/qr.png',
    summary: 'The short link as a QR code (PNG)',
    query: { size: z.int().min(128).max(2048).default(512).meta({ description: 'Width and height in pixels.' }) },
    answers: [{ status: 200, description: 'The image.', content: { 'image/png': text }, headers: [] }],
    problems: [...ofLink, 'link-deleted'],
  },
  {
    method: 'get',
    path: '/api/stats',
    summary: "Statistics of a URL's own link",
    query: { url: text.meta({ description: 'The original URL.', example: 'https://example.com/' }), ...range },
    answers: [
      {
        status: 200,
        description: 'The numbers of the newest link of its own.',
        content: { 'application/json': schemas.statisticsSchema, 'text/csv': text },
        headers: ['Content-Disposition'],
      },
    ],
    problems: statisticsProblems,
  },
  {
    method: 'get',
    path: '/api/tags',
    summary: 'Tags in use',
    answers: [ok(schemas.tagsSchema, 'By name.')],
    problems: [],
  },
  {
    method: 'get',
    path: '/api/aliases/{alias}',
    summary: 'Whether an alias is free',
    answers: [ok(schemas.aliasSchema, 'Free, or why not.')],
    problems: [],
  },
  {
    method: 'get',
    path: '/api/stream',
    summary: 'Live totals',
    query: {
      codes: text.optional().meta({ description: 'Up to 100 codes, with commas; without it the overall numbers.' }),
    },
    headers: { 'Last-Event-ID': text.optional() },
    answers: [
      {
        status: 200,
        description: 'A stream.',
        content: { 'text/event-stream': schemas.eventStreamSchema },
        headers: [],
      },
    ],
    problems: [...ofLink, 'too-many-requests', 'too-many-streams'],
  },
  {
    method: 'get',
    path: '/livez',
    summary: 'Whether the process lives',
    answers: [ok(schemas.livenessSchema, 'It does.')],
    problems: [],
  },
  {
    method: 'get',
    path: '/readyz',
    summary: 'Whether redirects can be answered',
    answers: [
      ok(schemas.readinessSchema, 'They can.'),
      { ...ok(schemas.readinessSchema, 'Not now.', ['Retry-After']), status: 503 },
    ],
    problems: [],
  },
  {
    method: 'get',
    path: '/metrics',
    summary: 'Numbers for Prometheus',
    answers: [{ status: 200, description: 'Text format 0.0.4.', content: { 'text/plain': text }, headers: [] }],
    problems: [],
  },
  {
    method: 'get',
    path: '/api/openapi.json',
    summary: 'This document',
    answers: [ok(z.record(z.string(), z.unknown()), 'OpenAPI 3.1.')],
    problems: [],
  },
  {
    method: 'get',
    path: '/api/docs',
    summary: 'This document as a page',
    answers: [{ status: 200, description: 'A page.', content: { 'text/html': text }, headers: [] }],
    problems: [],
  },
  {
    method: 'get',
    path: '/api/docs/{asset}',
    summary: 'Files of that page',
    answers: [
      { status: 200, description: 'A file.', content: { 'text/css': text, 'text/javascript': text }, headers: [] },
    ],
    problems: ['not-found'],
  },
  {
    method: 'get',
    path: '/api/problems/{slug}',
    summary: 'What a type of problem means',
    answers: [
      {
        status: 200,
        description: 'The type.',
        content: { 'application/json': schemas.problemTypeSchema, 'text/html': text },
        headers: [],
      },
    ],
    problems: ['not-found'],
  },
];

/** With a `HEAD` for every `GET`. */
export const operations: readonly Operation[] = withGet.flatMap((operation) =>
  operation.method === 'get' ? [operation, { ...operation, method: 'head' as const }] : [operation],
);

/** The problems of an operation by status. */
export function problemsByStatus(operation: Operation): ReadonlyMap<number, readonly ProblemSlug[]> {
  const byStatus = new Map<number, ProblemSlug[]>();
  for (const slug of new Set<ProblemSlug>([...commonProblems, ...operation.problems])) {
    const { status } = problemTypes[slug];
    byStatus.set(status, [...(byStatus.get(status) ?? []), slug]);
  }
  return byStatus;
}
