/** `/`: the form, and on this device the links made last. */
import type { FieldError } from '../../domain/refusal.ts';
import type { Assets } from './assets.ts';
import { createForm, type TypedForm } from './create-form.ts';
import { type Html, html } from './html.ts';
import { layout } from './layout.ts';
import { resultCard } from './result-card.ts';
import type { View } from './view.ts';

export function homePage(
  assets: Assets,
  view: View,
  form: TypedForm,
  errors: readonly FieldError[],
  baseUrl: string,
): Html {
  const { t } = view;
  const main = html`<section class="hero">
<h1>${t.home.title}</h1>
<p class="lead">${t.home.lead}</p>
</section>
<section class="card form-card" id="form-card">${createForm(view, form, errors)}</section>
<template id="result">${resultCard(view, null, html`<h2 tabindex="-1" data-part="heading">${t.result.ready}</h2>`)}<p class="after"><button class="quiet" type="button" data-action="another">${t.result.another}</button></p></template>
<div id="results" aria-live="polite"></div>
<section class="recent" id="recent" hidden>
<div class="section-head"><h2>${t.home.recent}</h2><p class="dim">${t.home.recentHint}</p><button class="quiet" type="button" data-action="clear-recent">${t.home.clear}</button></div>
<ul class="rows" id="recent-list"></ul>
</section>
<template id="recent-row"><li class="row"><div class="row-main"><a class="row-short" href="/" data-part="short"></a><span class="row-target dim" data-part="target"></span></div><a class="row-count" href="/" data-part="stats"></a></li></template>`;
  return layout(assets, view, {
    title: t.home.title,
    script: 'home.js',
    main,
    current: 'create',
    indexed: true,
    head: html`<meta name="description" content="${t.tagline}">`,
    data: {
      baseUrl,
      refused: t.refused,
      errors: t.home.errors,
      creating: t.home.creating,
      visits: t.visits,
      ready: t.result.ready,
      existing: t.result.existing,
    },
  });
}
