/** The machine's cryptographically secure source of randomness. */
import { randomBytes } from 'node:crypto';
import { customAlphabet } from 'nanoid';
import { v7 } from 'uuid';
import type { Random } from '../../ports/random.ts';

const base62Code = customAlphabet('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz');

export const systemRandom: Random = {
  bytes: (size) => randomBytes(size),
  id: () => v7(),
  code: (size) => base62Code(size),
};
