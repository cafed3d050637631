/** The one table from refusals and outages to problems. A bug is what it does not know: 500, without a word of its inside. */
import type { Refusal } from '../domain/refusal.ts';
import { LogUnavailable } from '../ports/event-log.ts';
import { StoreDamaged } from '../ports/state-store.ts';
import { StatisticsRebuilding, StatisticsUnavailable } from '../ports/statistics-read-model.ts';
import { invalidInput, ProblemError } from './problem.ts';
import { isoInstant } from './times.ts';

export function problemOfRefusal(refusal: Refusal): ProblemError {
  switch (refusal.refusal) {
    case 'invalid':
      return invalidInput(refusal.errors);
    case 'link-not-found':
      return new ProblemError('link-not-found', `No link has the code ${refusal.code}.`);
    case 'link-deleted':
      return new ProblemError('link-deleted', `The link ${refusal.code} was deleted.`, {
        extensions: { deletedAt: isoInstant(refusal.deletedAt) },
      });
    case 'link-not-deleted':
      return new ProblemError('link-not-deleted', `The link ${refusal.code} is not deleted.`);
    case 'alias-taken': {
      const detail = `The alias ${refusal.alias} is taken.`;
      return new ProblemError('alias-taken', detail, { errors: [{ field: 'alias', code: 'alias-taken', detail }] });
    }
    case 'version-mismatch':
      return new ProblemError(
        'version-mismatch',
        `The link has version ${refusal.actual}, the request expected ${refusal.expected}.`,
        { headers: { ETag: `"${refusal.actual}"` } },
      );
    case 'lost-race':
      return new ProblemError('lost-race', `Another change of the link ${refusal.code} came first.`);
    case 'version-unknown': {
      const detail = `The link ${refusal.code} never had version ${refusal.version}.`;
      return new ProblemError('version-unknown', detail, {
        errors: [{ field: 'version', code: 'out-of-range', detail }],
      });
    }
  }
}

/**
 * The problem that tells of `error`. Only {@link isBug} errors need logging.
 * @param requestId told with a bug, so that its log line can be found
 */
export function problemOfError(error: unknown, requestId: string): ProblemError {
  if (error instanceof ProblemError) return error;
  if (error instanceof LogUnavailable) {
    return new ProblemError('log-unavailable', 'The change was not stored. Repeat it later.', retryAfter(2));
  }
  if (error instanceof StatisticsRebuilding) {
    const { fraction, recordsDone, recordsTotal } = error.progress;
    return new ProblemError('statistics-rebuilding', `Counted so far: ${Math.floor(fraction * 100)} %.`, {
      extensions: { progress: { fraction, recordsDone, recordsTotal } },
      ...retryAfter(2),
    });
  }
  if (error instanceof StoreDamaged) {
    return new ProblemError('store-unavailable', 'What was asked for cannot be read now.', retryAfter(10));
  }
  if (error instanceof StatisticsUnavailable) {
    return new ProblemError('statistics-unavailable', 'The statistics cannot be read now.', retryAfter(2));
  }
  const refused = problemOfExpress(error);
  if (refused) return refused;
  return new ProblemError('internal-error', 'The request could not be answered because of a defect.', {
    extensions: { requestId },
  });
}

/** Express and its body parsers refuse what they cannot read with errors that carry a 4xx status (http-errors). */
function problemOfExpress(error: unknown): ProblemError | undefined {
  const status = error instanceof Error && 'status' in error ? error.status : undefined;
  switch (status) {
    case 400:
      return new ProblemError('malformed-request', 'The path or the body of the request is wrongly encoded.');
    case 413:
      return new ProblemError('body-too-large', 'The body is too large.');
    case 415:
      return new ProblemError('unsupported-media-type', 'The charset or the encoding of the body is not supported.');
    default:
      return undefined;
  }
}

export function isBug(problem: ProblemError): boolean {
  return problem.slug === 'internal-error';
}

function retryAfter(seconds: number): { readonly headers: Readonly<Record<string, string>> } {
  return { headers: { 'Retry-After': String(seconds) } };
}
