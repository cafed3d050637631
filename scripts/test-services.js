/**
 * Jest's global set-up: offers one broker and one Redis to all test files of a run. They are started when the first file asks
 * for them (test/support/services.ts), so that a run of other tests does not wait for a broker.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { startServices } from './services.js';

export default async function offerServices() {
  let services;
  const server = createServer((_request, response) => {
    services ??= startServices();
    services.then(
      ({ kafkaBrokers, redisUrl }) => response.end(JSON.stringify({ kafkaBrokers, redisUrl })),
      (error) => response.writeHead(500).end(error.message),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.env.TEST_SERVICES = `http://127.0.0.1:${server.address().port}`;

  globalThis.endTestServices = async () => {
    server.close();
    server.closeAllConnections();
    // A start that failed has cleaned up after itself, and the tests that asked for it have failed.
    await services?.then(({ stop }) => stop()).catch(() => undefined);
  };
}
