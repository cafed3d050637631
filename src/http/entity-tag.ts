/**
 * ETag and If-Match: a link's entity tag is its version. The tag is for conditional changes only; a read is never
 * answered 304, because the visits in its body change without a new version.
 */
import { ProblemError } from './problem.ts';

export function entityTagOf(link: { readonly version: number }): string {
  return `"${link.version}"`;
}

/** What `If-Match` asks for: nothing, that the link exists, or one of these versions (an empty list matches none). */
export type Precondition = 'none' | 'exists' | readonly number[];

/** Reads `If-Match` (RFC 9110 §13.1.1). Weak and foreign tags are valid and never match; anything else is 400. */
export function parseIfMatch(header: string | undefined): Precondition {
  if (header === undefined) return 'none';
  const text = header.trim();
  if (text === '*') return 'exists';
  const tags = text.split(',').map((tag) => tag.trim());
  if (!tags.every((tag) => /^(?:W\/)?"[\x21\x23-\x7e]*"$/.test(tag))) {
    throw new ProblemError('malformed-request', 'If-Match must be * or a list of quoted entity tags.');
  }
  return tags.flatMap((tag) => (/^"[1-9]\d{0,14}"$/.test(tag) ? [Number(tag.slice(1, -1))] : []));
}

/** The one version to expect of a link that has `actual` now, or null for any. Throws the 412 problem when none can match. */
export function expectedVersion(precondition: Precondition, actual: number): number | null {
  if (typeof precondition === 'string') return null;
  if (precondition.includes(actual)) return actual;
  throw new ProblemError('version-mismatch', `The link has version ${actual}, which is not in If-Match.`, {
    headers: { ETag: `"${actual}"` },
  });
}
