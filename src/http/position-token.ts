/**
 * Position tokens: "all that was counted when this was read", as one opaque word. A token holds, per partition of the
 * visits, the next offset to be counted, and which log it speaks of.
 */
import { createHash } from 'node:crypto';
import type { PartitionPosition } from '../ports/statistics-read-model.ts';

export type PositionVector = readonly Pick<PartitionPosition, 'partition' | 'nextOffset'>[];

/** A word of letters, digits, `-` and `.`: safe in a URL, a header and an event's id. */
export function encodePositionToken(logId: string, partitions: PositionVector): string {
  const parts = partitions.map(({ partition, nextOffset }) => `${partition}-${nextOffset.toString(36)}`);
  return [fingerprintOf(logId), ...parts].join('.');
}

/** The partitions of a token, or undefined when it is no token or one of another log. */
export function decodePositionToken(logId: string, token: string): PositionVector | undefined {
  if (token.length > 4096) return undefined;
  const [fingerprint, ...parts] = token.split('.');
  if (fingerprint !== fingerprintOf(logId) || parts.length === 0) return undefined;
  const vector: { partition: number; nextOffset: number }[] = [];
  for (const part of parts) {
    const match = /^(0|[1-9]\d{0,3})-([0-9a-z]{1,11})$/.exec(part);
    if (!match) return undefined;
    const partition = Number(match[1]);
    const nextOffset = Number.parseInt(match[2] ?? '', 36);
    const previous = vector.at(-1)?.partition ?? -1;
    if (partition <= previous || !Number.isSafeInteger(nextOffset)) return undefined;
    vector.push({ partition, nextOffset });
  }
  return vector;
}

function fingerprintOf(logId: string): string {
  return createHash('sha256').update(logId).digest('hex').slice(0, 8);
}
