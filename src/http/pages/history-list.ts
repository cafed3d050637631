/** What happened to a link, the latest first: each event with what it changed, told in the reader's words. */
import type { HistoryEntry } from '../../queries/link-history.ts';
import { type Content, type Html, html } from './html.ts';
import { formatNumber, time, type View } from './view.ts';

const shownAtOnce = 5;

export function historyList(view: View, events: readonly HistoryEntry[]): Html {
  const { t } = view;
  const latestFirst = [...events].reverse().map((entry) => item(view, entry));
  const rest = latestFirst.slice(shownAtOnce);
  return html`<section class="card history" aria-labelledby="history">
<h2 id="history">${t.history.title}</h2>
<ol>${latestFirst.slice(0, shownAtOnce)}</ol>
${rest.length > 0 && html`<details class="more"><summary>${t.history.earlier}</summary><ol>${rest}</ol></details>`}
</section>`;
}

function item(view: View, { event, effective, changes }: HistoryEntry): Html {
  const { t } = view;
  const created = event.type === 'LinkCreated';
  const told = Object.entries(changes).filter(([field]) => isField(field));
  return html`<li><p class="history-head"><strong>${t.history[event.type]}</strong> <span class="dim">${time(view, event.at)}</span></p>
${!effective && html`<p class="dim">${t.history.tooLate}</p>`}
${
  told.length > 0 &&
  html`<dl>${told.map(([field, { from, to }]) => html`<div><dt>${isField(field) && t.history[field]}</dt><dd>${!created && !isNothing(from) && html`<del>${shown(view, field, from)}</del> → `}<ins>${shown(view, field, to)}</ins></dd></div>`)}</dl>`
}</li>`;
}

function isNothing(value: unknown): boolean {
  return value === null || (Array.isArray(value) && value.length === 0);
}

/** What the names of the events do not tell by themselves. */
function isField(field: string): field is 'url' | 'expiresAt' | 'maxVisits' | 'tags' | 'note' {
  return ['url', 'expiresAt', 'maxVisits', 'tags', 'note'].includes(field);
}

function shown(view: View, field: string, value: unknown): Content {
  if (isNothing(value)) return view.t.history.nothing;
  if (Array.isArray(value)) return html`<bdi>${value.join(', ')}</bdi>`;
  if (typeof value === 'number') return field === 'expiresAt' ? time(view, value) : formatNumber(view, value);
  return html`<bdi class="note">${String(value)}</bdi>`;
}
