/** `/links/:code`: a link as it is kept, where `POST /` leads. Its state is changed by a script through the API. */
import type { HistoryEntry } from '../../queries/link-history.ts';
import type { ShownLink } from '../link-json.ts';
import type { Assets } from './assets.ts';
import { editForm } from './edit-form.ts';
import { historyList } from './history-list.ts';
import { type Html, html } from './html.ts';
import { layout } from './layout.ts';
import { resultCard } from './result-card.ts';
import { ago, formatNumber, time, type View } from './view.ts';

/**
 * @param fresh how the link came about when a form has just asked for it
 */
export function linkPage(
  assets: Assets,
  view: View,
  { link, status, visits }: ShownLink,
  shortUrl: string,
  fresh: 'created' | 'existing' | null,
  history: readonly HistoryEntry[],
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
${fresh !== null && fact(t.link.status, html`<span class="badge ${status}">${t.status[status]}</span>`)}
${visits !== null && fact(t.link.visits, html`<a class="number" href="/stats/${link.code}" data-total="${link.code}">${formatNumber(view, visits.nonBots)}</a>`)}
${visits !== null && fact(t.link.lastVisit, visits.lastVisitAt === null ? t.link.noVisit : ago(view, visits.lastVisitAt))}
${fact(t.link.created, time(view, link.createdAt))}
${link.deletedAt !== null && fact(t.link.deletedAt, time(view, link.deletedAt))}
${fact(t.link.expires, link.expiresAt === null ? t.link.never : time(view, link.expiresAt))}
${fact(t.link.limit, link.maxVisits === null ? t.link.noLimit : formatNumber(view, link.maxVisits))}
${link.tags.length > 0 && fact(t.link.tags, html`<span class="row-tags">${link.tags.map((tag) => html`<a class="chip small" href="/links?${new URLSearchParams({ tag }).toString()}"><bdi>${tag}</bdi></a>`)}</span>`)}
${link.note !== null && html`<div class="whole"><dt>${t.link.note}</dt><dd class="note" dir="auto">${link.note}</dd></div>`}
</dl>
</section>
<section class="card needs-js manage" data-link="${link.code}">
<h2>${t.link.manage}</h2>
${link.deletedAt === null && editForm(view, link)}
<div class="actions">
${
  link.deletedAt !== null
    ? html`<button type="button" data-action="restore">${t.link.restore}</button>`
    : html`<button type="button" data-action="${link.disabled ? 'enable' : 'disable'}">${link.disabled ? t.link.enable : t.link.disable}</button>
<button class="danger" type="button" data-action="delete">${t.link.delete}</button>`
}
</div>
<p class="dim">${t.link.disableHint}</p>
</section>
${historyList(view, history)}
<p class="after"><a href="/">${t.result.another}</a> <a href="/${link.code}+">${t.result.preview}</a></p>`;
  return layout(assets, view, {
    title: link.code,
    script: 'link.js',
    main,
    data: { refused: t.refused, errors: t.home.errors },
  });
}
