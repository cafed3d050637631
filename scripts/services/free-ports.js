/**
 * Free loopback ports below the range from which the system takes the ports of outgoing connections: else, while a broker is
 * down, a client that calls it again and again can be given that very port and hold it.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';

const lowest = 15_000;
const highest = 31_999;
const attemptsMax = 1_000;

/** As many different ports as asked for; another process may still take one before it is used. */
export async function freePorts(count) {
  const servers = [];
  for (let attempts = 0; servers.length < count; attempts++) {
    if (attempts === attemptsMax) throw new Error(`found no ${count} free ports from ${lowest} to ${highest}`);
    const server = createServer();
    const port = lowest + Math.floor(Math.random() * (highest - lowest + 1));
    const listening = once(server, 'listening').then(
      () => true,
      () => false,
    );
    server.listen({ port, host: '127.0.0.1', exclusive: true });
    if (await listening) servers.push({ server, port });
  }
  await Promise.all(servers.map(({ server }) => new Promise((closed) => server.close(closed))));
  return servers.map(({ port }) => port);
}
