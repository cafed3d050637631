/** From a URL to a number: what one visit changes is told alike in every place, within a second, and only visits count. */

import { modeStartTimeoutMs, modes, startProgramIn } from '../support/modes.ts';
import { botAgent, createProgramClient, eventually } from '../support/program-client.ts';
import type { RunningProgram } from '../support/running-program.ts';

describe.each(modes)('one number, told everywhere (%s)', (mode) => {
  let program: RunningProgram;
  let user: ReturnType<typeof createProgramClient>;

  beforeAll(async () => {
    program = await startProgramIn(mode);
    user = createProgramClient(program);
  }, modeStartTimeoutMs);
  afterAll(() => program.dispose());

  it('shows a visit in statistics, link, list, preview, live feed and overall within a second of its redirect', async () => {
    const { code } = await user.create({ url: 'https://example.org/one-number' });
    const live = user.liveTotals(code);
    expect((await live.next()).value).toMatchObject({ code, total: 0, nonBots: 0, bots: 0 });

    const answer = await user.follow(code, { headers: { referer: 'https://news.example/front?token=secret' } });
    const followedMs = performance.now();
    expect(answer).toMatchObject({ status: 302, location: 'https://example.org/one-number' });

    const numbers = { total: 1, nonBots: 1, bots: 0 };
    const statistics = await user.statisticsAt(code, 1, 1_000);
    expect((await live.next()).value).toMatchObject({ code, ...numbers });
    expect(performance.now() - followedMs).toBeLessThan(1_000);
    await live.return(undefined);

    expect(statistics).toMatchObject({ ...numbers, prefetches: 0, uniqueVisitors: 1 });
    expect(statistics.referrers).toEqual([{ name: 'news.example', visits: 1 }]);
    expect(statistics.series.reduce((sum, bucket) => sum + bucket.total, 0)).toBe(1);
    expect((await user.link(code)).visits).toMatchObject(numbers);
    expect((await user.preview(code)).visits).toMatchObject(numbers);
    const { links } = await user.list();
    expect(links.find((link) => link.code === code)?.visits).toMatchObject(numbers);
    const csv = await user.expectApi<string>(200, 'GET', `/api/links/${code}/stats.csv`);
    const [head = '', row = ''] = csv.split(/\r?\n/);
    const told = Object.fromEntries(head.split(',').map((name, column) => [name, row.split(',')[column]]));
    expect(told).toMatchObject({ total: '1', nonBots: '1' });
  });

  it('finds the statistics by the original URL', async () => {
    const url = 'https://example.org/by-url?b=2&a=1';
    const { code } = await user.create({ url });
    await user.follow(code);
    await user.statisticsAt(code, 1);
    const found = await user.expectApi(200, 'GET', `/api/stats?url=${encodeURIComponent(url)}`);
    expect(found).toMatchObject({ code, url, total: 1 });
  });

  it('counts bots apart, prefetches apart, and HEAD, previews and misses not at all', async () => {
    const { code } = await user.create({ url: 'https://example.org/classes' });
    for (const headers of [
      {},
      {},
      { 'user-agent': botAgent },
      { 'sec-purpose': 'prefetch' },
      { purpose: 'prefetch' },
    ]) {
      expect((await user.follow(code, { headers })).status).toBe(302);
    }
    for (let time = 0; time < 3; time += 1) {
      const head = await user.follow(code, { method: 'HEAD' });
      expect(head).toMatchObject({ status: 302, location: 'https://example.org/classes' });
      await user.preview(code);
      expect((await user.follow(`${code}x`)).status).toBe(404);
    }
    expect((await user.follow(code)).status).toBe(302);

    // The last visit is counted, and all that came before it is in the log before it.
    const statistics = await user.statisticsAt(code, 4);
    expect(statistics).toMatchObject({ total: 4, nonBots: 3, bots: 1, prefetches: 2 });
    expect(statistics.crawlers).toEqual([{ name: expect.stringMatching(/google/i), visits: 1 }]);
  });

  it('keeps the numbers over a restart, and shows none smaller than before', async () => {
    const { code } = await user.create({ url: 'https://example.org/restart' });
    for (let visit = 1; visit <= 25; visit += 1) await user.follow(code);
    const before = await user.statisticsAt(code, 25);
    await program.restart();
    const first = await eventually('the statistics answer', async () => {
      const answer = await user.api<typeof before>('GET', `/api/links/${code}/stats?asOf=${before.position.token}`);
      return answer.status === 200 ? answer.body : undefined;
    });
    expect(first).toMatchObject({ total: 25, nonBots: 25, uniqueVisitors: before.uniqueVisitors });
    expect(first.referrers).toEqual(before.referrers);
  });
});
