import { createClientLimiter } from '../../src/http/client-limiter.ts';
import { limitCreations } from '../../src/http/limit-creations.ts';
import { startHttp } from '../support/http-harness.ts';

function manualClock() {
  const clock = { now: 1_000, monotonicMs: () => clock.now };
  return clock;
}

describe('the client limiter', () => {
  it('lets twice the minute through at once, then one per share of a minute', () => {
    const clock = manualClock();
    const limiter = createClientLimiter({ perMinute: 60, clock });
    const taken = Array.from({ length: 121 }, () => limiter.take('one'));
    expect(taken.filter((wait) => wait === 0)).toHaveLength(120);
    expect(taken.at(-1)).toBe(1);
    clock.now += 1_000;
    expect(limiter.take('one')).toBe(0);
    expect(limiter.take('one')).toBe(1);
  });

  it('tells how many seconds to wait', () => {
    const clock = manualClock();
    const limiter = createClientLimiter({ perMinute: 2, clock });
    for (let index = 0; index < 4; index += 1) limiter.take('one');
    expect(limiter.take('one')).toBe(30);
    clock.now += 10_000;
    expect(limiter.take('one')).toBe(20);
    clock.now += 20_000;
    expect(limiter.take('one')).toBe(0);
  });

  it('saves up no more than twice the minute', () => {
    const clock = manualClock();
    const limiter = createClientLimiter({ perMinute: 1, clock });
    limiter.take('one');
    clock.now += 3_600_000;
    expect([1, 2, 3].map(() => limiter.take('one') === 0)).toEqual([true, true, false]);
  });

  it('counts clients apart, and remembers a bounded number of them', () => {
    const limiter = createClientLimiter({ perMinute: 1, clock: manualClock() });
    const before = process.memoryUsage().heapUsed;
    let refused = 0;
    for (let client = 0; client < 300_000; client += 1) refused += limiter.take(`client-${client}`);
    expect(refused).toBe(0);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(150_000_000);
  });

  it('is off for null', () => {
    const limiter = createClientLimiter({ perMinute: null, clock: manualClock() });
    for (let index = 0; index < 1_000; index += 1) expect(limiter.take('one')).toBe(0);
  });
});

describe('the limit on creations', () => {
  it('S21 answers 429 with Retry-After, whatever a client claims to be', async () => {
    const clock = manualClock();
    const http = await startHttp({ app: { creationLimiter: createClientLimiter({ perMinute: 1, clock }) } });
    const answers = [];
    for (let index = 0; index < 10; index += 1) {
      const answer = await http
        .request('post', '/api/links')
        .set('X-Forwarded-For', `10.0.0.${index}`)
        .set('X-Real-IP', `10.0.0.${index}`)
        .set('Forwarded', `for=10.0.0.${index}`)
        .send({ url: `https://example.com/${index}` });
      answers.push(answer);
    }
    expect(answers.map(({ status }) => status)).toEqual([201, 201, ...Array(8).fill(429)]);
    expect(answers[2]?.get('Retry-After')).toBe('60');
    expect(http.fake.commandsCalled).toHaveLength(2);
    const code = answers[0]?.body.code;
    expect((await http.request('get', `/api/links/${code}`)).status).toBe(200);
    expect((await http.request('patch', `/api/links/${code}`).send({ note: 'x' })).status).toBe(200);
    await http.close();
  });

  it('costs a replay nothing, and does not keep its own 429', async () => {
    const clock = manualClock();
    const http = await startHttp({ app: { creationLimiter: createClientLimiter({ perMinute: 1, clock }) } });
    const post = (key: string) =>
      http
        .request('post', '/api/links')
        .set('Idempotency-Key', key)
        .send({ url: `https://example.com/${key}` });
    const statuses = [];
    for (const key of ['a', 'a', 'a', 'b', 'c']) statuses.push((await post(key)).status);
    expect(statuses).toEqual([201, 201, 201, 201, 429]);
    clock.now += 60_000;
    expect((await post('c')).status).toBe(201);
    await http.close();
  });

  it('is one for the form too: as a middleware it goes on, or throws the problem', async () => {
    const clientKey = () => 'one';
    const middleware = limitCreations({
      creationLimiter: createClientLimiter({ perMinute: 1, clock: manualClock() }),
      clientKey,
    });
    let passed = 0;
    const call = () =>
      middleware({} as never, {} as never, () => {
        passed += 1;
      });
    call();
    call();
    expect(call).toThrow('Create the next link in 60 s.');
    expect(passed).toBe(2);
  });
});
