/** What the handlers of the API share, and the first steps that most of them take. */
import type { Request } from 'express';
import type { Link } from '../../domain/link.ts';
import type { AppOptions } from '../app-options.ts';
import type { Idempotency } from '../idempotency.ts';
import type { PagingCursors } from '../paging-cursor.ts';
import { invalidInput, ProblemError } from '../problem.ts';

export interface ApiContext extends AppOptions {
  readonly idempotency: Idempotency;
  readonly cursors: PagingCursors;
}

/** What a code may look like: nothing else is ever looked up. */
export const codePattern = /^[A-Za-z0-9_-]{1,64}$/;

/** The code in the path. What cannot be a code is a link that does not exist. */
export function codeParameter(request: Request): string {
  const code = request.params['code'];
  if (typeof code === 'string' && codePattern.test(code)) return code;
  throw new ProblemError('link-not-found', 'No link has this code.');
}

/** The link of the path's code, deleted or not. */
export function linkOfPath(context: ApiContext, request: Request): Link {
  const code = codeParameter(request);
  const link = context.application.linkTable.find(code);
  if (link) return link;
  throw new ProblemError('link-not-found', `No link has the code ${code}.`);
}

/** A target as it is stored: `new URL(text).href`. Whether it may be shortened is not asked here. */
export function normalizedUrl(text: string, field: string): string {
  if (URL.canParse(text.trim())) return new URL(text.trim()).href;
  throw invalidInput([{ field, code: 'not-a-url', detail: 'Must be an absolute URL.' }]);
}
