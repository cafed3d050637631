/**
 * The chart of visits over time as SVG, drawn by the server, with its table twin. Widths are percentages, so it fits any
 * screen with letters of constant size and without a script; a script only reads the values aloud from the table.
 */
import type { Statistics } from '../../queries/link-statistics.ts';
import { type Html, html } from './html.ts';
import { fill, formatNumber, plural, type View } from './view.ts';

export interface ChartInput {
  readonly statistics: Statistics;
  /** Values of the period before, bucket by bucket; empty when there is none. */
  readonly previous: readonly number[];
  readonly bots: boolean;
}

const plotHeight = 208;
const plotTop = 20;
const baseline = plotTop + plotHeight;
const height = baseline + 30;

interface Bar {
  readonly start: number;
  readonly end: number;
  readonly value: number;
  readonly people: number;
  readonly total: number;
}

export function chart(view: View, { statistics, previous, bots }: ChartInput): Html {
  const { t } = view;
  const bars = barsOf(statistics, bots);
  const sum = bars.reduce((all, { value }) => all + value, 0);
  const highest = Math.max(0, ...bars.map(({ value }) => value));
  const scale = niceScale(Math.max(highest, ...previous.slice(0, bars.length)));
  const step = 100 / Math.max(1, bars.length);
  const gap = Math.min(0.8, step * 0.24);
  const y = (value: number) => baseline - (value / scale.max) * plotHeight;
  const label = bucketLabel(view, statistics);
  const summary = summaryOf(view, statistics, bars, sum, highest);
  const ticks = ticksOf(bars.length);

  return html`<figure class="chart" id="chart" aria-labelledby="chart-title">
<figcaption><h2 id="chart-title">${t.stats.chart}</h2><p class="readout" id="readout" aria-live="polite"></p></figcaption>
<svg role="img" aria-labelledby="chart-title chart-summary" aria-describedby="chart-keys" width="100%" height="${height}" tabindex="0" id="plot">
<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch-ground" width="6" height="6"/><line class="hatch-line" x1="0" y1="0" x2="0" y2="6"/></pattern></defs>
${scale.ticks.map((tick) => html`<line class="grid-line" x1="0" x2="100%" y1="${round(y(tick))}" y2="${round(y(tick))}"/><text class="tick" x="0" y="${round(y(tick) - 5)}">${formatNumber(view, tick)}</text>`)}
<g class="bars">${bars.map(({ value, end, start }, i) => {
    const unfinished = start <= view.nowMs && end > view.nowMs;
    // A bucket with a visit is always to be seen, however small beside the others.
    const barHeight = value === 0 ? 0 : Math.max(2, baseline - y(value));
    return html`<rect class="bar${unfinished && ' unfinished'}" x="${round(i * step + gap / 2)}%" width="${round(step - gap)}%" y="${round(baseline - barHeight)}" height="${round(barHeight)}" rx="2"/>`;
  })}</g>
${previous.length > 0 && previousLine(previous.slice(0, bars.length), scale.max)}
<line class="axis" x1="0" x2="100%" y1="${baseline}" y2="${baseline}"/>
<rect class="cursor" id="cursor" x="0" width="${round(step)}%" y="${plotTop}" height="${plotHeight}" visibility="hidden"/>
${ticks.map(({ index, minor }) => {
  const bar = bars[index];
  if (bar === undefined) return null;
  const at = (index + 0.5) * step;
  const anchor = at < 6 ? 'start' : at > 94 ? 'end' : 'middle';
  const x = anchor === 'start' ? index * step : anchor === 'end' ? (index + 1) * step : at;
  return html`<text class="tick${minor && ' minor'}" text-anchor="${anchor}" x="${round(x)}%" y="${height - 8}">${label.short(bar.start)}</text>`;
})}
</svg>
<div class="legend">
<p><span class="key current"></span>${t.stats.current}${previous.length > 0 && html` <span class="key before"></span>${t.stats.previous}`} <span class="key unfinished"></span>${t.stats.unfinished}</p>
<p class="dim" id="zone">${fill(t.stats.zone, { zone: statistics.timezone })}</p>
</div>
<p class="hidden" id="chart-summary">${summary}</p>
<p class="hidden" id="chart-keys">${t.stats.keys}</p>
<details class="twin" id="twin"><summary>${t.stats.table}</summary>
<div class="scroll" tabindex="0" role="region" aria-labelledby="twin-caption">
<table><caption class="hidden" id="twin-caption">${summary}</caption>
<thead><tr><th scope="col">${t.stats.time}</th><th scope="col">${t.stats.people}</th><th scope="col">${t.stats.bots}</th><th scope="col">${t.stats.all}</th></tr></thead>
<tbody>${bars.map(({ start, people, total, value }) => html`<tr data-value="${value}"><th scope="row">${label.long(start)}</th><td>${formatNumber(view, people)}</td><td>${formatNumber(view, total - people)}</td><td>${formatNumber(view, total)}</td></tr>`)}</tbody>
<tfoot><tr><th scope="row">${t.stats.sum}</th><td>${formatNumber(view, statistics.nonBots)}</td><td>${formatNumber(view, statistics.bots)}</td><td>${formatNumber(view, statistics.total)}</td></tr></tfoot>
</table></div></details>
</figure>`;
}

function barsOf(statistics: Statistics, bots: boolean): readonly Bar[] {
  const starts = statistics.series.map(({ start }) => Date.parse(start));
  const rangeEnd = Date.parse(statistics.to);
  return statistics.series.map(({ total, nonBots }, i) => ({
    start: starts[i] ?? 0,
    end: starts[i + 1] ?? rangeEnd,
    value: bots ? total : nonBots,
    people: nonBots,
    total,
  }));
}

function summaryOf(view: View, statistics: Statistics, bars: readonly Bar[], sum: number, highest: number): string {
  const { t } = view;
  const day = new Intl.DateTimeFormat(view.language, { dateStyle: 'medium', timeZone: statistics.timezone });
  const from = day.format(Date.parse(statistics.from));
  // The range ends before its last instant: "up to" names the last day in it.
  const to = day.format(Math.max(Date.parse(statistics.from), Date.parse(statistics.to) - 1));
  const best = bars.find(({ value }) => value === highest);
  if (sum === 0 || best === undefined) return fill(t.stats.summaryNone, { from, to });
  return fill(t.stats.summary, {
    visits: plural(view, t.visits, sum),
    from,
    to,
    max: formatNumber(view, highest),
    when: bucketLabel(view, statistics).long(best.start),
  });
}

/** How buckets are named: short under the axis, long in the table and aloud. */
export function bucketLabel(
  view: View,
  { interval, timezone }: Pick<Statistics, 'interval' | 'timezone'>,
): { readonly short: (ms: number) => string; readonly long: (ms: number) => string } {
  const format = (options: Intl.DateTimeFormatOptions) => {
    const formatter = new Intl.DateTimeFormat(view.language, { ...options, timeZone: timezone });
    return (ms: number) => formatter.format(ms);
  };
  const date = { year: 'numeric', month: 'short', day: 'numeric' } as const;
  switch (interval) {
    case '15m':
    case 'hour':
      return {
        short: format({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }),
        long: format({ ...date, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }),
      };
    case 'day':
      return { short: format({ month: 'short', day: 'numeric' }), long: format({ weekday: 'short', ...date }) };
    case 'week':
      return { short: format({ month: 'short', day: 'numeric' }), long: format(date) };
    case 'month':
      return {
        short: format({ month: 'short', year: '2-digit' }),
        long: format({ month: 'long', year: 'numeric' }),
      };
  }
}

/** A dashed line in a drawing of its own that stretches with the plot, while its stroke does not. */
function previousLine(values: readonly number[], max: number): Html {
  const points = values.map((value, i) => `${i + 0.5},${round(plotHeight - (value / max) * plotHeight)}`).join(' ');
  return html`<svg class="previous" x="0" y="${plotTop}" width="100%" height="${plotHeight}" viewBox="0 0 ${Math.max(1, values.length)} ${plotHeight}" preserveAspectRatio="none"><polyline points="${points}" vector-effect="non-scaling-stroke"/></svg>`;
}

/** A scale from zero that ends at 1, 2, 2.5 or 5 times a power of ten, with two to five whole ticks. */
export function niceScale(highest: number): { readonly max: number; readonly ticks: readonly number[] } {
  if (highest <= 1) return { max: 1, ticks: [1] };
  const rough = highest / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power);
  const whole = Number.isInteger(step) ? step : Math.ceil(step);
  const count = Math.ceil(highest / whole);
  return { max: count * whole, ticks: Array.from({ length: count }, (_, i) => (i + 1) * whole) };
}

/** Which buckets get a label: about seven, of which a narrow screen shows every other one. */
function ticksOf(count: number): readonly { readonly index: number; readonly minor: boolean }[] {
  const every = Math.max(1, Math.ceil(count / 7));
  const ticks: { index: number; minor: boolean }[] = [];
  for (let index = 0; index < count; index += every) ticks.push({ index, minor: (index / every) % 2 === 1 });
  return ticks;
}

function round(n: number): number {
  return Math.round(n * 100) / 100;
}
