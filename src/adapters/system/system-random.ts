/** The machine's cryptographically secure source of randomness. */
import { randomBytes } from 'node:crypto';
import { customRandom } from 'nanoid';
import { v7 } from 'uuid';
import type { Random } from '../../ports/random.ts';

const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

export const systemRandom: Random = {
  bytes: (size) => randomBytes(size),
  id: () => v7(),
  code: (size, bytes = randomBytes) => customRandom(base62, size, (count) => bytes(count))(),
};
