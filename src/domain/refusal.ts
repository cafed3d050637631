/** Why a command was refused: values of closed unions with stable codes. An outage is an error, never a refusal. */

/** A whole command was refused. */
export type Refusal =
  | { readonly refusal: 'invalid'; readonly errors: readonly FieldError[] }
  | { readonly refusal: 'link-not-found'; readonly code: string }
  | { readonly refusal: 'link-deleted'; readonly code: string; readonly deletedAt: number }
  | { readonly refusal: 'link-not-deleted'; readonly code: string }
  | { readonly refusal: 'alias-taken'; readonly alias: string }
  /** The version the caller expected is not the link's. */
  | { readonly refusal: 'version-mismatch'; readonly expected: number; readonly actual: number }
  /** Another change won while this one was under way. */
  | { readonly refusal: 'lost-race'; readonly code: string }
  | { readonly refusal: 'version-unknown'; readonly code: string; readonly version: number };

/** Tells a refusal from any other value that a command or a parser can answer. */
export function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && 'refusal' in value;
}

/** One member of the input was refused. */
export interface FieldError {
  readonly field: string;
  readonly code: FieldErrorCode;
  /** One English sentence for a person. */
  readonly detail: string;
}

export type FieldErrorCode = (typeof fieldErrorCodes)[number];

export const fieldErrorCodes = [
  'required',
  'wrong-type',
  'unknown-member',
  'repeated',
  'not-a-url',
  'not-absolute',
  'scheme-not-allowed',
  'credentials-not-allowed',
  'characters-not-allowed',
  'too-long',
  'too-short',
  'own-host',
  'private-target',
  'alias-format',
  'alias-reserved',
  'alias-taken',
  'not-an-instant',
  'in-the-past',
  'out-of-range',
  'too-many',
  'not-allowed-value',
  'not-a-time-zone',
  'too-many-buckets',
  'cursor-invalid',
  'position-invalid',
] as const;
