/** The pages on a bare Express app over a fake application, with the little of the API that they call. */
import type { AddressInfo } from 'node:net';
import express, { type Express } from 'express';
import QRCode from 'qrcode';
import type { NewLink } from '../../src/domain/link-input.ts';
import type { FieldError } from '../../src/domain/refusal.ts';
import { loadAssets } from '../../src/http/pages/assets.ts';
import { createPages } from '../../src/http/pages/create-pages.ts';
import type { FakeApplication } from './pages-application.ts';

/** Checks just enough to refuse something; the rules themselves are the domain's. */
export function parseNewLink(body: Record<string, unknown>): NewLink | readonly FieldError[] {
  const { url, alias, expiresAt, maxVisits, tags, note, unique } = body;
  if (typeof url !== 'string' || url === '') return [{ field: 'url', code: 'required', detail: 'Enter an address.' }];
  if (!URL.canParse(url)) return [{ field: 'url', code: 'not-absolute', detail: 'Not absolute.' }];
  if (!/^https?:/.test(url)) return [{ field: 'url', code: 'scheme-not-allowed', detail: 'Scheme.' }];
  if (typeof alias === 'string' && !/^[A-Za-z0-9_-]{3,64}$/.test(alias)) {
    return [{ field: 'alias', code: 'alias-format', detail: 'Format.' }];
  }
  return {
    url: new URL(url).href,
    alias: typeof alias === 'string' ? alias : null,
    expiresAt: typeof expiresAt === 'string' ? Date.parse(expiresAt) : null,
    maxVisits: typeof maxVisits === 'number' ? maxVisits : null,
    tags: Array.isArray(tags) ? tags : [],
    note: typeof note === 'string' ? note : null,
    unique: unique === true,
  };
}

export function createPagesApp(application: FakeApplication, baseUrl: string): Express {
  const app = express();
  app.disable('x-powered-by');
  app.post('/api/links', express.json(), async (request, response) => {
    const input = parseNewLink(request.body);
    const refuse = (status: number, errors: readonly FieldError[]) => response.status(status).json({ errors });
    if (!('url' in input)) return refuse(422, input);
    const commandId = request.get('idempotency-key') ?? application.random.id();
    const outcome = await application.commands.createLink(input, {
      commandId,
      by: 'anonymous',
      expectedVersion: null,
    });
    if ('refusal' in outcome) return refuse(409, [{ field: 'alias', code: 'alias-taken', detail: 'Taken.' }]);
    const { code, url } = outcome.link;
    return response.status(201).json({ code, url, shortUrl: `${baseUrl}/${code}` });
  });
  app.get('/api/links/:code/qr.svg', async (request, response) => {
    response.type('svg').send(await QRCode.toString(`${baseUrl}/${request.params.code}?qr`, { type: 'svg' }));
  });
  app.get('/api/aliases/:alias', (request, response) => {
    const available = application.linkTable.find(request.params.alias) === undefined;
    response.json({ alias: request.params.alias, available, ...(!available && { reason: 'alias-taken' }) });
  });
  app.get('/api/stream', async (request, response) => {
    response.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    response.write('retry: 2000\n\n');
    for (const code of String(request.query['codes'] ?? '').split(',')) {
      const view = await application.queries.getLink(code);
      if (view !== undefined) response.write(`event: totals\ndata: ${JSON.stringify({ code, ...view.visits })}\n\n`);
    }
  });
  app.use(
    createPages({
      application,
      baseUrl,
      assets: loadAssets(),
      creations: { take: () => 0 },
      clientKey: () => 'client',
      parseNewLink,
    }),
  );
  return app;
}

export interface PagesServer {
  readonly baseUrl: string;
  close(): Promise<void>;
}

export async function openPagesServer(application: FakeApplication, port = 0): Promise<PagesServer> {
  const outer = express();
  const server = outer.listen(port, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const baseUrl = `http://localhost:${(server.address() as AddressInfo).port}`;
  outer.use(createPagesApp(application, baseUrl));
  return {
    baseUrl,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
