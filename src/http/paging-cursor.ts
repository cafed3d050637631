/**
 * Cursors of paged lists: where the page before ended, signed and bound to the query, so that a cursor can neither be
 * forged nor carried over to another list.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { invalidInput } from './problem.ts';

export interface PagingCursors {
  /** @param scope what is listed: the path and every parameter but `cursor` and `limit` */
  encode(scope: string, position: readonly number[]): string;
  /** The numbers that were encoded. Throws the 422 problem `cursor-invalid` when the cursor is not ours for this scope. */
  decode(scope: string, cursor: string, length: number): readonly number[];
}

const macBytes = 16;

/** @param key secret of at least 32 bytes that is the same on all instances and across restarts */
export function createPagingCursors(key: Uint8Array): PagingCursors {
  const sign = (scope: string, payload: string): Buffer =>
    createHmac('sha256', key).update(`cursor\0${scope}\0${payload}`).digest().subarray(0, macBytes);

  return {
    encode(scope, position) {
      const payload = position.join(',');
      return Buffer.concat([sign(scope, payload), Buffer.from(payload)]).toString('base64url');
    },
    decode(scope, cursor, length) {
      const bytes = /^[A-Za-z0-9_-]{1,200}$/.test(cursor) ? Buffer.from(cursor, 'base64url') : Buffer.alloc(0);
      const payload = bytes.subarray(macBytes).toString('latin1');
      const genuine = bytes.length > macBytes && timingSafeEqual(bytes.subarray(0, macBytes), sign(scope, payload));
      const position = payload.split(',').map(Number);
      if (genuine && position.length === length) return position;
      throw invalidInput([
        { field: 'cursor', code: 'cursor-invalid', detail: 'This cursor does not belong to this list.' },
      ]);
    },
  };
}
