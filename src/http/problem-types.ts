/**
 * Every kind of problem that HTTP answers, with its stable slug. A slug is part of a `type` URI and has a page under
 * `/api/problems/`: add one, never change one.
 */
export interface ProblemType {
  readonly status: number;
  readonly title: string;
  /** What it means and what the caller can do, for the problem's page. */
  readonly help: string;
}

export type ProblemSlug = keyof typeof problemTypes;

export const problemTypes = {
  'malformed-request': {
    status: 400,
    title: 'The request cannot be read',
    help: 'The body is not UTF-8 JSON, the path or query is wrongly encoded, or a header is malformed. Correct it and send it again.',
  },
  'cross-origin': {
    status: 403,
    title: 'The request comes from another site',
    help: 'A browser sent a changing request on behalf of a page of another origin. Use this site itself, or a client that is not a browser.',
  },
  'not-found': {
    status: 404,
    title: 'There is nothing here',
    help: 'No resource has this path. Paths are case-sensitive. The API reference under /api/docs lists them all.',
  },
  'link-not-found': {
    status: 404,
    title: 'There is no such link',
    help: 'No link has, or ever had, this code. Codes are case-sensitive.',
  },
  'method-not-allowed': {
    status: 405,
    title: 'The method is not allowed here',
    help: 'The header Allow names the methods of this path.',
  },
  'request-timeout': {
    status: 408,
    title: 'The request took too long to arrive',
    help: 'The connection was closed because the request was not complete in time. Send it again.',
  },
  'alias-taken': {
    status: 409,
    title: 'The alias is taken',
    help: 'Another link has this alias already, and codes are never reused. Choose another.',
  },
  'link-not-deleted': {
    status: 409,
    title: 'The link is not deleted',
    help: 'Only a deleted link can be restored.',
  },
  'lost-race': {
    status: 409,
    title: 'Another change came first',
    help: 'Somebody else changed the link while this change was under way. Read the link again and repeat the change.',
  },
  'link-deleted': {
    status: 410,
    title: 'The link was deleted',
    help: 'The link can be restored with POST …/restore. Its statistics and its history stay readable.',
  },
  'link-gone': {
    status: 410,
    title: 'The link leads nowhere any more',
    help: 'The link is expired, disabled or used up.',
  },
  'version-mismatch': {
    status: 412,
    title: 'The link has another version',
    help: 'The version in If-Match is not the version of the link. Read the link again and repeat the change with its new ETag.',
  },
  'body-too-large': {
    status: 413,
    title: 'The body is too large',
    help: 'A body may have 65,536 bytes.',
  },
  'uri-too-long': {
    status: 414,
    title: 'The address is too long',
    help: 'A request target may have 8,192 characters.',
  },
  'unsupported-media-type': {
    status: 415,
    title: 'The media type is not supported',
    help: 'Send JSON in UTF-8 as application/json, uncompressed; a change of a link may be application/merge-patch+json.',
  },
  'expectation-failed': {
    status: 417,
    title: 'The expectation cannot be met',
    help: 'Only "Expect: 100-continue" is understood.',
  },
  'misdirected-request': {
    status: 421,
    title: 'This host is not served here',
    help: 'The Host of the request is not the host of BASE_URL. Use the address of this service, or correct BASE_URL.',
  },
  'invalid-input': {
    status: 422,
    title: 'The input was refused',
    help: 'The member errors names each refused field with a stable code and a sentence.',
  },
  'version-unknown': {
    status: 422,
    title: 'The link never had this version',
    help: 'The history of the link lists its versions.',
  },
  'idempotency-key-reused': {
    status: 422,
    title: 'The idempotency key belongs to another request',
    help: 'A key stands for one request: its method, path and body. Use a new key for another request.',
  },
  'too-many-requests': {
    status: 429,
    title: 'Too many requests',
    help: 'The limit per client and minute is used up. The header Retry-After says in how many seconds to try again.',
  },
  'headers-too-large': {
    status: 431,
    title: 'The headers are too large',
    help: 'All headers together may have 16,384 bytes.',
  },
  'internal-error': {
    status: 500,
    title: 'Something went wrong here',
    help: 'This is a defect of the service. Its log has more under the requestId of the problem.',
  },
  'method-unknown': {
    status: 501,
    title: 'The method is unknown',
    help: 'The request method is not one that HTTP defines.',
  },
  'log-unavailable': {
    status: 503,
    title: 'Changes cannot be stored now',
    help: 'The log does not take records at the moment. Nothing was lost: repeat the request after Retry-After seconds, with the same Idempotency-Key.',
  },
  'redirect-unavailable': {
    status: 503,
    title: 'The link cannot be followed now',
    help: 'Links cannot be read, the visit could not be recorded, or whether the link has visits left cannot be known now; a redirect that is not counted is never given. Try again after Retry-After seconds.',
  },
  'store-unavailable': {
    status: 503,
    title: 'What was asked for cannot be read now',
    help: 'The links are not loaded yet, the log cannot be asked whether there is such a link, or a store was found damaged. Nothing is lost: try again after Retry-After seconds; a damaged store is folded anew from the log when the program starts again.',
  },
  'statistics-rebuilding': {
    status: 503,
    title: 'The statistics are being rebuilt',
    help: 'The numbers are counted anew from the log; progress says how far. Redirects work meanwhile and are counted.',
  },
  'statistics-unavailable': {
    status: 503,
    title: 'The statistics cannot be read now',
    help: 'Try again after Retry-After seconds. Redirects work meanwhile and are counted.',
  },
  'statistics-behind': {
    status: 503,
    title: 'The statistics have not reached this position yet',
    help: 'The position of asOf is in the log but was not counted within two seconds. Try again after Retry-After seconds.',
  },
  'too-many-streams': {
    status: 503,
    title: 'Too many live streams are open',
    help: 'Try again after Retry-After seconds, or read the numbers with single requests.',
  },
} as const satisfies Record<string, ProblemType>;
