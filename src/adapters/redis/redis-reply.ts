/** Narrows what a function of ours answered. An answer of another shape is damage on the way: the connection's, not a bug. */
import { RedisUnavailable } from './redis-unavailable.ts';

export function listOf(reply: unknown): readonly unknown[] {
  if (Array.isArray(reply)) return reply;
  throw new RedisUnavailable('Redis answered something else than a list');
}

export function textOf(reply: unknown): string {
  if (Buffer.isBuffer(reply)) return reply.toString('utf8');
  if (typeof reply === 'string') return reply;
  throw new RedisUnavailable('Redis answered something else than a text');
}

export function bytesOf(reply: unknown): Buffer {
  if (Buffer.isBuffer(reply)) return reply;
  throw new RedisUnavailable('Redis answered something else than bytes');
}

export function numberOf(reply: unknown): number {
  const number = typeof reply === 'number' ? reply : Number(textOf(reply));
  if (Number.isFinite(number)) return number;
  throw new RedisUnavailable('Redis answered something else than a number');
}
