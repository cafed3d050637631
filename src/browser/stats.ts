/** The statistics page: the live total, the chart read by keyboard and pointer, ranges in place, keys. */
import { type LiveState, openLive, type Totals } from './live.ts';
import {
  addressOf,
  browserZone,
  data,
  fill,
  find,
  formatNumber,
  isTyping,
  message,
  refreshTimes,
  rememberZone,
  say,
  stayOnPage,
  swapRegion,
} from './page.ts';

const code = String(data['code']);
/** The chart is fetched anew at most this often while visits come in. */
const refreshMs = 5000;
const retryMs = 2000;
const announceMs = 10_000;

let latest = data['totals'] as Totals | null;
let state: LiveState = 'reconnecting';
let refresh = 0;
let drawnTotal = latest?.total ?? -1;
let announced = latest?.total ?? 0;
let announcement = 0;

const live = openLive(showTotals, showState);

function showTotals(totals: Totals): void {
  // Totals only grow. A smaller one is an older answer that arrived late.
  if (latest !== null && totals.total < latest.total) return;
  latest = totals;
  paint();
  if (totals.total !== drawnTotal && refresh === 0) refresh = setTimeout(() => void redraw(), refreshMs);
  if (totals.total !== announced && announcement === 0) announcement = setTimeout(announce, announceMs);
}

function paint(): void {
  const element = find<HTMLElement>('#total');
  if (element === null || latest === null) return;
  const text = formatNumber('withBots' in element.dataset ? latest.total : latest.nonBots);
  if (element.textContent !== text) element.textContent = text;
  element.classList.toggle('stale', state === 'offline');
  const last = find('#last-visit time');
  if (last !== null && latest.lastVisitAt !== null)
    last.setAttribute('datetime', new Date(latest.lastVisitAt).toISOString());
  refreshTimes(find('#last-visit') ?? document);
}

function announce(): void {
  announcement = 0;
  const spoken = find('#spoken');
  if (latest === null || spoken === null) return;
  announced = latest.total;
  spoken.textContent = fill(message('visitsNow'), { n: find('#total')?.textContent ?? '' });
}

function showState(next: LiveState): void {
  state = next;
  const button = find<HTMLElement>('#live');
  const text = find('#live-state');
  if (button === null || text === null) return;
  button.dataset['state'] = next;
  if (text.textContent !== message(next)) {
    text.textContent = message(next);
    find('#spoken')?.replaceChildren(message(next));
  }
  paint();
}

/** The same state of the page with the numbers of now. */
async function redraw(): Promise<void> {
  refresh = 0;
  if (document.hidden) {
    refresh = setTimeout(() => void redraw(), refreshMs);
    return;
  }
  await go(location.href);
}

async function go(address: string): Promise<void> {
  const reading = find<HTMLElement>('#cursor')?.dataset['index'];
  const swapped = await swapRegion('figures', address);
  if (swapped === null) {
    if (navigator.onLine && find('[data-retry]') === null) say(message('failed'));
  } else {
    const totals = (swapped.data as { totals: Totals | null } | null)?.totals ?? null;
    drawnTotal = totals?.total ?? -1;
    if (totals !== null && (latest === null || totals.total >= latest.total)) latest = { ...totals, code };
    showState(state);
    offerBrowserZone();
    if (reading !== undefined) read(Number(reading));
  }
  retryWhileWaiting();
}

function retryWhileWaiting(): void {
  if (find('[data-retry]') !== null) setTimeout(() => void go(location.href), retryMs);
}

function offerBrowserZone(): void {
  const select = find<HTMLSelectElement>('#timezone');
  if (select === null || [...select.options].some(({ value }) => value === browserZone)) return;
  select.add(new Option(browserZone.replaceAll('_', ' '), browserZone), 0);
}

/** All zones that the browser knows, once somebody is about to choose: the page need not carry them. */
function offerAllZones(select: HTMLSelectElement): void {
  const offered = new Set([...select.options].map(({ value }) => value));
  const group = document.createElement('optgroup');
  group.label = message('allZones');
  for (const zone of Intl.supportedValuesOf('timeZone'))
    if (!offered.has(zone)) group.append(new Option(zone.replaceAll('_', ' '), zone));
  if (group.childElementCount > 0) select.append(group);
}

/** Marks one bar and reads it aloud; the words are those of the table. */
function read(index: number): void {
  const rows = document.querySelectorAll<HTMLTableRowElement>('#twin tbody tr');
  const row = rows[Math.max(0, Math.min(rows.length - 1, index))];
  const cursor = find<SVGElement>('#cursor');
  const readout = find('#readout');
  if (row === undefined || cursor === null || readout === null) return;
  const at = [...rows].indexOf(row);
  cursor.setAttribute('x', `${(100 / rows.length) * at}%`);
  cursor.setAttribute('visibility', 'visible');
  cursor.dataset['index'] = String(at);
  const text = `${row.cells[0]?.textContent}: ${formatNumber(Number(row.dataset['value']))}`;
  if (readout.textContent !== text) readout.textContent = text;
}

function stopReading(): void {
  const cursor = find<SVGElement>('#cursor');
  cursor?.setAttribute('visibility', 'hidden');
  delete cursor?.dataset['index'];
  find('#readout')?.replaceChildren();
}

function pointAt(event: PointerEvent): void {
  const plot = (event.target as Element).closest('#plot');
  if (plot === null) return;
  const { left, width } = plot.getBoundingClientRect();
  const bars = plot.querySelectorAll('.bars rect').length;
  read(Math.floor(((event.clientX - left) / width) * bars));
}

const figures = find<HTMLElement>('#figures');
figures?.addEventListener('pointermove', pointAt);
figures?.addEventListener('pointerdown', pointAt);
figures?.addEventListener('pointerout', (event) => {
  const inside = (event.relatedTarget as Element | null)?.closest?.('#plot');
  if (!inside && (event.target as Element).closest('#plot') && document.activeElement?.id !== 'plot') stopReading();
});
figures?.addEventListener('focusin', (event) => {
  if (event.target instanceof HTMLSelectElement && event.target.id === 'timezone') offerAllZones(event.target);
  if ((event.target as Element).id === 'plot') read(Number(find<HTMLElement>('#cursor')?.dataset['index'] ?? 1e9));
});
figures?.addEventListener('focusout', (event) => {
  if ((event.target as Element).id === 'plot') stopReading();
});
figures?.addEventListener('keydown', (event) => {
  if ((event.target as Element).id !== 'plot') return;
  const at = Number(find<HTMLElement>('#cursor')?.dataset['index'] ?? 1e9);
  const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: 1e9 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  read(next);
});
figures?.addEventListener('click', (event) => {
  if ((event.target as Element).closest('#live')) toggleLive();
});
figures?.addEventListener('change', (event) => {
  const form = (event.target as HTMLElement).closest<HTMLFormElement>('form[data-at-once]');
  if (form === null) return;
  const address = addressOf(form);
  history.pushState(null, '', address);
  void go(address);
});

function toggleLive(): void {
  if (state === 'paused') live.resume();
  else live.pause();
}

document.addEventListener('keydown', (event) => {
  if (isTyping(event)) return;
  const help = find<HTMLDialogElement>('#help');
  if (help?.open) return;
  if (/^[1-6]$/.test(event.key)) find<HTMLElement>(`[data-key="${event.key}"]`)?.click();
  else if (event.key === 't') find<HTMLElement>('#twin > summary')?.click();
  else if (event.key === 'l') toggleLive();
  else if (event.key === '?') help?.showModal();
  else if (event.key === '/') location.assign('/links#q');
  else return;
  event.preventDefault();
});

stayOnPage('#figures a[data-swap]', (address) => void go(address));
// Drawn in another zone than the browser's, unless the address names one: once, on the first visit.
if (rememberZone() && !new URLSearchParams(location.search).has('timezone') && browserZone !== 'UTC')
  void go(location.href);
else retryWhileWaiting();
offerBrowserZone();
showState(state);
live.want([code]);
