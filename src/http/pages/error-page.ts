/** Pages that tell why there is no answer: a typo, a link that ended, too many requests, an outage, a defect. */
import type { Assets } from './assets.ts';
import { createForm, emptyForm } from './create-form.ts';
import { type Content, type Html, html } from './html.ts';
import { layout } from './layout.ts';
import { pageHeaders } from './send-page.ts';
import { createView, fill, fillHtml, formatNumber, time, type View, type ViewRequest } from './view.ts';

/** What there is to tell. Times in ms. */
export type PageError =
  | { readonly kind: 'not-found' | 'bad-request'; readonly status?: number }
  | { readonly kind: 'link-not-found'; readonly code: string }
  | { readonly kind: 'expired'; readonly code: string; readonly expiresAt: number }
  | { readonly kind: 'exhausted'; readonly code: string; readonly maxVisits: number }
  | { readonly kind: 'deleted'; readonly code: string; readonly deletedAt: number }
  | { readonly kind: 'disabled' | 'loop'; readonly code: string }
  | { readonly kind: 'too-many-requests'; readonly retryAfterSeconds: number }
  | { readonly kind: 'unavailable'; readonly retryAfterSeconds: number }
  | { readonly kind: 'internal'; readonly requestId: string };

export interface ErrorPage {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const statusOf: Readonly<Record<PageError['kind'], number>> = {
  'not-found': 404,
  'bad-request': 400,
  'link-not-found': 404,
  expired: 410,
  exhausted: 410,
  deleted: 410,
  disabled: 410,
  loop: 410,
  'too-many-requests': 429,
  unavailable: 503,
  internal: 500,
};

/** Renders the page of an error, for Express and for the redirect door alike: needs nothing but the request's headers and url. */
export type RenderErrorPage = (request: ViewRequest, error: PageError) => ErrorPage;

export function createErrorPages(site: { readonly assets: Assets; readonly nowMs: () => number }): RenderErrorPage {
  return (request, error) => {
    const view = createView(request, site.nowMs());
    const status = ('status' in error && error.status) || statusOf[error.kind];
    const retry = 'retryAfterSeconds' in error ? { 'Retry-After': String(error.retryAfterSeconds) } : {};
    return {
      status,
      headers: { ...pageHeaders, 'Cache-Control': 'no-store', ...retry },
      body: errorPage(site.assets, view, status, error).toString(),
    };
  };
}

function errorPage(assets: Assets, view: View, status: number, error: PageError): Html {
  const { t } = view;
  const offersForm = status === 404 || status === 410;
  const main = html`<section class="message">
<p class="eyebrow">${fill(t.error.status, { status })}</p>
<h1>${t.error[error.kind]}</h1>
${'code' in error && html`<p class="code-shown"><bdi>/${error.code}</bdi></p>`}
<p class="lead">${explanation(view, error)}</p>
${error.kind === 'internal' && html`<p class="request-id">${fillHtml(t.error.request, { id: html`<code>${error.requestId}</code>` })}</p>`}
${'retryAfterSeconds' in error && html`<p><a class="button" href="${view.path}">${t.error.retry}</a></p>`}
</section>
${offersForm && html`<section class="card form-card"><h2>${t.error.makeOne}</h2>${createForm(view, emptyForm(''), [], true)}</section>`}`;
  return layout(assets, view, { title: t.error[error.kind], script: offersForm ? 'home.js' : 'page.js', main });
}

function explanation(view: View, error: PageError): Content {
  const { t } = view;
  switch (error.kind) {
    case 'expired':
      return fillHtml(t.error.expiredText, { when: time(view, error.expiresAt) });
    case 'deleted':
      return fillHtml(t.error.deletedText, { when: time(view, error.deletedAt) });
    case 'exhausted':
      return fill(t.error.exhaustedText, { limit: formatNumber(view, error.maxVisits) });
    case 'too-many-requests':
      return fill(t.error['too-many-requestsText'], { seconds: error.retryAfterSeconds });
    default:
      return t.error[`${error.kind}Text`];
  }
}
