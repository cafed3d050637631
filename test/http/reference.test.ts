import { apiRoutes } from '../../src/http/create-app.ts';
import { openApiDocument } from '../../src/http/openapi/document.ts';
import { operations, problemsByStatus } from '../../src/http/openapi/operations.ts';
import { type ProblemSlug, problemTypes } from '../../src/http/problem-types.ts';
import { type HttpHarness, startHttp } from '../support/http-harness.ts';

describe('the API reference', () => {
  let http: HttpHarness;
  beforeAll(async () => {
    http = await startHttp();
  });
  afterAll(() => http.close());

  it('describes every route and method there is, and none that is not', () => {
    const routed = apiRoutes(http.options).flatMap(({ path, methods }) =>
      Object.keys(methods).flatMap((method) => {
        const documented = path.replace(/:(\w+)/g, '{$1}');
        return (method === 'GET' ? ['GET', 'HEAD'] : [method]).map((name) => `${name} ${documented}`);
      }),
    );
    const described = operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`);
    expect(described.sort()).toEqual(routed.sort());
  });

  it('describes with each operation its answers, their bodies and headers, and every problem', () => {
    const document = openApiDocument('http://localhost:3000');
    for (const operation of operations) {
      const described = document.paths?.[operation.path]?.[operation.method]?.responses ?? {};
      const statuses = [...operation.answers.map(({ status }) => status), ...problemsByStatus(operation).keys(), 405];
      expect(Object.keys(described).map(Number).sort()).toEqual([...new Set(statuses)].sort());
      for (const answer of Object.values(described)) {
        expect(answer.headers['X-Request-Id'].description).toBeTruthy();
        expect(answer.description).toBeTruthy();
      }
      if (operation.method !== 'head') {
        expect(described['422'].content['application/problem+json'].schema.$ref).toBe('#/components/schemas/Problem');
      }
    }
    expect(Object.keys(document.components?.schemas ?? {})).toEqual(
      expect.arrayContaining(['Link', 'NewLink', 'LinkPatch', 'Statistics', 'Problem', 'History']),
    );
  });

  it('has only references that lead somewhere, and operation ids that are unique', () => {
    const document = openApiDocument('http://localhost:3000');
    const names = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name);
    for (const name of names) expect(document.components?.schemas).toHaveProperty(String(name));
    const ids = [...JSON.stringify(document).matchAll(/"operationId":"(\w+)"/g)].map(([, id]) => id);
    expect(ids).toHaveLength(operations.length);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('has a use for every type of problem but those of the redirect door and of unknown paths', () => {
    const used = new Set<ProblemSlug>(
      operations.flatMap((operation) => [...problemsByStatus(operation).values()].flat()),
    );
    const unused = Object.keys(problemTypes).filter((slug) => !used.has(slug as ProblemSlug));
    expect(unused.sort()).toEqual(['link-gone', 'method-not-allowed', 'method-unknown', 'redirect-unavailable']);
  });

  it('is served as a document and as a page, from our own files alone', async () => {
    const document = await http.request('get', '/api/openapi.json');
    expect(document.body).toMatchObject({ openapi: '3.1.0', servers: [{ url: 'http://localhost:3000' }] });
    const page = await http.request('get', '/api/docs');
    expect(page.get('Content-Type')).toMatch('text/html');
    expect(page.text).not.toMatch(/<script>|style=|https?:\/\//);
    const files = [...page.text.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path]) => String(path));
    expect(files).toEqual([
      '/api/docs/swagger-ui.css',
      '/api/docs/swagger-ui-bundle.js',
      '/api/docs/start.js',
      '/api/openapi.json',
    ]);
    for (const file of files) expect((await http.request('get', file)).status).toBe(200);
    expect((await http.request('get', '/api/docs/package.json')).status).toBe(404);
  });
});
