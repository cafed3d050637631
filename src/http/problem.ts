/** Problem details (RFC 9457): how every refusal, outage and bug is told over HTTP. */
import type { FieldError } from '../domain/refusal.ts';
import { type Answer, compactJson } from './answer.ts';
import { type ProblemSlug, problemTypes } from './problem-types.ts';

/** The body of a problem answer, without its extension members. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** Path of the request. */
  readonly instance: string;
  readonly errors?: readonly ProblemFieldError[];
  readonly [extension: string]: unknown;
}

export interface ProblemFieldError extends FieldError {
  /** JSON Pointer (RFC 6901) into the body; for a query parameter its name behind a slash. */
  readonly pointer: string;
}

interface ProblemMembers {
  readonly errors?: readonly FieldError[];
  /** Further members of the body, such as `deletedAt`. */
  readonly extensions?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Thrown in `http/` to end a request with a problem. It never leaves this room. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly slug: ProblemSlug;
  readonly members: ProblemMembers;

  constructor(slug: ProblemSlug, detail: string, members: ProblemMembers = {}) {
    super(detail);
    this.slug = slug;
    this.members = members;
  }

  get status(): number {
    return problemTypes[this.slug].status;
  }
}

/** A problem for input that was read and refused: 422 that names each field. */
export function invalidInput(errors: readonly FieldError[]): ProblemError {
  const names = errors.map(({ field }) => field || 'the body').join(', ');
  return new ProblemError('invalid-input', `Refused: ${names}.`, { errors });
}

/** @param instance path of the request, without its query */
export function problemBody(problem: ProblemError, baseUrl: string, instance: string): Problem {
  const { status, title } = problemTypes[problem.slug];
  const { errors, extensions } = problem.members;
  return {
    type: problemTypeUri(baseUrl, problem.slug),
    title,
    status,
    detail: problem.message,
    instance,
    ...(errors && { errors: errors.map((error) => ({ pointer: pointerTo(error.field), ...error })) }),
    ...extensions,
  };
}

export function problemAnswer(problem: ProblemError, baseUrl: string, instance: string): Answer {
  return {
    status: problem.status,
    headers: {
      'Content-Type': 'application/problem+json',
      'Cache-Control': 'no-store',
      ...problem.members.headers,
    },
    body: compactJson(problemBody(problem, baseUrl, instance)),
  };
}

export function problemTypeUri(baseUrl: string, slug: ProblemSlug): string {
  return `${baseUrl}/api/problems/${slug}`;
}

/** `tags.2` and `tags[2]` both point to `/tags/2`; an empty field points to the whole body. */
function pointerTo(field: string): string {
  if (field === '') return '';
  const path = field.replace(/\[(\d+)\]/g, '.$1').split('.');
  return path.map((token) => `/${token.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
