/** The program's position tokens: `<first 8 hex digits of SHA-256 of the log's id>.<partition>-<next offset in base 36>.…` */
import { createHash } from 'node:crypto';

const fingerprintOf = (logId) => createHash('sha256').update(logId).digest('hex').slice(0, 8);

/** @param {{ partition: number, nextOffset: number }[]} positions by partition */
export function tokenOf(logId, positions) {
  return [
    fingerprintOf(logId),
    ...positions.map(({ partition, nextOffset }) => `${partition}-${nextOffset.toString(36)}`),
  ].join('.');
}

/** Next offsets by partition; null for a token of another log. @returns {Map<number, number> | null} */
export function positionsOf(logId, token) {
  const [fingerprint, ...parts] = token.split('.');
  if (fingerprint !== fingerprintOf(logId)) return null;
  return new Map(
    parts.map((part) => part.split('-')).map(([partition, offset]) => [Number(partition), Number.parseInt(offset, 36)]),
  );
}
