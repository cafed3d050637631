import { encodePositionToken } from '../../src/http/position-token.ts';
import { StatisticsUnavailable } from '../../src/ports/statistics-read-model.ts';
import { type HttpHarness, startHttp } from '../support/http-harness.ts';

describe('statistics over HTTP', () => {
  let http: HttpHarness;
  let code: string;
  beforeEach(async () => {
    http = await startHttp();
    code = await http.create({ url: 'https://example.com/a' });
    http.fake.visit(code, 5);
  });
  afterEach(() => http.close());

  it('tells the numbers with the position they stand at', async () => {
    const answer = await http.request('get', `/api/links/${code}/stats?timezone=Europe%2FBerlin`);
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      code,
      timezone: 'Europe/Berlin',
      total: 5,
      nonBots: 5,
      bots: 0,
      lastVisitAt: '2026-11-03T09:15:00.000Z',
      referrers: [],
      position: { partition: 0, offset: '4', lagMs: 0, final: false },
    });
  });

  it('has no offset before the first visit', async () => {
    const fresh = await startHttp();
    const answer = await fresh.request('get', `/api/links/${await fresh.create()}/stats`);
    expect(answer.body.position.offset).toBeNull();
    await fresh.close();
  });

  it('finds the statistics by original URL', async () => {
    const found = await http.request('get', '/api/stats?url=https%3A%2F%2FEXAMPLE.com%2Fa');
    expect(found.body).toMatchObject({ code, total: 5 });
    expect((await http.request('get', '/api/stats?url=https%3A%2F%2Fexample.com%2Fb')).status).toBe(404);
    expect((await http.request('get', '/api/stats')).body.errors).toMatchObject([{ field: 'url', code: 'required' }]);
    expect((await http.request('get', '/api/stats?url=x')).body.errors).toMatchObject([{ code: 'not-a-url' }]);
  });

  it('gives the series as CSV by path and by Accept', async () => {
    const byPath = await http.request('get', `/api/links/${code}/stats.csv`);
    const byAccept = await http.request('get', `/api/links/${code}/stats`).set('Accept', 'text/csv');
    for (const answer of [byPath, byAccept]) {
      expect(answer.get('Content-Type')).toMatch('text/csv; charset=utf-8');
      expect(answer.get('Content-Disposition')).toBe(`attachment; filename="${code}-visits.csv"`);
      expect(answer.text).toBe('start,total,nonBots,bots\r\n2026-11-03T09:15:00.000Z,5,5,0\r\n');
    }
    expect(byAccept.get('Vary')).toBe('Accept');
  });

  it('names a refused parameter', async () => {
    const answer = await http.request('get', `/api/links/${code}/stats?timezone=Nowhere`);
    expect(answer.status).toBe(422);
    expect(answer.body.errors).toMatchObject([{ field: 'timezone', code: 'not-a-time-zone', pointer: '/timezone' }]);
  });

  it('answers at least as fresh as asOf, or 503 when that is not reached in time', async () => {
    const asOf = (nextOffset: number) => {
      const token = encodePositionToken('log-1', [{ partition: 0, nextOffset }]);
      return http.request('get', `/api/links/${code}/stats?asOf=${token}`);
    };
    expect((await asOf(5)).status).toBe(200);
    const behind = await asOf(6);
    expect(behind.status).toBe(503);
    expect(behind.get('Retry-After')).toBe('1');
    expect(behind.body.type).toBe('http://localhost:3000/api/problems/statistics-behind');
  });

  it.each([
    ['of another log', encodePositionToken('log-2', [{ partition: 0, nextOffset: 1 }])],
    ['beyond the end', encodePositionToken('log-1', [{ partition: 0, nextOffset: 1_001 }])],
    ['of a partition that is not there', encodePositionToken('log-1', [{ partition: 1, nextOffset: 1 }])],
    ['that is none', 'latest'],
    ['that is empty', ''],
  ])('refuses a position %s', async (_name, token) => {
    const answer = await http.request('get', `/api/links/${code}/stats?asOf=${token}`);
    expect(answer.status).toBe(422);
    expect(answer.body.errors).toMatchObject([{ field: 'asOf', code: 'position-invalid' }]);
  });

  it('answers 503 with the progress while the numbers are rebuilt, never a smaller number', async () => {
    http.fake.setProgress({ rebuild: { fraction: 0.5, recordsDone: 1, recordsTotal: 2 } });
    for (const path of [`/api/links/${code}/stats`, `/api/links/${code}/stats.csv`, '/api/links']) {
      const answer = await http.request('get', path);
      expect(answer.status).toBe(503);
      expect(answer.get('Retry-After')).toBe('2');
      expect(answer.body.progress.fraction).toBe(0.5);
    }
  });

  it('answers 503 when the numbers cannot be read', async () => {
    http.fake.queryFailure = new StatisticsUnavailable('worker gone');
    const answer = await http.request('get', `/api/links/${code}/stats`);
    expect(answer.status).toBe(503);
    expect(answer.get('Retry-After')).toBe('2');
  });

  it('draws the short link as a QR code whose scans are told apart', async () => {
    const svg = await http.request('get', `/api/links/${code}/qr.svg`);
    expect(svg.get('Content-Type')).toMatch('image/svg+xml');
    const { default: jsQR } = await import('jsqr');
    const { default: pngjs } = await import('pngjs' as string);
    const read = jsQR as unknown as (data: Uint8ClampedArray, width: number, height: number) => { data: string } | null;
    for (const size of [128, 257, 512]) {
      const png = await http.request('get', `/api/links/${code}/qr.png?size=${size}`).buffer(true).parse(binary);
      const image = pngjs.PNG.sync.read(png.body, { checkCRC: true });
      expect([image.width, image.height]).toEqual([size, size]);
      expect(read(new Uint8ClampedArray(image.data), size, size)?.data).toBe(`http://localhost:3000/${code}?qr`);
    }
    expect((await http.request('get', `/api/links/${code}/qr.png?size=10000`)).status).toBe(422);
    expect((await http.request('get', '/api/links/nothere/qr.svg')).status).toBe(404);
    await http.request('delete', `/api/links/${code}`);
    expect((await http.request('get', `/api/links/${code}/qr.svg`)).status).toBe(410);
  });
});

function binary(response: unknown, done: (error: Error | null, body: Buffer) => void): void {
  const chunks: Buffer[] = [];
  const stream = response as NodeJS.ReadableStream;
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('end', () => done(null, Buffer.concat(chunks)));
}
