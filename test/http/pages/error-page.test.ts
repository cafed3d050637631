import { pageOfProblem } from '../../../src/http/page-problem.ts';
import { loadAssets } from '../../../src/http/pages/assets.ts';
import { createErrorPages, type PageError } from '../../../src/http/pages/error-page.ts';
import { ProblemError } from '../../../src/http/problem.ts';

const render = createErrorPages({ assets: loadAssets(), nowMs: () => Date.parse('2026-11-22T12:00:00Z') });
const page = (error: PageError, headers = {}) => render({ headers, url: '/abc' }, error);

describe('error pages', () => {
  it.each([
    [{ kind: 'link-not-found', code: 'abc' }, 404, 'Check it for a typo'],
    [
      { kind: 'expired', code: 'abc', expiresAt: Date.parse('2026-11-01T10:00:00Z') },
      410,
      'datetime="2026-11-01T10:00:00.000Z"',
    ],
    [{ kind: 'exhausted', code: 'abc', maxVisits: 1000 }, 410, '(1,000)'],
    [{ kind: 'deleted', code: 'abc', deletedAt: Date.parse('2026-11-02T10:00:00Z') }, 410, 'Nov 2, 2026'],
    [{ kind: 'disabled', code: 'abc' }, 410, 'switched off'],
    [{ kind: 'too-many-requests', retryAfterSeconds: 7 }, 429, 'try again in 7 s'],
    [{ kind: 'unavailable', retryAfterSeconds: 1 }, 503, 'would rather not guess'],
    [{ kind: 'internal', requestId: 'p1-42' }, 500, '<code>p1-42</code>'],
    [{ kind: 'not-found', status: 405 }, 405, 'Page not found'],
  ] as const satisfies readonly (readonly [PageError, number, string])[])(
    'of %j answers %d and says %s',
    (error, status, text) => {
      const answer = page(error);
      expect(answer.status).toBe(status);
      expect(answer.body).toContain(text);
      expect(answer.headers['Cache-Control']).toBe('no-store');
      expect(answer.headers['Content-Security-Policy']).toContain("default-src 'none'");
    },
  );

  it('say when to try again', () => {
    expect(page({ kind: 'unavailable', retryAfterSeconds: 1 }).headers['Retry-After']).toBe('1');
  });

  it('offer a box to make a link where there is none', () => {
    expect(page({ kind: 'disabled', code: 'abc' }).body).toContain('<form id="create"');
    expect(page({ kind: 'internal', requestId: '1' }).body).not.toContain('<form');
  });

  it('speak the language of the request', () => {
    const answer = page({ kind: 'link-not-found', code: 'abc' }, { 'accept-language': 'de' });
    expect(answer.body).toContain('Diesen kurzen Link gibt es nicht');
  });

  it.each([
    ['link-not-found', {}, { kind: 'not-found' }],
    ['too-many-requests', { headers: { 'Retry-After': '3' } }, { kind: 'too-many-requests', retryAfterSeconds: 3 }],
    ['log-unavailable', {}, { kind: 'unavailable', retryAfterSeconds: 1 }],
    ['internal-error', { extensions: { requestId: 'r1' } }, { kind: 'internal', requestId: 'r1' }],
    ['cross-origin', {}, { kind: 'bad-request', status: 403 }],
  ] as const)('tell the problem %s with %j as %j', (slug, members, error) => {
    expect(pageOfProblem(new ProblemError(slug, 'Told.', members))).toEqual(error);
  });
});
