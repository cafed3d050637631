/** Keys for one purpose each, derived from the code secret, so that none of them tells anything of another. */
import { hkdfSync } from 'node:crypto';

/**
 * 32 bytes by HKDF-SHA-256 (RFC 5869), the same for the same secret and purpose.
 * @param purpose a constant of the caller, such as `short codes` or `list cursors`
 */
export function deriveKey(secret: string, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `tallyhop ${purpose}`, 32));
}
