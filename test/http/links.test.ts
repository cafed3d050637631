import { type HttpHarness, startHttp } from '../support/http-harness.ts';

describe('links over HTTP', () => {
  let http: HttpHarness;
  beforeEach(async () => {
    http = await startHttp();
  });
  afterEach(() => http.close());

  it('creates a link with 201, its address, its tag and its numbers', async () => {
    const answer = await http.request('post', '/api/links').send({ url: 'https://example.com/a', tags: ['x'] });
    expect(answer.status).toBe(201);
    expect(answer.get('Location')).toBe('http://localhost:3000/api/links/code1');
    expect(answer.get('ETag')).toBe('"1"');
    expect(answer.get('Cache-Control')).toBe('no-store');
    expect(answer.body).toEqual({
      code: 'code1',
      shortUrl: 'http://localhost:3000/code1',
      url: 'https://example.com/a',
      version: 1,
      status: 'active',
      createdAt: '2026-11-03T09:15:00.000Z',
      updatedAt: '2026-11-03T09:15:00.000Z',
      expiresAt: null,
      maxVisits: null,
      tags: ['x'],
      note: null,
      visits: { total: 0, nonBots: 0, bots: 0, lastVisitAt: null },
    });
  });

  it('answers 200 with the existing link and its visits for a URL that has one', async () => {
    const code = await http.create();
    http.fake.visit(code, 3);
    const answer = await http.request('post', '/api/links').send({ url: 'https://example.com/a' });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ code, visits: { total: 3, nonBots: 3, bots: 0 } });
  });

  it('tells all refused fields at once, each with pointer, code and sentence', async () => {
    const answer = await http.request('post', '/api/links').send({ url: 'nonsense', colour: 'red', tags: 'x' });
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({
      type: 'http://localhost:3000/api/problems/invalid-input',
      title: 'The input was refused',
      status: 422,
      instance: '/api/links',
    });
    const pointers = answer.body.errors.map((error: { pointer: string; code: string }) => [error.pointer, error.code]);
    expect(pointers).toEqual([
      ['/url', 'not-a-url'],
      ['/colour', 'unknown-member'],
      ['/tags', 'wrong-type'],
    ]);
    expect(http.fake.commandsCalled).toEqual([]);
  });

  it('answers 409 for a taken alias and says whether one is free', async () => {
    await http.create({ url: 'https://example.com/a', alias: 'spring' });
    const taken = await http.request('post', '/api/links').send({ url: 'https://example.com/b', alias: 'spring' });
    expect(taken.status).toBe(409);
    expect(taken.body.errors).toMatchObject([{ pointer: '/alias', code: 'alias-taken' }]);
    const look = async (alias: string) => (await http.request('get', `/api/aliases/${alias}`)).body;
    expect(await look('spring')).toEqual({ alias: 'spring', available: false, reason: 'alias-taken' });
    expect(await look('summer')).toEqual({ alias: 'summer', available: true });
    expect(await look('a')).toEqual({ alias: 'a', available: false, reason: 'alias-format' });
  });

  it('reads a link, with HEAD as well', async () => {
    const code = await http.create();
    const read = await http.request('get', `/api/links/${code}`);
    expect(read.status).toBe(200);
    const head = await http.request('head', `/api/links/${code}`);
    expect(head.status).toBe(200);
    expect(head.get('Content-Length')).toBe(read.get('Content-Length'));
    expect(head.get('ETag')).toBe('"1"');
    expect(head.text).toBeUndefined();
  });

  it('never answers 304, because visits change without a new version', async () => {
    const code = await http.create();
    const answer = await http.request('get', `/api/links/${code}`).set('If-None-Match', '"1"');
    expect(answer.status).toBe(200);
  });

  it('answers 404 for a code that never was, and does not look up what cannot be one', async () => {
    expect((await http.request('get', '/api/links/nothere')).status).toBe(404);
    expect((await http.request('get', '/api/links/no%00where')).status).toBe(404);
    expect((await http.request('get', `/api/links/${'x'.repeat(65)}`)).status).toBe(404);
  });

  it('changes a link by merge patch with a new tag', async () => {
    const code = await http.create();
    const answer = await http
      .request('patch', `/api/links/${code}`)
      .set('Content-Type', 'application/merge-patch+json')
      .set('If-Match', '"1"')
      .send('{"note":"hello","status":"disabled"}');
    expect(answer.status).toBe(200);
    expect(answer.get('ETag')).toBe('"2"');
    expect(answer.body).toMatchObject({ note: 'hello', status: 'disabled', version: 2 });
  });

  it.each([
    ['a stale version', '"7"', 412],
    ['a weak tag', 'W/"1"', 412],
    ['a foreign tag', '"abc"', 412],
    ['a version beyond counting', '"99999999999999999999"', 412],
    ['no tag at all', '1', 400],
    ['an unfinished tag', '"1', 400],
    ['any version', '*', 200],
    ['a list with the version', '"7", "1"', 200],
  ])('answers %s in If-Match (%s) with %i', async (_name, ifMatch, status) => {
    const code = await http.create();
    const answer = await http.request('patch', `/api/links/${code}`).set('If-Match', ifMatch).send({ note: 'x' });
    expect(answer.status).toBe(status);
    expect(http.fake.commandsCalled.includes('changeLink')).toBe(status === 200);
  });

  it('deletes with 204, then answers 410 with the time, keeps statistics and history, and restores', async () => {
    const code = await http.create();
    const deleted = await http.request('delete', `/api/links/${code}`).set('If-Match', '"1"');
    expect(deleted.status).toBe(204);
    const gone = await http.request('get', `/api/links/${code}`);
    expect(gone.status).toBe(410);
    expect(gone.body.deletedAt).toBe('2026-11-03T09:15:00.000Z');
    expect((await http.request('delete', `/api/links/${code}`)).status).toBe(410);
    expect((await http.request('get', `/api/links/${code}/stats`)).status).toBe(200);
    expect((await http.request('get', `/api/links/${code}/history`)).body.events).toHaveLength(2);
    const restored = await http.request('post', `/api/links/${code}/restore`).set('If-Match', '"2"');
    expect(restored.status).toBe(200);
    expect(restored.body).toMatchObject({ version: 3, status: 'active' });
    expect((await http.request('post', `/api/links/${code}/restore`)).status).toBe(409);
  });

  it('rolls back to a version that was, and refuses others by name', async () => {
    const code = await http.create();
    const roll = (body: object) => http.request('post', `/api/links/${code}/rollback`).send(body);
    expect((await roll({ version: 1 })).body.version).toBe(2);
    expect((await roll({ version: 9 })).body.errors).toMatchObject([{ field: 'version', code: 'out-of-range' }]);
    expect((await roll({})).body.errors).toMatchObject([{ field: 'version', code: 'required' }]);
    expect((await roll({ version: '1' })).body.errors).toMatchObject([{ field: 'version', code: 'wrong-type' }]);
    expect((await roll({ version: 1.5, x: 1 })).body.errors).toHaveLength(2);
  });

  it('tells the history with what each event changed, page by page', async () => {
    const code = await http.create();
    await http.request('patch', `/api/links/${code}`).send({ note: 'x' });
    await http.request('delete', `/api/links/${code}`);
    const first = await http.request('get', `/api/links/${code}/history?limit=2`);
    expect(first.body.events.map(({ type }: { type: string }) => type)).toEqual(['LinkCreated', 'LinkChanged']);
    expect(first.body.events[0]).toMatchObject({
      by: 'anonymous',
      effective: true,
      changes: { url: { from: null, to: 'https://example.com/a' } },
      position: { partition: 0, offset: '0' },
    });
    const next = await http.request('get', `/api/links/${code}/history?cursor=${first.body.nextCursor}`);
    expect(next.body.events.map(({ type }: { type: string }) => type)).toEqual(['LinkDeleted']);
    expect(next.body.nextCursor).toBeNull();
  });

  it('shows every link once over pages while links are added, with the next page in Link', async () => {
    for (let index = 0; index < 5; index += 1) await http.create({ url: `https://example.com/${index}` });
    const seen: string[] = [];
    let path: string | null = '/api/links?limit=2';
    while (path !== null) {
      const page = await http.request('get', path);
      expect(page.status).toBe(200);
      seen.push(...page.body.links.map((link: { code: string }) => link.code));
      await http.create({ url: `https://example.com/later${seen.length}` });
      const next = /<http:\/\/localhost:3000(.+)>; rel="next"/.exec(page.get('Link') ?? '')?.[1] ?? null;
      expect(next === null).toBe(page.body.nextCursor === null);
      path = next;
    }
    expect(seen).toEqual(['code5', 'code4', 'code3', 'code2', 'code1']);
  });

  it('finds by target in any spelling of the URL', async () => {
    const code = await http.create({ url: 'https://example.com/' });
    const answer = await http.request('get', '/api/links?url=HTTPS%3A%2F%2FEXAMPLE.com');
    expect(answer.body.links).toMatchObject([{ code }]);
  });

  it('answers a change while the statistics are rebuilt with visits null, because it took effect', async () => {
    const code = await http.create();
    http.fake.setProgress({ rebuild: { fraction: 0.62, recordsDone: 62, recordsTotal: 100 } });
    const changed = await http.request('patch', `/api/links/${code}`).send({ note: 'x' });
    expect(changed.status).toBe(200);
    expect(changed.body).toMatchObject({ note: 'x', status: 'active', visits: null });
    const read = await http.request('get', `/api/links/${code}`);
    expect(read.status).toBe(503);
    expect(read.get('Retry-After')).toBe('2');
    expect(read.body.progress).toEqual({ fraction: 0.62, recordsDone: 62, recordsTotal: 100 });
  });

  it('lists the tags in use', async () => {
    await http.create({ url: 'https://example.com/', tags: ['x'] });
    expect((await http.request('get', '/api/tags')).body).toEqual({ tags: [{ name: 'x', links: 1 }] });
  });
});
