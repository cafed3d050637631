import { randomBytes } from 'node:crypto';
import { call, postForm, postJson, type Reply } from '../support/http-client.ts';
import { type RunningProgram, startProgram } from '../support/running-program.ts';

/** Clients that would not be limited, and clients that look for what is not theirs. */
function withProgram(env: Readonly<Record<string, string>>): () => RunningProgram {
  let program: RunningProgram | undefined;
  beforeAll(async () => {
    program = await startProgram({ env });
  });
  afterAll(() => program?.dispose());
  return () => {
    if (program === undefined) throw new Error('the program was not started');
    return program;
  };
}

async function statusesOf(
  count: number,
  send: (index: number) => Promise<Reply>,
): Promise<ReadonlyMap<number, number>> {
  const found = new Map<number, number>();
  for (let start = 0; start < count; start += 20) {
    const size = Math.min(20, count - start);
    for (const { status } of await Promise.all(Array.from({ length: size }, (_, index) => send(start + index)))) {
      found.set(status, (found.get(status) ?? 0) + 1);
    }
  }
  return found;
}

const create = (port: number, headers: Readonly<Record<string, string>> = {}) =>
  postJson(port, '/api/links', { url: 'https://example.com/', unique: true }, headers);

describe('a limited client that no proxy stands before', () => {
  const program = withProgram({ RATE_LIMIT: '5', MISS_LIMIT: 'off' });

  it('S21 stays in one bucket through 2,000 forged addresses in every header that names one', async () => {
    const { port } = program();
    const names = [
      'X-Forwarded-For',
      'X-Real-IP',
      'Forwarded',
      'True-Client-IP',
      'CF-Connecting-IP',
      'X-Client-IP',
      'Client-IP',
    ];
    const startedAt = performance.now();
    const statuses = await statusesOf(2_000, (index) => {
      const name = names[index % names.length] ?? '';
      const address = `203.0.${index >> 8}.${index & 255}`;
      return create(port, { [name]: name === 'Forwarded' ? `for=${address}` : address });
    });
    // Twice the minute at once, and what flows in while the test runs.
    const minutes = (performance.now() - startedAt) / 60_000;
    expect([...statuses.keys()].sort()).toEqual([201, 429]);
    expect(statuses.get(201)).toBeGreaterThanOrEqual(10);
    expect(statuses.get(201)).toBeLessThanOrEqual(11 + Math.ceil(5 * minutes));
  });

  it('S21 has the same allowance for the form, and is told when to come back', async () => {
    const { port } = program();
    await statusesOf(20, () => create(port));
    const form = await postForm(port, { url: 'https://example.com/form' });
    expect(form.status).toBe(429);
    expect(form.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(Number(form.headers['retry-after'])).toBeGreaterThan(0);
    expect((await call(port, { path: '/api/links' })).text).not.toContain('example.com/form');
  });
});

describe('a limited client behind a proxy', () => {
  const program = withProgram({ RATE_LIMIT: '5', TRUSTED_PROXIES: '127.0.0.0/8' });

  it('S21 is told from others by what the trusted proxy says, and by nothing left of it', async () => {
    const { port } = program();
    const forged = await statusesOf(40, (index) =>
      create(port, { 'X-Forwarded-For': `198.51.100.${index}, 203.0.113.7` }),
    );
    expect(forged.get(201)).toBeLessThanOrEqual(14);
    expect((await create(port, { 'X-Forwarded-For': '203.0.113.8' })).status).toBe(201);
  });

  it('S21 has one bucket for a whole IPv6 /64, and another for the next', async () => {
    const { port } = program();
    const group = () => randomBytes(2).toString('hex');
    const rotated = await statusesOf(40, () =>
      create(port, { 'X-Forwarded-For': `2001:db8:1:2:${group()}::${group()}` }),
    );
    expect(rotated.get(201)).toBeLessThanOrEqual(14);
    expect((await create(port, { 'X-Forwarded-For': '2001:db8:1:3::1' })).status).toBe(201);
  });
});

describe('a client that guesses', () => {
  const program = withProgram({ RATE_LIMIT: 'off', MISS_LIMIT: '20', CODE_SECRET: 'q8Zx0fKp2LmN4vRt6YwB1cD3' });

  it('S22 gets 429, the same for what is gone, and still every live link', async () => {
    const { port } = program();
    await postJson(port, '/api/links', { url: 'https://example.com/live', alias: 'live' });
    await postJson(port, '/api/links', { url: 'https://example.com/gone', alias: 'gone' });
    await call(port, { method: 'DELETE', path: '/api/links/gone' });

    const startedAt = performance.now();
    const scan = await statusesOf(300, () => call(port, { path: `/${randomBytes(5).toString('hex').slice(0, 7)}` }));
    const minutes = (performance.now() - startedAt) / 60_000;
    expect([...scan.keys()].sort()).toEqual([404, 429]);
    expect(scan.get(404)).toBeLessThanOrEqual(41 + Math.ceil(20 * minutes));

    let unknown: Reply;
    let gone: Reply;
    do {
      [unknown, gone] = await Promise.all([call(port, { path: '/0000000' }), call(port, { path: '/gone' })]);
    } while (unknown.status !== 429 || gone.status !== 429);
    for (const answer of [unknown, gone]) {
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
      expect(answer.headers['cache-control']).toBe('no-store');
    }
    const told = (answer: Reply) => ({ ...JSON.parse(answer.text), instance: '' });
    expect(told(gone)).toEqual(told(unknown));
    expect([...(await statusesOf(50, () => call(port, { path: '/live' })))]).toEqual([[302, 50]]);
  });

  it('S22 finds no sequence in the codes of neighbouring addresses', async () => {
    const { port } = program();
    const codes: string[] = [];
    for (let index = 0; index < 200; index++) {
      const answer = await postJson(port, '/api/links', { url: `https://example.com/${index}` });
      codes.push((JSON.parse(answer.text) as { code: string }).code);
    }
    expect(new Set(codes).size).toBe(200);
    // 200 codes by chance show about 60 of the 62 characters at each place.
    for (let place = 0; place < 7; place++) {
      expect(new Set(codes.map((code) => code[place])).size).toBeGreaterThan(30);
    }
  });

  it('S24 is given the shared link of a URL, as documented, and has one alone by asking for it', async () => {
    const { port } = program();
    const code = async (body: object): Promise<string> =>
      (JSON.parse((await postJson(port, '/api/links', body)).text) as { code: string }).code;
    const first = await code({ url: 'https://example.com/shared' });
    expect(await code({ url: 'https://example.com/shared' })).toBe(first);
    const own = await code({ url: 'https://example.com/shared', unique: true });
    expect(own).not.toBe(first);
    expect(await code({ url: 'https://example.com/shared' })).toBe(first);
  });

  it('S23 cannot work out the code of an address without the secret', async () => {
    const codeAt = async (port: number): Promise<string> => {
      const answer = await postJson(port, '/api/links', { url: 'https://example.com/same' });
      return (JSON.parse(answer.text) as { code: string }).code;
    };
    const other = await startProgram({ env: { CODE_SECRET: 'Zp7uJ2mQ9sXc4Vb6Nn1Kk8Ll' } });
    expect(await codeAt(other.port)).not.toBe(await codeAt(program().port));
    await other.dispose();
  });
});
