/** Requests that come before the application is loaded are answered by it, those that come later too. */
import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createLateApplication, type LateApplication } from '../../src/http/late-application.ts';

describe('an application that is loaded while the server listens', () => {
  let late: LateApplication;
  let server: Server;
  let origin: string;
  /** Resolves when `count` requests have come in. */
  let cameIn: (count: number) => Promise<void>;

  beforeEach(async () => {
    late = createLateApplication();
    let requests = 0;
    let heard = (): void => undefined;
    server = createServer((request, response) => {
      late.listener(request, response);
      requests += 1;
      heard();
    });
    cameIn = (count) =>
      new Promise((resolve) => {
        heard = () => {
          if (requests >= count) resolve();
        };
        heard();
      });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  it('answers what came before it, in order, with the body that was sent', async () => {
    const asked: string[] = [];
    const application: RequestListener = (request, response) => {
      asked.push(String(request.url));
      request.pipe(response);
    };
    const first = fetch(`${origin}/first`, { method: 'POST', body: 'one' });
    await cameIn(1);
    const second = fetch(`${origin}/second`, { method: 'POST', body: 'two' });
    await cameIn(2);
    late.arrive(application);
    expect(await (await first).text()).toBe('one');
    expect(await (await second).text()).toBe('two');
    const third = await fetch(`${origin}/third`, { method: 'POST', body: 'three' });
    expect(await third.text()).toBe('three');
    expect(asked).toEqual(['/first', '/second', '/third']);
  });

  it('closes the connections of what comes when ten thousand wait', async () => {
    const refused: boolean[] = [];
    for (let i = 0; i < 10_001; i++) {
      const request = { destroy: () => refused.push(true) };
      late.listener(request as never, {} as never);
    }
    expect(refused).toEqual([true]);
  });
});
