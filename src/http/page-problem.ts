/** Problems that have a page of their own: what is told about a link that does not redirect, in HTML or as problem details. */
import type { Link } from '../domain/link.ts';
import type { PageError } from './pages/error-page.ts';
import { ProblemError } from './problem.ts';
import type { ProblemSlug } from './problem-types.ts';
import type { RedirectMiss } from './redirect-miss.ts';
import { isoInstant } from './times.ts';

/** Thrown to end a request; the application's error handler answers it in the form that the client asks for. */
export class PageProblem extends ProblemError {
  readonly page: PageError;

  constructor(page: PageError) {
    const { slug, detail, extensions } = wordsOf(page);
    const retryAfterSeconds = 'retryAfterSeconds' in page ? page.retryAfterSeconds : 0;
    super(slug, detail, {
      ...(extensions && { extensions }),
      ...(retryAfterSeconds > 0 && { headers: { 'Retry-After': String(retryAfterSeconds) } }),
    });
    this.page = page;
  }
}

interface Words {
  readonly slug: ProblemSlug;
  readonly detail: string;
  readonly extensions?: Readonly<Record<string, unknown>>;
}

function wordsOf(page: PageError): Words {
  switch (page.kind) {
    case 'not-found':
      return { slug: 'not-found', detail: 'Nothing has this path.' };
    case 'bad-request':
      return { slug: 'malformed-request', detail: 'The request cannot be read.' };
    case 'link-not-found':
      return { slug: 'link-not-found', detail: 'No link has this code.' };
    case 'deleted':
      return {
        slug: 'link-deleted',
        detail: 'The link was deleted.',
        extensions: { deletedAt: isoInstant(page.deletedAt) },
      };
    case 'expired':
      return {
        slug: 'link-gone',
        detail: 'The link has expired.',
        extensions: { reason: 'expired', expiresAt: isoInstant(page.expiresAt) },
      };
    case 'exhausted':
      return {
        slug: 'link-gone',
        detail: 'The link has been followed as often as it may be.',
        extensions: { reason: 'exhausted', maxVisits: page.maxVisits },
      };
    case 'disabled':
      return { slug: 'link-gone', detail: 'The link is disabled.', extensions: { reason: 'disabled' } };
    case 'loop':
      return {
        slug: 'link-gone',
        detail: 'The link leads back to this site, and so nowhere.',
        extensions: { reason: 'loop' },
      };
    case 'too-many-requests':
      return { slug: 'too-many-requests', detail: 'Too many unknown codes were asked for.' };
    case 'unavailable':
      return { slug: 'redirect-unavailable', detail: 'Whether the link may be followed cannot be told now.' };
    case 'internal':
      return {
        slug: 'internal-error',
        detail: 'The request could not be answered because of a defect.',
        extensions: { requestId: page.requestId },
      };
  }
}

/** What the redirect door found instead of a redirect. */
export function problemOfMiss(
  miss: RedirectMiss,
  code: string,
  link: Link | undefined,
  retryAfterSeconds: number,
): ProblemError {
  switch (miss) {
    case 'not-found':
      return new PageProblem({ kind: 'link-not-found', code });
    case 'deleted':
      return new PageProblem({ kind: 'deleted', code, deletedAt: link?.deletedAt ?? 0 });
    case 'expired':
      return new PageProblem({ kind: 'expired', code, expiresAt: link?.expiresAt ?? 0 });
    case 'used-up':
      return new PageProblem({ kind: 'exhausted', code, maxVisits: link?.maxVisits ?? 0 });
    case 'disabled':
    case 'loop':
      return new PageProblem({ kind: miss, code });
    case 'too-many-misses':
      return new PageProblem({ kind: 'too-many-requests', retryAfterSeconds });
    case 'unavailable':
      return new PageProblem({ kind: 'unavailable', retryAfterSeconds });
    case 'misdirected':
      return new ProblemError('misdirected-request', 'The Host of this request is not served here.');
  }
}

/** The page for a problem of any kind. */
export function pageOfProblem(problem: ProblemError): PageError {
  if (problem instanceof PageProblem) return problem.page;
  const retryAfterSeconds = Number(problem.members.headers?.['Retry-After'] ?? 1);
  const { status } = problem;
  if (status === 404) return { kind: 'not-found' };
  if (status === 429) return { kind: 'too-many-requests', retryAfterSeconds };
  if (status === 503) return { kind: 'unavailable', retryAfterSeconds };
  if (status >= 500) return { kind: 'internal', requestId: String(problem.members.extensions?.['requestId'] ?? '') };
  return { kind: 'bad-request', status };
}
