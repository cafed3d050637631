/** A short link as it is handed over: to copy, share, scan, and to look into. */
import { type Content, type Html, html, linkable } from './html.ts';
import { icon } from './icons.ts';
import type { View } from './view.ts';
import { fill } from './view.ts';

export interface ResultLink {
  readonly code: string;
  readonly shortUrl: string;
  readonly url: string;
}

/** @param link null makes the blank that a script fills in */
export function resultCard(view: View, link: ResultLink | null, heading: Content): Html {
  const { t } = view;
  const code = link?.code ?? '';
  const shortUrl = link?.shortUrl ?? '';
  return html`<section class="card result" data-code="${code}">
${heading}
<div class="short">
<a class="short-url" id="short-url" href="${shortUrl}" data-part="short"><bdi>${withoutScheme(shortUrl)}</bdi></a>
<div class="actions">
<button class="primary needs-js" type="button" data-action="copy" data-copy="${shortUrl}">${icon('copy')}<span>${t.result.copy}</span></button>
<button class="needs-js" type="button" data-action="share" data-share="${shortUrl}" hidden>${icon('share')}<span>${t.result.share}</span></button>
<a class="button" href="/stats/${code}" data-part="stats">${icon('chart')}<span>${t.result.stats}</span></a>
</div>
</div>
<p class="target"><span class="dim">${t.result.target}</span> ${link === null ? html`<a href="/" rel="noreferrer nofollow" data-part="target"></a>` : targetLink(link.url)}</p>
<details class="qr">
<summary>${icon('qr')}<span>${t.result.qr}</span></summary>
<div class="qr-body">
<img src="${link === null ? 'data:,' : `/api/links/${code}/qr.svg`}" alt="${fill(t.result.qrAlt, { url: shortUrl })}" width="176" height="176" loading="lazy" data-part="qr">
<div class="actions">
<a class="button" href="/api/links/${code}/qr.svg" download="${code}.svg" data-part="qr-svg">${icon('download')}<span>${t.result.qrSvg}</span></a>
<a class="button" href="/api/links/${code}/qr.png?size=512" download="${code}.png" data-part="qr-png">${icon('download')}<span>${t.result.qrPng}</span></a>
</div>
</div>
</details>
</section>`;
}

/** A target as a link if it may be one, else as text; set apart from the direction of the text around it. */
export function targetLink(url: string): Html {
  const href = linkable(url);
  return href === null
    ? html`<bdi class="url">${url}</bdi>`
    : html`<a class="url" href="${href}" rel="noreferrer nofollow"><bdi>${url}</bdi></a>`;
}

export function withoutScheme(url: string): string {
  return url.replace(/^https?:\/\//, '');
}
