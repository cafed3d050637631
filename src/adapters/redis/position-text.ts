/**
 * Where a partition's rows in Redis stand, as one text: the value of the position key and the message on the progress
 * channel. It carries a checksum of its own, since what comes from Redis is believed only when it is what we wrote.
 */
import { crc32 } from 'node:zlib';

export interface RedisPosition {
  readonly partition: number;
  /** Everything before this offset is in each hash that is marked complete. */
  readonly nextOffset: number;
  readonly streamTimeMs: number;
  readonly logId: string;
  /** Changes when what Redis held was lost, rolled back or of another log: marks of other generations are void. */
  readonly generation: string;
}

/** `<partition> <nextOffset> <streamTimeMs> <logId> <generation> <CRC-32 of all before, hex>`. */
export function formatPosition(position: RedisPosition): string {
  const { partition, nextOffset, streamTimeMs, logId, generation } = position;
  const text = `${partition} ${nextOffset} ${streamTimeMs} ${logId} ${generation}`;
  return `${text} ${crc32(text).toString(16)}`;
}

/** Null for anything but what {@link formatPosition} wrote. */
export function parsePosition(text: string): RedisPosition | null {
  const words = text.split(' ');
  if (words.length !== 6 || crc32(words.slice(0, 5).join(' ')).toString(16) !== words[5]) return null;
  const [partition, nextOffset, streamTimeMs] = words.slice(0, 3).map(Number);
  const [, , , logId, generation] = words;
  if (partition === undefined || nextOffset === undefined || streamTimeMs === undefined) return null;
  if (![partition, nextOffset, streamTimeMs].every((number) => Number.isSafeInteger(number) && number >= 0))
    return null;
  return { partition, nextOffset, streamTimeMs, logId: logId ?? '', generation: generation ?? '' };
}
