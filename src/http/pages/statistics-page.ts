/** `/stats/:code`: one link's numbers over a range, complete as sent; a script keeps them live and moves between ranges. */
import type { Link } from '../../domain/link.ts';
import type { FieldError } from '../../domain/refusal.ts';
import type { RebuildProgress } from '../../ports/statistics-read-model.ts';
import type { Statistics } from '../../queries/link-statistics.ts';
import type { LinkView } from '../../queries/link-view.ts';
import type { ShownLink } from '../link-json.ts';
import { countryDataAttribution } from '../visit-description.ts';
import type { Assets } from './assets.ts';
import { breakdownCards } from './breakdown-cards.ts';
import { bucketLabel, chart } from './chart.ts';
import { type Content, type Html, html } from './html.ts';
import { icon } from './icons.ts';
import { layout } from './layout.ts';
import { targetLink, withoutScheme } from './result-card.ts';
import { intervals, rangeNames, type StatisticsState, statisticsAddress } from './statistics-range.ts';
import { ago, fill, formatNumber, formatPercent, plural, time, type View } from './view.ts';

/** What there is to show. */
export type StatisticsFigures =
  | {
      readonly kind: 'ready';
      /** All-time. */
      readonly visits: LinkView['visits'];
      readonly statistics: Statistics;
      /** The period before, or null when there is none to compare with. */
      readonly previous: Statistics | null;
      readonly today: Statistics | null;
      /** The range by days, to find its best; null when a day says nothing about it. */
      readonly daily: Statistics | null;
    }
  | { readonly kind: 'invalid'; readonly errors: readonly FieldError[] }
  | { readonly kind: 'rebuilding'; readonly progress: RebuildProgress }
  | { readonly kind: 'unavailable' };

export function statisticsPage(
  assets: Assets,
  view: View,
  shown: ShownLink,
  shortUrl: string,
  state: StatisticsState,
  figures: StatisticsFigures,
): Html {
  const { t } = view;
  const { link, status } = shown;
  const main = html`<section class="stats-head">
<div>
<p class="eyebrow">${t.stats.heading}</p>
<h1><a href="/links/${link.code}"><bdi>${breakable(withoutScheme(shortUrl))}</bdi></a> ${status !== 'active' && html`<span class="badge ${status}">${t.status[status]}</span>`}</h1>
<p class="target">${targetLink(link.url)}</p>
<p class="dim">${t.link.created} ${time(view, link.createdAt)}</p>
</div>
<div class="actions">
<button class="needs-js" type="button" data-action="copy" data-copy="${shortUrl}">${icon('copy')}<span>${t.result.copy}</span></button>
<a class="button" href="/links/${link.code}">${icon('qr')}<span>${t.result.qr}</span></a>
</div>
</section>
<div id="figures">${figuresOf(view, link, state, figures)}</div>
<p class="hidden" id="spoken" role="status"></p>
<dialog id="help" aria-labelledby="help-title"><h2 id="help-title">${t.stats.help}</h2>
<dl class="keys"><div><dt><kbd>1</kbd>–<kbd>6</kbd></dt><dd>${t.stats.keyRanges}</dd></div><div><dt><kbd>t</kbd></dt><dd>${t.stats.keyTable}</dd></div><div><dt><kbd>l</kbd></dt><dd>${t.stats.keyLive}</dd></div><div><dt><kbd>/</kbd></dt><dd>${t.stats.keySearch}</dd></div><div><dt><kbd>?</kbd></dt><dd>${t.stats.keyHelp}</dd></div></dl>
<form method="dialog"><button type="submit">${t.stats.close}</button></form></dialog>`;
  return layout(assets, view, {
    title: fill(t.stats.title, { code: link.code }),
    script: 'stats.js',
    main,
    head:
      figures.kind === 'rebuilding' || figures.kind === 'unavailable'
        ? html`<noscript><meta http-equiv="refresh" content="3"></noscript>`
        : null,
    data: {
      code: link.code,
      // No number while they are rebuilt: a script would take it for one to begin with.
      totals: figures.kind === 'ready' ? figures.visits : null,
    },
  });
}

/** Breaks a short link before its code rather than within. */
function breakable(shortUrl: string): Html {
  const [host = '', code = ''] = shortUrl.split(/(?<=\/)/);
  return html`${host}<wbr>${code}`;
}

function figuresOf(view: View, link: Link, state: StatisticsState, figures: StatisticsFigures): Content {
  const { t } = view;
  switch (figures.kind) {
    case 'rebuilding':
      return html`<section class="card banner" data-retry><h2>${fill(t.stats.rebuilding, { percent: formatPercent(view, Math.floor(figures.progress.fraction * 100) / 100) })}</h2>
<progress max="1" value="${figures.progress.fraction}" aria-label="${fill(t.stats.rebuilding, { percent: '' })}"></progress><p class="dim">${t.stats.rebuildingHint}</p></section>`;
    case 'unavailable':
      return html`<section class="card banner" data-retry><h2>${t.stats.unavailable}</h2><p class="dim">${t.stats.unavailableHint}</p></section>`;
    case 'invalid':
      return html`${controls(view, link.code, state, null)}
<section class="card banner" role="alert"><h2>${t.stats.invalid}</h2><ul>${figures.errors.map(({ detail }) => html`<li>${detail}</li>`)}</ul></section>`;
    case 'ready':
      return ready(view, link, state, figures);
  }
}

function ready(
  view: View,
  link: Link,
  state: StatisticsState,
  { visits, statistics, previous, today, daily }: Extract<StatisticsFigures, { kind: 'ready' }>,
): Content {
  const { t } = view;
  const counted = (numbers: { readonly total: number; readonly nonBots: number }) =>
    state.bots ? numbers.total : numbers.nonBots;
  const inRange = counted(statistics);
  const never = visits.total === 0;
  const bots = state.bots ? t.stats.botsShown : t.stats.botsHidden;
  const query = new URLSearchParams({
    from: statistics.from,
    to: statistics.to,
    interval: statistics.interval,
    timezone: statistics.timezone,
  });
  const exported = (name: string) => `/api/links/${link.code}/${name}?${query}`;
  return html`<section class="kpis" aria-label="${t.stats.heading}">
<div class="kpi main"><p class="kpi-name">${t.stats.total}</p><p class="kpi-value" id="total" data-total="${link.code}"${state.bots && html` data-with-bots`}>${formatNumber(view, counted(visits))}</p></div>
<div class="kpi"><p class="kpi-name">${t.stats.inRange}</p><p class="kpi-value" id="in-range">${formatNumber(view, inRange)}</p>${previous !== null && html`<p class="kpi-note dim">${changeOf(view, inRange, counted(previous))}</p>`}</div>
<div class="kpi"><p class="kpi-name">${t.stats.today}</p><p class="kpi-value">${today === null ? t.stats.none : formatNumber(view, counted(today))}</p></div>
<div class="kpi"><p class="kpi-name">${t.stats.unique}</p><p class="kpi-value">${formatNumber(view, Math.min(statistics.uniqueVisitors, statistics.nonBots))}</p><p class="kpi-note dim">${t.stats.uniqueHint}</p></div>
<div class="kpi"><p class="kpi-name">${t.stats.lastVisit}</p><p class="kpi-value text" id="last-visit">${visits.lastVisitAt === null ? t.stats.never : ago(view, visits.lastVisitAt)}</p></div>
<div class="kpi"><p class="kpi-name">${t.stats.best}</p>${bestDay(view, daily, state.bots)}</div>
</section>
${controls(view, link.code, state, statistics)}
${
  inRange === 0
    ? html`<section class="card empty"><h2>${never ? t.stats.empty : t.stats.emptyRange}</h2><p class="dim">${never ? t.stats.emptyHint : t.stats.emptyRangeHint}</p></section>`
    : html`<section class="card chart-card">${chart(view, { statistics, previous: previous === null || counted(previous) === 0 ? [] : previous.series.map(counted), bots: state.bots })}</section>`
}
<div class="below">
<p class="freshness"><button class="live needs-js" type="button" id="live" title="${t.stats.keyLive}"><span class="dot"></span><span id="live-state">${t.stats.live}</span></button> <span class="dim" id="freshness">${freshness(view, statistics)}</span></p>
<p class="dim">${plural(view, bots, statistics.bots)} · <a data-swap href="${statisticsAddress(link.code, { ...state, bots: !state.bots })}">${state.bots ? t.stats.botsHide : t.stats.botsShow}</a></p>
<p class="actions"><span class="dim">${t.stats.export}</span> <a class="button small" href="${exported('stats.csv')}" download="${link.code}.csv">CSV</a> <a class="button small" href="${exported('stats')}">JSON</a></p>
</div>
${inRange > 0 && [breakdownCards(view, statistics, state.bots), html`<p class="attribution" lang="en">${countryDataAttribution}</p>`]}`;
}

function freshness(view: View, { position }: Statistics): string {
  const seconds = new Intl.NumberFormat(view.language, { maximumFractionDigits: 1 }).format(position.lagMs / 1000);
  return fill(view.t.stats.freshness, { offset: formatNumber(view, position.nextOffset), lag: seconds });
}

function changeOf(view: View, now: number, before: number): string {
  const { t } = view;
  if (now === before) return t.stats.same;
  // From nothing there is no percentage: the difference itself is told.
  const change =
    before === 0
      ? new Intl.NumberFormat(view.language, { signDisplay: 'exceptZero' }).format(now)
      : formatPercent(view, (now - before) / before, true);
  return fill(t.stats.change, { change });
}

function bestDay(view: View, daily: Statistics | null, bots: boolean): Html {
  const { t } = view;
  if (daily === null) return html`<p class="kpi-value">${t.stats.none}</p>`;
  const counted = daily.series.map((bucket) => (bots ? bucket.total : bucket.nonBots));
  const highest = Math.max(0, ...counted);
  const bucket = daily.series[counted.indexOf(highest)];
  if (highest === 0 || bucket === undefined) return html`<p class="kpi-value">${t.stats.none}</p>`;
  const label = bucketLabel(view, { interval: 'day', timezone: daily.timezone });
  return html`<p class="kpi-value">${formatNumber(view, highest)}</p><p class="kpi-note dim">${label.long(Date.parse(bucket.start))}</p>`;
}

const hourMs = 3_600_000;
const intervalMs: Readonly<Record<(typeof intervals)[number], number>> = {
  '15m': hourMs / 4,
  hour: hourMs,
  day: 24 * hourMs,
  week: 7 * 24 * hourMs,
  month: 30 * 24 * hourMs,
};
/** More bars than this cannot be told apart on a screen. */
const barsMax = 400;

/** A zone for every offset in wide use; a script adds the others, and the address can name any. */
const commonZones = [
  'UTC',
  'Pacific/Honolulu',
  'America/Anchorage',
  'America/Los_Angeles',
  'America/Denver',
  'America/Chicago',
  'America/New_York',
  'America/Halifax',
  'America/St_Johns',
  'America/Sao_Paulo',
  'Europe/London',
  'Europe/Berlin',
  'Europe/Helsinki',
  'Africa/Lagos',
  'Africa/Nairobi',
  'Asia/Dubai',
  'Asia/Karachi',
  'Asia/Kolkata',
  'Asia/Kathmandu',
  'Asia/Dhaka',
  'Asia/Bangkok',
  'Asia/Shanghai',
  'Asia/Tokyo',
  'Australia/Adelaide',
  'Australia/Sydney',
  'Pacific/Auckland',
  'Pacific/Apia',
] as const;

function controls(view: View, code: string, state: StatisticsState, statistics: Statistics | null): Html {
  const { t } = view;
  const rangeLink = (name: (typeof rangeNames)[number], i: number) =>
    html`<a class="chip" data-swap data-key="${i + 1}" href="${statisticsAddress(code, { ...state, range: name, from: '', to: '', interval: null })}"${state.range === name && html` aria-current="true"`}>${t.stats[`range-${name}`]}</a>`;
  const length = statistics === null ? 0 : Date.parse(statistics.to) - Date.parse(statistics.from);
  const fitting = intervals.filter((name) => {
    const bars = length / intervalMs[name];
    return name === state.interval || (bars >= 2 && bars <= barsMax);
  });
  const zones = [...new Set([state.timezone, ...commonZones])];
  const hidden = (name: string, value: string | false) =>
    value !== false && html`<input type="hidden" name="${name}" value="${value}">`;
  const custom = state.range === 'custom';
  return html`<section class="controls" aria-label="${t.stats.ranges}">
<div class="ranges">
<nav class="filters" aria-label="${t.stats.ranges}">${rangeNames.filter((name) => name !== 'custom').map(rangeLink)}</nav>
<details class="custom" id="custom"${custom && html` open`}><summary class="chip" data-key="6"${custom && html` aria-current="true"`}>${t.stats['range-custom']}</summary>
<form action="/stats/${code}" method="get" data-swap>
${hidden('range', 'custom')}${hidden('timezone', state.timezoneGiven && state.timezone)}${hidden('bots', state.bots && '1')}
<label>${t.stats.from} <input type="date" name="from" required value="${state.from}"></label>
<label>${t.stats.to} <input type="date" name="to" required value="${state.to}"></label>
<button type="submit">${t.stats.show}</button>
</form></details>
</div>
<form class="selects" action="/stats/${code}" method="get" data-swap data-at-once>
${hidden('range', state.range !== '7d' && state.range)}${custom && html`${hidden('from', state.from)}${hidden('to', state.to)}`}${hidden('bots', state.bots && '1')}
<label>${t.stats.interval} <select name="interval"><option value=""${state.interval === null && html` selected`}>${t.stats.automatic}${state.interval === null && statistics !== null && ` (${t.stats[`interval-${statistics.interval}`]})`}</option>${fitting.map((name) => html`<option value="${name}"${state.interval === name && html` selected`}>${t.stats[`interval-${name}`]}</option>`)}</select></label>
<label>${t.stats.timezone} <select name="timezone" id="timezone">${zones.map((zone) => html`<option value="${zone}"${state.timezone === zone && html` selected`}>${zone.replaceAll('_', ' ')}</option>`)}</select></label>
<button class="no-js" type="submit">${t.stats.show}</button>
</form>
</section>`;
}
