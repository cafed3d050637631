/** `/links/:code`: a link as it is kept, where `POST /` leads. Its state is changed by a script through the API. */
import type { LinkView } from '../../queries/link-view.ts';
import type { Assets } from './assets.ts';
import { type Html, html } from './html.ts';
import { layout } from './layout.ts';
import { resultCard } from './result-card.ts';
import { ago, formatNumber, time, type View } from './view.ts';

/**
 * @param fresh how the link came about when a form has just asked for it
 * @param visits false while the numbers are being rebuilt: then none is shown
 */
export function linkPage(
  assets: Assets,
  view: View,
  { link, status, visits }: LinkView,
  shortUrl: string,
  fresh: 'created' | 'existing' | null,
  visitsKnown: boolean,
): Html {
  const { t } = view;
  const heading =
    fresh === null
      ? html`<h1 class="card-title"><span class="dim">${t.result.short}</span> <span class="badge ${status}">${t.status[status]}</span></h1>`
      : html`<h1 class="card-title good">${fresh === 'created' ? t.result.ready : t.result.existing}</h1>`;
  const fact = (term: string, description: Html | string) => html`<div><dt>${term}</dt><dd>${description}</dd></div>`;
  const main = html`${resultCard(view, { code: link.code, shortUrl, url: link.url }, heading)}
<section class="card">
<dl class="facts">
${fact(t.link.status, html`<span class="badge ${status}">${t.status[status]}</span>`)}
${visitsKnown && fact(t.link.visits, html`<a class="number" href="/stats/${link.code}" data-total="${link.code}">${formatNumber(view, visits.nonBots)}</a>`)}
${visitsKnown && fact(t.link.lastVisit, visits.lastVisitAt === null ? t.link.noVisit : ago(view, visits.lastVisitAt))}
${fact(t.link.created, time(view, link.createdAt))}
${link.deletedAt !== null && fact(t.link.deletedAt, time(view, link.deletedAt))}
${fact(t.link.expires, link.expiresAt === null ? t.link.never : time(view, link.expiresAt))}
${fact(t.link.limit, link.maxVisits === null ? t.link.noLimit : formatNumber(view, link.maxVisits))}
${link.tags.length > 0 && fact(t.link.tags, html`${link.tags.map((tag) => html`<a class="chip" href="/links?${new URLSearchParams({ tag }).toString()}"><bdi>${tag}</bdi></a> `)}`)}
${link.note !== null && fact(t.link.note, html`<span class="note" dir="auto">${link.note}</span>`)}
</dl>
</section>
<section class="card needs-js manage" data-link="${link.code}">
<h2>${t.link.manage}</h2>
<p class="dim">${t.link.disableHint}</p>
<div class="actions">
${
  link.deletedAt !== null
    ? html`<button type="button" data-action="restore">${t.link.restore}</button>`
    : html`<button type="button" data-action="${link.disabled ? 'enable' : 'disable'}">${link.disabled ? t.link.enable : t.link.disable}</button>
<button class="danger" type="button" data-action="delete">${t.link.delete}</button>`
}
</div>
</section>
<p class="after"><a href="/">${t.result.another}</a> <a href="/${link.code}+">${t.result.preview}</a></p>`;
  return layout(assets, view, { title: link.code, script: 'link.js', main, data: { codes: [link.code] } });
}
