import { LogUnavailable } from '../../src/ports/event-log.ts';
import { type HttpHarness, startHttp } from '../support/http-harness.ts';

function openGate() {
  let resolve = () => {};
  const promise = new Promise<void>((open) => {
    resolve = open;
  });
  return { promise, resolve };
}

describe('Idempotency-Key', () => {
  let http: HttpHarness;
  beforeEach(async () => {
    http = await startHttp();
  });
  afterEach(() => http.close());

  const post = (key: string, body: object, path = '/api/links') =>
    http.request('post', path).set('Idempotency-Key', key).send(body);

  it('answers a repeated request with the first answer, its headers and a mark', async () => {
    const body = { url: 'https://example.com/', unique: true };
    const first = await post('key-1', body);
    const second = await post('key-1', body);
    expect(first.status).toBe(201);
    expect(first.get('Idempotency-Replayed')).toBeUndefined();
    expect(second.status).toBe(201);
    expect(second.get('Idempotency-Replayed')).toBe('true');
    expect(second.body).toEqual(first.body);
    expect(second.get('Location')).toBe(first.get('Location'));
    expect(second.get('ETag')).toBe(first.get('ETag'));
    expect(second.get('X-Request-Id')).not.toBe(first.get('X-Request-Id'));
    expect(http.fake.commandsCalled).toEqual(['createLink']);
  });

  it('refuses another body or another path under the same key', async () => {
    const first = await post('key-1', { url: 'https://example.com/' });
    const otherBody = await post('key-1', { url: 'https://example.org/' });
    const otherPath = await post('key-1', { url: 'https://example.com/' }, `/api/links/${first.body.code}/rollback`);
    for (const answer of [otherBody, otherPath]) {
      expect(answer.status).toBe(422);
      expect(answer.body.type).toBe('http://localhost:3000/api/problems/idempotency-key-reused');
    }
    expect(http.fake.commandsCalled).toEqual(['createLink']);
  });

  it('keeps refusals, which are final, as well', async () => {
    expect((await post('key-1', { url: 'nonsense' })).status).toBe(422);
    const second = await post('key-1', { url: 'nonsense' });
    expect(second.get('Idempotency-Replayed')).toBe('true');
    expect(second.get('Content-Type')).toBe('application/problem+json');
    expect(second.body.errors).toMatchObject([{ field: 'url' }]);
  });

  it('does not keep an outage: the repeated request is tried anew', async () => {
    http.fake.beforeCommand = () => {
      throw new LogUnavailable('no space');
    };
    const first = await post('key-1', { url: 'https://example.com/' });
    expect(first.status).toBe(503);
    expect(first.get('Retry-After')).toBe('2');
    expect(JSON.stringify(first.body)).not.toContain('no space');
    expect((await post('key-1', { url: 'https://example.com/' })).status).toBe(201);
  });

  it('lets the second of two at once wait for the outcome of the first', async () => {
    const gate = openGate();
    http.fake.beforeCommand = () => gate.promise;
    const body = { url: 'https://example.com/', unique: true };
    const both = [post('key-1', body), post('key-1', body)].map((test) => test.then((answer) => answer));
    const other = await post('key-1', { url: 'https://example.org/' });
    expect(other.status).toBe(422);
    gate.resolve();
    const answers = await Promise.all(both);
    expect(answers.map(({ status }) => status)).toEqual([201, 201]);
    expect(answers.map((answer) => answer.body.code)).toEqual(['code1', 'code1']);
    expect(answers.filter((answer) => answer.get('Idempotency-Replayed') === 'true')).toHaveLength(1);
    expect(http.fake.commandsCalled).toEqual(['createLink']);
  });

  it('lets the second of two at once try for itself when the first met an outage', async () => {
    const gate = openGate();
    http.fake.beforeCommand = async () => {
      await gate.promise;
      throw new LogUnavailable('no space');
    };
    const both = [1, 2].map(() => post('key-1', { url: 'https://example.com/' }).then((answer) => answer));
    // A request that is answered behind both shows that both have come in.
    await http.request('get', '/livez');
    gate.resolve();
    expect((await Promise.all(both)).map(({ status }) => status).sort()).toEqual([201, 503]);
  });

  it('gives the log the same command again when the answer was not kept, as after kill -9', async () => {
    const body = { url: 'https://example.com/', unique: true };
    const first = await post('key-1', body);
    http.fake.answers.clear();
    const second = await post('key-1', body);
    expect(second.body.code).toBe(first.body.code);
    const [one, two] = http.fake.contexts;
    expect(one?.commandId).toBe(two?.commandId);
    await post('key-2', body);
    expect(http.fake.contexts[2]?.commandId).not.toBe(one?.commandId);
  });

  it('recognises a restore that the log holds already, though the version has moved on by it', async () => {
    const code = await http.create();
    await http.request('delete', `/api/links/${code}`);
    const restore = () =>
      http.request('post', `/api/links/${code}/restore`).set('If-Match', '"2"').set('Idempotency-Key', 'key-1');
    expect((await restore()).body.version).toBe(3);
    http.fake.answers.clear();
    const again = await restore();
    expect(again.status).toBe(200);
    expect(again.body.version).toBe(3);
  });

  it('still answers when the answer cannot be kept', async () => {
    http.fake.answers.set = () => {
      throw new Error('disk full');
    };
    expect((await post('key-1', { url: 'https://example.com/' })).status).toBe(201);
    expect(http.fake.logged.map(({ message }) => message)).toEqual([
      'an answer could not be kept for its idempotency key',
    ]);
  });

  it.each([['two words'], ['x'.repeat(256)], ['ümlaut']])('refuses the key %s', async (key) => {
    const answer = await post(Buffer.from(key).toString('latin1'), { url: 'https://example.com/' });
    expect(answer.status).toBe(400);
    expect(http.fake.commandsCalled).toEqual([]);
  });

  it('stores no key in clear', async () => {
    await post('secret-key', { url: 'https://example.com/' });
    expect(JSON.stringify([...http.fake.answers])).not.toContain('secret-key');
  });
});
