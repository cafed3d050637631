import { type HttpHarness, startHttp } from '../support/http-harness.ts';

describe('health and metrics', () => {
  let http: HttpHarness;
  beforeEach(async () => {
    http = await startHttp();
  });
  afterEach(() => http.close());

  it('lives', async () => {
    const answer = await http.request('get', '/livez');
    expect(answer.body).toEqual({ status: 'ok' });
    expect((await http.request('head', '/livez')).status).toBe(200);
  });

  it('is ready as the composition says, and names what is degraded', async () => {
    expect((await http.request('get', '/readyz')).body).toEqual({ status: 'ok', checks: { links: 'ok' } });
    const rebuild = { fraction: 0.5, recordsDone: 1, recordsTotal: 2 };
    http.readiness = { ready: true, checks: { links: 'ok', statistics: 'being rebuilt' }, rebuild };
    const degraded = await http.request('get', '/readyz');
    expect(degraded.status).toBe(200);
    expect(degraded.body).toMatchObject({ status: 'degraded', rebuild });
    http.readiness = { ready: false, checks: { links: 'being loaded' }, rebuild: null };
    const loading = await http.request('get', '/readyz');
    expect(loading.status).toBe(503);
    expect(loading.get('Retry-After')).toBe('2');
    expect(loading.body.status).toBe('unavailable');
  });

  it('tells its numbers, read when they are asked for', async () => {
    const { metrics } = http.options;
    metrics.recordRedirect('redirected', 0.2);
    metrics.recordRedirect('redirected', 3);
    metrics.recordRedirect('expired', 0.05);
    metrics.recordCommit(7);
    const code = await http.create();
    http.fake.visit(code, 3);
    http.fake.setProgress({ lagMs: 1500 });
    await http.request('get', `/api/links/${code}`);
    await http.request('get', '/api/links/nothere');
    const { text } = await http.request('get', '/metrics');
    for (const line of [
      'tallyhop_redirects_total{outcome="redirected"} 2',
      'tallyhop_redirects_total{outcome="expired"} 1',
      'tallyhop_redirects_total{outcome="used-up"} 0',
      'tallyhop_redirect_duration_seconds_bucket{le="0.0001"} 1',
      'tallyhop_redirect_duration_seconds_bucket{le="0.00025"} 2',
      'tallyhop_redirect_duration_seconds_bucket{le="0.005"} 3',
      'tallyhop_redirect_duration_seconds_bucket{le="+Inf"} 3',
      'tallyhop_redirect_duration_seconds_count 3',
      'tallyhop_commit_duration_seconds_count 1',
      'tallyhop_http_requests_total{route="/api/links/:code",method="GET",status="200"} 1',
      'tallyhop_http_requests_total{route="/api/links/:code",method="GET",status="404"} 1',
      'tallyhop_visits_dropped_total 0',
      'tallyhop_log_end_offset{topic="visits",partition="0"} 7',
      'tallyhop_applied_offset{topic="visits",partition="0"} 3',
      'tallyhop_lag_seconds 1.5',
      'tallyhop_rebuild_progress 1',
      'tallyhop_fold_halted 0',
      'tallyhop_journal_visits 0',
      'tallyhop_links 1',
      'tallyhop_streams 0',
    ]) {
      expect(text.split('\n')).toContain(line);
    }
    expect(text).toContain('nodejs_eventloop_lag_seconds');
    const again = await http.request('get', '/metrics');
    expect(again.text).toContain('tallyhop_redirects_total{outcome="redirected"} 2');
  });

  it('keeps its labels few, whatever paths and methods are asked for', async () => {
    for (let index = 0; index < 20; index += 1) await http.request('get', `/no/such/path${index}`);
    const { text } = await http.request('get', '/metrics');
    expect(text.match(/tallyhop_http_requests_total\{/g)).toHaveLength(1);
    expect(text).toContain('tallyhop_http_requests_total{route="other",method="GET",status="404"} 20');
  });
});
