/** FLUSHALL, as an operator does it by mistake. */
import { Redis } from 'ioredis';

export async function emptyRedis(url: string): Promise<void> {
  const client = new Redis(url);
  try {
    await client.flushall();
  } finally {
    client.disconnect();
  }
}
