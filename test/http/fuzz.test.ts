import { createServer } from 'node:net';
import fc from 'fast-check';
import { operations } from '../../src/http/openapi/operations.ts';
import { type HttpHarness, startHttp } from '../support/http-harness.ts';

/** Requests made of the document, half sensible and half not. The harness holds each answer against the document. */
describe('any request that the document allows, and many that it does not', () => {
  let http: HttpHarness;
  beforeAll(async () => {
    http = await startHttp();
    await http.create({ url: 'https://example.com/', alias: 'known' });
    await http.create({ url: 'https://example.com/gone', alias: 'gone' });
    await http.request('delete', '/api/links/gone');
  });
  afterAll(() => http.close());

  const headerText = fc.string({ unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)) });
  const segment = fc.oneof(
    fc.constantFrom('known', 'gone', '__proto__', '..', '%00', '%ff'),
    fc.string().map(encodeURIComponent),
  );
  const value = fc.oneof(
    fc.constantFrom('', '1', '100', 'day', 'UTC', 'asc', 'visits', 'known', 'https://example.com/', '2026-11-01'),
    fc.string(),
  );
  const body = fc.oneof(
    fc.record(
      {
        url: fc.oneof(fc.webUrl(), fc.jsonValue()),
        alias: fc.oneof(fc.constantFrom('known', null), fc.string()),
        tags: fc.oneof(fc.array(fc.string()), fc.jsonValue()),
        version: fc.oneof(fc.integer(), fc.jsonValue()),
        status: fc.constantFrom('active', 'disabled'),
      },
      { requiredKeys: [] },
    ),
    fc.jsonValue(),
  );
  const headers = fc.record(
    {
      'If-Match': fc.oneof(fc.constantFrom('*', '"1"', 'W/"1"', '"x", "2"'), headerText),
      'Idempotency-Key': fc.oneof(fc.constantFrom('one', 'two'), headerText),
      Accept: fc.constantFrom('*/*', 'text/csv', 'text/html', 'application/json;q=0.1', 'nonsense'),
      'Content-Type': fc.constantFrom('application/json', 'application/merge-patch+json', 'text/plain'),
      'Last-Event-ID': headerText,
    },
    { requiredKeys: [] },
  );
  const named = new Map(operations.map((operation) => [`${operation.method} ${operation.path}`, operation]));
  named.delete('get /api/stream');
  const request = fc.constantFrom(...named.keys()).chain((operation) => {
    const parameters = Object.keys(named.get(operation)?.query ?? {});
    const name = fc.oneof(fc.constantFrom(...parameters, 'x'), fc.string());
    const query = fc.array(fc.tuple(name, value), { maxLength: 3 });
    return fc.record({ operation: fc.constant(operation), segment, query, headers, body });
  });

  it('is answered with a status, type and body that the document describes, and never by a defect', async () => {
    await fc.assert(
      fc.asyncProperty(request, async ({ operation, segment, query, headers, body }) => {
        const found = named.get(operation);
        if (!found) throw new Error(`${operation} is not described`);
        const search = new URLSearchParams(query).toString();
        const path = found.path.replace(/\{\w+\}/, segment) + (search === '' ? '' : `?${search}`);
        const call = http.request(found.method, path);
        for (const [name, text] of Object.entries(headers)) if (text !== '') call.set(name, text);
        if (found.body) call.serialize((raw) => JSON.stringify(raw)).send(body as object);
        const answer = await call;
        expect(answer.status).toBeLessThan(500);
      }),
      { numRuns: 250 },
    );
    expect(http.fake.logged).toEqual([]);
  });

  it('S9 makes us contact nobody', async () => {
    let contacts = 0;
    const canary = createServer((socket) => {
      contacts += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => canary.listen(0, '127.0.0.1', resolve));
    const { port } = canary.address() as { port: number };
    const url = `http://127.0.0.1:${port}/`;
    const code = await http.create({ url });
    for (const path of [
      `/api/links/${code}`,
      `/api/links/${code}/stats`,
      `/api/links/${code}/qr.svg`,
      `/api/stats?url=${encodeURIComponent(url)}`,
      `/api/links?url=${encodeURIComponent(url)}`,
    ]) {
      expect((await http.request('get', path)).status).toBe(200);
    }
    expect(contacts).toBe(0);
    await new Promise((resolve) => canary.close(resolve));
  });
});
