/** Randomness comes in through this door, so that tests and simulations can replay it from a seed. */
export interface Random {
  /** `size` bytes from a cryptographically secure source. */
  bytes(size: number): Uint8Array;
  /** A time-ordered unique id (UUID version 7, RFC 9562), lower case. */
  id(): string;
  /** A random short code: `size` characters of base62, made of `bytes` when they are given: the same bytes give the same code. */
  code(size: number, bytes?: (count: number) => Uint8Array): string;
}
