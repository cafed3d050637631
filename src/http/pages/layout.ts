/** The frame of every page: head, header with the switches for theme and language, main, footer. */
import type { Assets } from './assets.ts';
import { type Content, type Html, html, jsonScript } from './html.ts';
import { icon, logo } from './icons.ts';
import { type Language, languages } from './messages/messages.ts';
import type { View } from './view.ts';

export interface Page {
  readonly title: string;
  /** Name of the page's script, as `home.js`. */
  readonly script: string;
  readonly main: Html;
  /** Further content of the head. */
  readonly head?: Content;
  /** First data for the script, so that it needs no second round trip. */
  readonly data?: Readonly<Record<string, unknown>>;
  /** The navigation's current place. */
  readonly current?: 'create' | 'links';
  /** False keeps the page out of search engines. */
  readonly indexed?: boolean;
}

export function layout(assets: Assets, view: View, page: Page): Html {
  const { t } = view;
  const place = (name: 'create' | 'links') => page.current === name && html` aria-current="page"`;
  return html`<!doctype html>
<html lang="${view.language}" dir="ltr"${view.theme !== null && html` data-theme="${view.theme}"`}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="${view.theme ?? 'light dark'}">
${page.indexed !== true && html`<meta name="robots" content="noindex">`}
<title>${page.title} · Tallyhop</title>
<link rel="icon" href="${assets.icon}" type="image/svg+xml">
<link rel="stylesheet" href="${assets.address('style.css')}">
<script type="module" src="${assets.address(page.script)}"></script>
${assets.imports(page.script).map((address) => html`<link rel="modulepreload" href="${address}">`)}
${page.head}
</head>
<body>
<a class="skip" href="#main">${t.skip}</a>
<header class="top">
<a class="brand" href="/">${logo}<span>Tallyhop</span></a>
<nav aria-label="${t.nav.label}">
<a href="/"${place('create')}>${t.nav.create}</a>
<a href="/links"${place('links')}>${t.nav.links}</a>
<a class="wide" href="/api/docs">${t.nav.docs}</a>
</nav>
<button class="quiet icon-only needs-js" type="button" data-action="theme" aria-label="${t.nav.theme}" title="${t.nav.theme}">${icon('theme')}</button>
</header>
<main id="main" tabindex="-1">
${page.main}
</main>
<footer>
<p>${t.footer}</p>
<p class="languages" role="group" aria-label="${t.nav.language}">${(Object.keys(languages) as Language[]).map(
    (language) =>
      html`<a href="${withLanguage(view.path, language)}" lang="${language}" hreflang="${language}"${language === view.language && html` aria-current="true"`}>${languages[language].name}</a>`,
  )}</p>
</footer>
<div class="toast" role="status" aria-live="polite" id="status"></div>
${jsonScript('data', { language: view.language, t: t.client, ...page.data })}
</body>
</html>
`;
}

function withLanguage(path: string, language: Language): string {
  const [pathname = '/', query] = path.split('?');
  const parameters = new URLSearchParams(query);
  parameters.set('lang', language);
  return `${pathname}?${parameters}`;
}
