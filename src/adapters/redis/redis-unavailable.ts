/** The one error of Redis that a caller has to expect. */

/**
 * Redis cannot be asked now, or did not answer in time: then it is unknown whether it did what it was asked for. Go on without
 * it, or answer 503; what is sent again must be harmless when it was done already.
 */
export class RedisUnavailable extends Error {
  override readonly name = 'RedisUnavailable';
}
