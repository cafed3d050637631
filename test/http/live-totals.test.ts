import { EventEmitter, once } from 'node:events';
import { get, type IncomingMessage, type ServerResponse } from 'node:http';
import { createLiveTotals } from '../../src/http/live-totals.ts';
import { type HttpHarness, startHttp } from '../support/http-harness.ts';

interface LiveEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;
}

interface OpenStream {
  readonly response: IncomingMessage;
  readonly text: () => string;
  /** The event behind those already taken, when it has come. */
  next(): Promise<LiveEvent>;
  stop(): void;
}

async function openStream(http: HttpHarness, query = '', headers: Record<string, string> = {}): Promise<OpenStream> {
  const request = get({
    port: http.port,
    path: `/api/stream${query}`,
    headers: { Host: 'localhost:3000', ...headers },
  });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  let taken = 0;
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => {
    text += chunk;
  });
  response.on('error', () => {});
  request.on('error', () => {});
  const events = (): LiveEvent[] =>
    text
      .split('\n\n')
      .slice(0, -1)
      .filter((block) => block.startsWith('event:'))
      .map((block) => {
        const fields = Object.fromEntries(
          block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
        );
        return { event: String(fields['event']), id: fields['id'], data: JSON.parse(String(fields['data'])) };
      });
  return {
    response,
    text: () => text,
    async next() {
      for (let event = events()[taken]; ; event = events()[taken]) {
        if (event) {
          taken += 1;
          return event;
        }
        await once(response, 'data');
      }
    },
    stop: () => request.destroy(),
  };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

describe('live totals', () => {
  let http: HttpHarness;
  const start = async (...settings: Parameters<typeof startHttp>) => {
    http = await startHttp(...settings);
  };
  afterEach(() => http.close());

  it('sends the snapshot first, then absolute totals of the codes that changed', async () => {
    await start();
    const one = await http.create({ url: 'https://example.com/1' });
    const two = await http.create({ url: 'https://example.com/2' });
    http.fake.visit(one, 2);
    const stream = await openStream(http, `?codes=${one},${two}`);
    expect(stream.response.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    const first = await stream.next();
    expect(first).toMatchObject({ event: 'totals', data: { code: one, total: 2, nonBots: 2, bots: 0 } });
    expect(first.data['lastVisitAt']).toBe('2026-11-03T09:15:00.000Z');
    expect((await stream.next()).data).toMatchObject({ code: two, total: 0, lastVisitAt: null });
    http.fake.visit(two, 3);
    const changed = await stream.next();
    expect(changed.data).toMatchObject({ code: two, total: 3 });
    expect(changed.id).not.toBe(first.id);
    expect(stream.text()).toMatch(/^retry: 2000\n\n/);
    stream.stop();
  });

  it('gives an id that asOf takes, and takes any Last-Event-ID with a whole snapshot', async () => {
    await start();
    const code = await http.create();
    http.fake.visit(code);
    const stream = await openStream(http, `?codes=${code}`);
    const { id } = await stream.next();
    expect((await http.request('get', `/api/links/${code}/stats?asOf=${id}`)).status).toBe(200);
    for (const lastEventId of [String(id), 'nonsense']) {
      const resumed = await openStream(http, `?codes=${code}`, { 'Last-Event-ID': lastEventId });
      expect((await resumed.next()).data).toMatchObject({ code, total: 1 });
      resumed.stop();
    }
    stream.stop();
  });

  it('sends the overall numbers when no code is named', async () => {
    await start();
    const stream = await openStream(http);
    expect((await stream.next()).data).toMatchObject({ code: null, total: 0 });
    http.fake.visit(await http.create(), 4);
    expect((await stream.next()).data).toMatchObject({ code: null, total: 4 });
    stream.stop();
  });

  it('pushes a first change at once and then at most once a pause, ending at the exact total', async () => {
    await start({ live: { pushIntervalMs: 50 } });
    const code = await http.create();
    const stream = await openStream(http, `?codes=${code}`);
    await stream.next();
    const startedAt = performance.now();
    const pushes: LiveEvent[] = [];
    for (let visits = 0; visits < 200; visits += 1) {
      http.fake.visit(code);
      await new Promise((resolve) => setImmediate(resolve));
    }
    do pushes.push(await stream.next());
    while (pushes.at(-1)?.data['total'] !== 200);
    const pauses = (performance.now() - startedAt) / 50;
    expect(pushes.length).toBeLessThanOrEqual(pauses + 2);
    stream.stop();
  });

  it('tells the progress of a rebuild and no number until it is done', async () => {
    await start({ live: { pushIntervalMs: 1 } });
    const code = await http.create();
    http.fake.visit(code, 9);
    http.fake.setProgress({ rebuild: { fraction: 0.62, recordsDone: 62, recordsTotal: 100 } });
    const stream = await openStream(http, `?codes=${code}`);
    expect(await stream.next()).toMatchObject({ event: 'rebuild', data: { progress: { fraction: 0.62 } } });
    http.fake.setProgress({ rebuild: null });
    const event = await stream.next();
    expect(event).toMatchObject({ event: 'totals', data: { total: 9 } });
    stream.stop();
  });

  it('writes a comment now and then, so that proxies keep the connection', async () => {
    await start({ live: { heartbeatMs: 5 } });
    const stream = await openStream(http);
    while (!stream.text().includes('\n: still here\n\n')) await once(stream.response, 'data');
    stream.stop();
  });

  it('queues nothing for a slow reader: what it gets when it reads again is the newest snapshot alone', async () => {
    await start();
    const { liveTotals, reader } = slowReader({ pushIntervalMs: 1 });
    await until(() => reader.written.length === 2);
    reader.writableNeedDrain = true;
    for (let visits = 0; visits < 50; visits += 1) {
      http.fake.visit('code1');
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(reader.written).toHaveLength(2);
    reader.writableNeedDrain = false;
    reader.emit('drain');
    await until(() => reader.written.length === 3);
    expect(reader.written[2]).toContain('"total":50');
    expect(reader.written[2]?.match(/event:/g)).toHaveLength(1);
    liveTotals.close();
    reader.emit('close');
  });

  it('drops a reader that takes nothing for four heartbeats', async () => {
    await start();
    const { liveTotals, reader } = slowReader({ heartbeatMs: 2 });
    reader.writableNeedDrain = true;
    await until(() => liveTotals.size() === 0);
    expect(reader.destroyed).toBe(true);
  });

  it('writes nothing to a reader that went while its numbers were read', async () => {
    await start();
    const { liveTotals, reader } = slowReader({ pushIntervalMs: 1 });
    await until(() => reader.written.length === 2);
    http.fake.visit('code1');
    reader.destroyed = true;
    await new Promise((resolve) => setImmediate(resolve));
    expect(reader.written).toHaveLength(2);
    liveTotals.close();
    reader.emit('close');
  });

  /** A reader's response whose fullness the test decides, watching one code of the harness's statistics. */
  function slowReader(settings: { readonly pushIntervalMs?: number; readonly heartbeatMs?: number }) {
    const { statistics, logger } = http.fake.application;
    const liveTotals = createLiveTotals({ statistics, logger, logId: 'log-1', ...settings });
    const reader = Object.assign(new EventEmitter(), {
      written: [] as string[],
      writableNeedDrain: false,
      destroyed: false,
      writeHead: () => {},
      write: (text: string) => void reader.written.push(text),
      end: () => {},
      destroy: () => {
        reader.destroyed = true;
        reader.emit('close');
      },
    });
    const request = { method: 'GET' } as IncomingMessage;
    liveTotals.open(request, reader as unknown as ServerResponse, ['code1'], 'client');
    return { liveTotals, reader };
  }

  it('caps streams for all and for one client', async () => {
    await start({
      live: { streamsMax: 2, streamsPerClientMax: 1 },
      app: { clientKey: (r) => String(r.headers['x-who']) },
    });
    const one = await openStream(http, '', { 'X-Who': 'one' });
    const again = await http.request('get', '/api/stream').set('X-Who', 'one');
    expect(again.status).toBe(429);
    expect(again.get('Retry-After')).toBe('5');
    const two = await openStream(http, '', { 'X-Who': 'two' });
    const three = await http.request('get', '/api/stream').set('X-Who', 'three');
    expect(three.status).toBe(503);
    expect(three.get('Retry-After')).toBe('5');
    one.stop();
    await until(() => http.liveTotals.size() === 1);
    const four = await openStream(http, '', { 'X-Who': 'four' });
    expect(four.response.statusCode).toBe(200);
    for (const stream of [two, four]) stream.stop();
  });

  it('names an unknown code, and refuses more than 100', async () => {
    await start();
    const code = await http.create();
    const unknown = await http.request('get', `/api/stream?codes=${code},nothere`);
    expect(unknown.status).toBe(404);
    expect(unknown.body.detail).toContain('nothere');
    const many = Array.from({ length: 101 }, (_, index) => `c${index}`).join(',');
    expect((await http.request('get', `/api/stream?codes=${many}`)).status).toBe(422);
    expect((await http.request('head', '/api/stream')).status).toBe(200);
    expect(http.liveTotals.size()).toBe(0);
  });

  it('stops listening to the fold when the last reader is gone, and ends every stream when the server closes', async () => {
    await start();
    const stream = await openStream(http);
    expect(http.fake.listeners.size).toBe(1);
    stream.stop();
    await until(() => http.fake.listeners.size === 0);
    const last = await openStream(http);
    const ended = once(last.response, 'end');
    await http.close();
    await ended;
  });
});
