/** `/:code+`: where a short link leads, told before one follows it. Never counts as a visit. */
import { domainToUnicode } from 'node:url';
import type { ShownLink } from '../link-json.ts';
import type { Assets } from './assets.ts';
import { type Html, html, linkable } from './html.ts';
import { icon } from './icons.ts';
import { layout } from './layout.ts';
import { withoutScheme } from './result-card.ts';
import { fill, formatNumber, time, type View } from './view.ts';

export function previewPage(assets: Assets, view: View, { link, status, visits }: ShownLink, shortUrl: string): Html {
  const { t } = view;
  const host = URL.canParse(link.url) ? new URL(link.url).host : link.url;
  const unicode = domainToUnicode(host.replace(/:\d+$/, ''));
  const encoded = unicode !== '' && unicode !== host.replace(/:\d+$/, '');
  const href = linkable(link.url);
  const title = fill(t.preview.title, { code: link.code });
  const main = html`<section class="card preview">
<p class="dim lead-in">${t.preview.lead} <span class="badge ${status}">${t.status[status]}</span></p>
<h1 class="host"><bdi>${host}</bdi></h1>
${encoded && html`<p class="warning">${icon('alert')}<span>${mixesScripts(unicode) ? t.preview.mixed : t.preview.encoded} ${t.preview.unicode}: <bdi>${unicode}</bdi></span></p>`}
<p class="full"><span class="dim">${t.preview.full}</span><br><bdi class="url">${link.url}</bdi></p>
<div class="actions">
${href !== null && status === 'active' && html`<a class="button primary" href="${shortUrl}" rel="noreferrer nofollow">${t.preview.go}${icon('arrow')}</a>`}
<a class="button" href="/stats/${link.code}">${icon('chart')}<span>${t.result.stats}</span></a>
</div>
<dl class="facts">
<div><dt>${t.result.short}</dt><dd><bdi>${withoutScheme(shortUrl)}</bdi></dd></div>
<div><dt>${t.link.created}</dt><dd>${time(view, link.createdAt)}</dd></div>
<div><dt>${t.link.expires}</dt><dd>${link.expiresAt === null ? t.link.never : time(view, link.expiresAt)}</dd></div>
${visits !== null && html`<div><dt>${t.link.visits}</dt><dd>${formatNumber(view, visits.nonBots)}</dd></div>`}
</dl>
<p class="dim">${t.preview.notCounted}</p>
</section>`;
  return layout(assets, view, { title, script: 'page.js', main });
}

/** Letters of more than one of the alphabets that are easily mistaken for one another (Unicode TS 39, mixed-script detection). */
export function mixesScripts(host: string): boolean {
  const scripts = [
    /\p{Script=Latin}/u,
    /\p{Script=Cyrillic}/u,
    /\p{Script=Greek}/u,
    /\p{Script=Armenian}/u,
    /\p{Script=Cherokee}/u,
  ];
  return host.split('.').some((label) => scripts.filter((script) => script.test(label)).length > 1);
}
