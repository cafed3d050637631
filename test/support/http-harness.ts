/** The whole HTTP side over fakes, on a port of its own, with every answer held against the OpenAPI operations. */
import type { Server } from 'node:http';
import supertest from 'supertest';
import type { AppOptions, Readiness } from '../../src/http/app-options.ts';
import { createClientLimiter } from '../../src/http/client-limiter.ts';
import { createApp } from '../../src/http/create-app.ts';
import { createHttpServer, type HttpServer, type ServerLimits } from '../../src/http/http-server.ts';
import { createLiveTotals, type LiveTotals, type LiveTotalsOptions } from '../../src/http/live-totals.ts';
import { createMetrics } from '../../src/http/metrics.ts';
import { noLinkBarrier } from '../../src/ports/link-barrier.ts';
import { expectDocumented } from './documented-answers.ts';
import { createFakeApplication, type FakeApplication } from './fake-application.ts';

export const baseUrl = 'http://localhost:3000';

export interface HttpHarness {
  readonly fake: FakeApplication;
  readonly options: AppOptions;
  readonly http: HttpServer;
  readonly server: Server;
  readonly port: number;
  readonly liveTotals: LiveTotals;
  readiness: Readiness;
  /** A request under our own Host whose answer must be a documented one. */
  request(method: 'get' | 'head' | 'post' | 'put' | 'patch' | 'delete' | 'options', path: string): supertest.Test;
  /** Creates a link and returns its code. */
  create(body?: object): Promise<string>;
  close(): Promise<void>;
}

interface HarnessSettings {
  readonly app?: Partial<AppOptions>;
  readonly limits?: Partial<ServerLimits>;
  readonly live?: Partial<LiveTotalsOptions>;
}

export async function startHttp(settings: HarnessSettings = {}): Promise<HttpHarness> {
  const fake = createFakeApplication();
  const { application, parse } = fake;
  const { statistics, linkTable, logger, random } = application;
  const liveTotals = createLiveTotals({ statistics, logId: 'log-1', logger, ...settings.live });
  const metrics = createMetrics({
    visitsEndOffsets: () => [{ partition: 0, endOffset: 7 }],
    progress: statistics.progress,
    journalDepth: () => ({ visits: 0, bytes: 0 }),
    links: linkTable.size,
    streams: liveTotals.size,
    foldCounts: () => ({ folded: 7, duplicates: 1, gaps: 0, deadLetters: 0 }),
    journalFigures: () => ({ writeErrors: 0, lastSyncMs: 2 }),
  });
  const options: AppOptions = {
    application,
    parse,
    barrier: noLinkBarrier,
    metrics,
    liveTotals,
    baseUrl,
    baseUrlIsDefault: true,
    logId: 'log-1',
    visitsLog: { partitions: 1, endOffset: async () => 1_000 },
    cursorKey: Buffer.alloc(32, 7),
    clientKey: (request) => request.socket.remoteAddress ?? '',
    creationLimiter: createClientLimiter({ perMinute: null, clock: application.clock }),
    readiness: () => harness.readiness,
    ...settings.app,
  };
  const app = createApp(options);
  const door = options.door;
  const http = createHttpServer({
    app,
    ...(door && { door }),
    baseUrl,
    random,
    liveTotals,
    ...(settings.limits && { limits: settings.limits }),
  });
  const port = await http.listen(0, '127.0.0.1');

  const harness: HttpHarness = {
    fake,
    options,
    http,
    server: http.server,
    port,
    liveTotals,
    readiness: { ready: true, checks: { links: 'ok' }, rebuild: null },
    request(method, path) {
      return supertest(http.server)[method](path).set('Host', 'localhost:3000').expect(expectDocumented);
    },
    async create(body = { url: 'https://example.com/a' }) {
      const answer = await harness.request('post', '/api/links').send(body);
      return String(answer.body.code);
    },
    close: () => http.close(),
  };
  return harness;
}
