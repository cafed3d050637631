/** `/links`: the list, searched, filtered, sorted and paged by its address alone, so that it works without a script. */
import type { TagCount } from '../../ports/link-table.ts';
import type { LinkStatus } from '../../queries/link-view.ts';
import type { LinkPage, ListCursor, ListLinksQuery } from '../../queries/list-links.ts';
import type { Assets } from './assets.ts';
import { type Content, type Html, html } from './html.ts';
import { icon } from './icons.ts';
import { layout } from './layout.ts';
import { targetLink, withoutScheme } from './result-card.ts';
import { ago, fill, formatNumber, time, type View } from './view.ts';

const statuses = ['active', 'expired', 'disabled', 'exhausted', 'deleted'] as const satisfies readonly LinkStatus[];
const sorts = ['createdAt', 'visits', 'lastVisitAt'] as const;
const pageSize = 25;
const tagChipMax = 20;

/** The list's query from the address; a member that makes no sense is left out, so that an old bookmark still shows a list. */
export function readListQuery(parameters: URLSearchParams): ListLinksQuery {
  const q = parameters.get('q')?.trim().slice(0, 200) ?? '';
  const tag = parameters.get('tag') ?? '';
  const status = statuses.find((name) => name === parameters.get('status'));
  const sort = sorts.find((name) => name === parameters.get('sort')) ?? 'createdAt';
  const after = readCursor(parameters.get('after') ?? '');
  return {
    ...(q !== '' && { q }),
    ...(tag !== '' && { tag }),
    ...(status !== undefined && { status }),
    sort,
    order: parameters.get('order') === 'asc' ? 'asc' : 'desc',
    ...(after !== undefined && { after }),
    limit: pageSize,
  };
}

function readCursor(text: string): ListCursor | undefined {
  const match = /^(\d{1,16})\.(\d{1,16})$/.exec(text);
  return match === null ? undefined : { value: Number(match[1]), ordinal: Number(match[2]) };
}

/** A page of the list; without numbers while the statistics cannot be read. */
export type ShownPage = Pick<LinkPage, 'links' | 'next'> & { readonly numbersKnown: boolean };

type Change = Partial<Record<'q' | 'tag' | 'status' | 'sort' | 'order' | 'after', string>>;

/** The address of the list with some members changed; any change but paging starts at the first page. */
function listAddress(query: ListLinksQuery, change: Change): string {
  const state: Change = {
    ...(query.q !== undefined && { q: query.q }),
    ...(query.tag !== undefined && { tag: query.tag }),
    ...(query.status !== undefined && { status: query.status }),
    ...(query.sort !== 'createdAt' && { sort: query.sort }),
    ...(query.order !== 'desc' && { order: query.order }),
    ...change,
  };
  const parameters = new URLSearchParams(Object.entries(state).filter(([, value]) => value !== ''));
  const search = parameters.toString();
  return search === '' ? '/links' : `/links?${search}`;
}

export function linksPage(
  assets: Assets,
  view: View,
  query: ListLinksQuery,
  page: ShownPage,
  tags: readonly TagCount[],
  shortUrlOf: (code: string) => string,
): Html {
  const { t } = view;
  const filtered = query.q !== undefined || query.tag !== undefined || query.status !== undefined;
  const chip = (href: string, current: boolean, label: Content) =>
    html`<a class="chip" href="${href}"${current && html` aria-current="true"`}>${label}</a>`;
  const chosen = query.tag?.toLowerCase();
  const shownTags = [...tags].sort((a, b) => b.links - a.links).slice(0, tagChipMax);

  const main = html`<div class="page-head"><h1>${t.links.title}</h1><a class="button primary" href="/">${t.nav.create}</a></div>
<form class="search" role="search" action="/links" method="get" id="search">
${query.tag !== undefined && html`<input type="hidden" name="tag" value="${query.tag}">`}
${query.status !== undefined && html`<input type="hidden" name="status" value="${query.status}">`}
${query.sort !== 'createdAt' && html`<input type="hidden" name="sort" value="${query.sort}">`}
${query.order !== 'desc' && html`<input type="hidden" name="order" value="${query.order}">`}
<label for="q">${t.links.search}</label>
<div class="address"><input id="q" name="q" type="search" autocomplete="off" placeholder="${t.links.searchHint}" value="${query.q}"><button type="submit">${icon('search')}<span>${t.links.find}</span></button></div>
</form>
<div id="list" data-live>
<nav class="filters" aria-label="${t.links.status}">
<span class="dim">${t.links.status}</span>
${chip(listAddress(query, { status: '' }), query.status === undefined, t.links.all)}
${statuses.map((status) => chip(listAddress(query, { status }), query.status === status, t.status[status]))}
</nav>
${
  shownTags.length > 0 &&
  html`<nav class="filters" aria-label="${t.links.tags}"><span class="dim">${t.links.tags}</span>
${shownTags.map(({ name, links }) => {
  const current = name.toLowerCase() === chosen;
  return chip(
    listAddress(query, { tag: current ? '' : name }),
    current,
    html`<bdi>${name}</bdi> <span class="count">${formatNumber(view, links)}</span>`,
  );
})}</nav>`
}
${!page.numbersKnown && html`<p class="notice" role="status">${t.links.withoutNumbers}</p>`}
${page.links.length === 0 ? emptyList(view, filtered) : table(view, query, page, shortUrlOf)}
${
  (page.next !== null || query.after !== undefined) &&
  html`<nav class="paging">
${query.after !== undefined && html`<a class="button" href="${listAddress(query, {})}">${t.links.first}</a>`}
${page.next !== null && html`<a class="button" rel="next" href="${listAddress(query, { after: `${page.next.value}.${page.next.ordinal}` })}">${t.links.next}${icon('arrow')}</a>`}
</nav>`
}
</div>`;
  return layout(assets, view, { title: t.links.title, script: 'links.js', main, current: 'links' });
}

function emptyList(view: View, filtered: boolean): Html {
  const { t } = view;
  return filtered
    ? html`<section class="card empty"><h2>${t.links.nothing}</h2><p class="dim">${t.links.nothingHint}</p><p><a class="button" href="/links">${t.links.clear}</a></p></section>`
    : html`<section class="card empty"><h2>${t.links.empty}</h2><p class="dim">${t.links.emptyHint}</p><p><a class="button primary" href="/">${t.nav.create}</a></p></section>`;
}

function table(
  view: View,
  query: ListLinksQuery,
  { links, numbersKnown }: ShownPage,
  shortUrlOf: (code: string) => string,
): Html {
  const { t } = view;
  const column = (sort: (typeof sorts)[number]) => {
    const current = query.sort === sort;
    const order = current && query.order === 'desc' ? 'asc' : 'desc';
    return html`<th scope="col"${sort === 'visits' && html` class="count"`}${current && html` aria-sort="${query.order === 'desc' ? 'descending' : 'ascending'}"`}><a class="sort" href="${listAddress(query, { sort: sort === 'createdAt' ? '' : sort, order: order === 'desc' ? '' : order })}">${t.links[sort]}</a></th>`;
  };
  return html`<table class="list">
<caption class="hidden">${t.links.caption}</caption>
<thead><tr><th scope="col">${t.links.link}</th>${numbersKnown && [column('visits'), column('lastVisitAt')]}${column('createdAt')}<th scope="col">${t.links.status}</th></tr></thead>
<tbody>${links.map(
    ({ link, status, visits }) => html`<tr>
<td class="link-cell"><a class="row-short" href="/links/${link.code}"><bdi>${withoutScheme(shortUrlOf(link.code))}</bdi></a>
<span class="row-target">${targetLink(link.url)}</span>
${link.note !== null && html`<span class="row-note dim" dir="auto">${link.note}</span>`}
${link.tags.length > 0 && html`<span class="row-tags">${link.tags.map((tag) => html`<a class="chip small" href="${listAddress(query, { tag })}"><bdi>${tag}</bdi></a>`)}</span>`}</td>
${
  numbersKnown &&
  html`<td class="count" data-label="${t.links.visits}"><a class="number" href="/stats/${link.code}" aria-label="${fill(t.links.stats, { code: link.code })}: ${formatNumber(view, visits.nonBots)}" data-total="${link.code}">${formatNumber(view, visits.nonBots)}</a></td>
<td data-label="${t.links.lastVisitAt}">${visits.lastVisitAt === null ? html`<span class="dim">${t.link.noVisit}</span>` : ago(view, visits.lastVisitAt)}</td>`
}
<td data-label="${t.links.createdAt}">${time(view, link.createdAt)}</td>
<td data-label="${t.links.status}"><span class="badge ${status}">${t.status[status]}</span></td>
</tr>`,
  )}</tbody></table>`;
}
