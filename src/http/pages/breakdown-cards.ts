/** The cards that split visits by where they came from: eight values each, the rest behind a fold. */
import { type Dimension, dimensions, nameOfNone, nameOfOther } from '../../domain/statistics.ts';
import type { NamedCount, Statistics } from '../../queries/link-statistics.ts';
import { countryDataAttribution } from '../visit-description.ts';
import { type Content, type Html, html } from './html.ts';
import { fill, formatNumber, formatPercent, plural, type View } from './view.ts';

const shownAtOnce = 8;

/** Bots have a card of their own, shown only when bots are. */
export function breakdownCards(view: View, statistics: Statistics, bots: boolean): Html {
  const { t } = view;
  const shown = dimensions.filter((dimension) => dimension !== 'crawlers' || bots);
  const { from, to } = statistics.breakdownRange;
  const widened = Date.parse(from) !== Date.parse(statistics.from) || Date.parse(to) !== Date.parse(statistics.to);
  // The range ends before its last instant.
  const lastMs = Math.max(Date.parse(from), Date.parse(to) - 1);
  const days = new Intl.DateTimeFormat(view.language, { dateStyle: 'medium', timeZone: 'UTC' });
  return html`<section aria-labelledby="breakdowns">
<div class="section-head"><h2 id="breakdowns">${t.stats.breakdowns}</h2>
${widened && statistics.total > 0 && html`<p class="dim">${fill(t.stats.widened, { days: days.formatRange(Date.parse(from), lastMs) })}</p>`}</div>
<div class="cards">${shown.map((dimension) => card(view, dimension, statistics.breakdowns[dimension]))}</div>
<p class="hint" lang="en">${countryDataAttribution}</p>
</section>`;
}

function card(view: View, dimension: Dimension, counts: readonly NamedCount[]): Html {
  const { t } = view;
  const all = counts.reduce((sum, { visits }) => sum + visits, 0);
  const rows = counts.map((count) => row(view, dimension, count, all));
  const rest = rows.slice(shownAtOnce);
  return html`<section class="card breakdown" data-dimension="${dimension}">
<h3>${t.stats[dimension]}</h3>
${
  rows.length === 0
    ? html`<p class="dim">${t.stats.nothing}</p>`
    : html`<ol>${rows.slice(0, shownAtOnce)}</ol>
${rest.length > 0 && html`<details class="more"><summary>${plural(view, t.stats.more, rest.length)}</summary><ol>${rest}</ol></details>`}`
}
</section>`;
}

function row(view: View, dimension: Dimension, { name, visits }: NamedCount, all: number): Html {
  const share = all === 0 ? 0 : visits / all;
  return html`<li><span class="name">${nameOf(view, dimension, name)}</span><span class="value">${formatNumber(view, visits)}</span><span class="share dim">${formatPercent(view, share)}</span><svg class="share-bar" width="100%" height="4" aria-hidden="true"><rect class="share-ground" width="100%" height="4" rx="2"/><rect class="share-fill" width="${Math.round(share * 1000) / 10}%" height="4" rx="2"/></svg></li>`;
}

/** A value in the reader's language where it has a name there; whatever a client sent stays what it is, set apart as text. */
function nameOf(view: View, dimension: Dimension, name: string): Content {
  const { t } = view;
  if (name === nameOfOther) return html`<em>${t.stats.other}</em>`;
  if (name === nameOfNone[dimension]) {
    const none =
      dimension === 'referrers' ? t.stats.direct : dimension === 'campaigns' ? t.stats.noneNamed : t.stats.unknown;
    return html`<em>${none}</em>`;
  }
  if (dimension === 'countries') return displayName(view, 'region', name, /^[A-Z]{2}$/);
  if (dimension === 'languages') return displayName(view, 'language', name, /^[a-z]{2,3}$/);
  if (dimension === 'sources') return name === 'qr' ? t.stats.sourceQr : name === 'link' ? t.stats.sourceLink : name;
  if (dimension === 'devices' && (name === 'desktop' || name === 'mobile' || name === 'tablet')) return t.stats[name];
  return html`<bdi>${name}</bdi>`;
}

function displayName(view: View, type: 'region' | 'language', code: string, shape: RegExp): Content {
  return (shape.test(code) ? new Intl.DisplayNames(view.language, { type }).of(code) : undefined) ?? code;
}
