/**
 * What every page does with a script: theme, the browser's time zone, copying, sharing, notices, and moving to another state
 * of the same page by exchanging one region. One file, since every file more is a request more.
 */

export interface PageData {
  readonly language: string;
  readonly t: Readonly<Record<string, string>>;
  readonly [name: string]: unknown;
}

/** The page's first data, as the server wrote it into the page. */
export const data = JSON.parse(document.getElementById('data')?.textContent ?? '{}') as PageData;

const numbers = new Intl.NumberFormat(data.language);
export const formatNumber = (n: number): string => numbers.format(n);

/** A string of the page's language with values in its `{name}` places. */
export function message(name: string, values: Readonly<Record<string, string | number>> = {}): string {
  return fill(data.t[name] ?? '', values);
}

export function fill(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)\}/g, (place, name: string) => String(values[name] ?? place));
}

/** The form of a counted string for `n`. */
export function plural(forms: unknown, n: number): string {
  const { one, other } = forms as { one: string; other: string };
  const form = new Intl.PluralRules(data.language).select(n) === 'one' ? one : other;
  return fill(form, { n: formatNumber(n) });
}

export function find<E extends Element>(selector: string, within: ParentNode = document): E | null {
  return within.querySelector<E>(selector);
}

const noticeMs = 4000;
let noticeEnds = 0;

/** Shows and speaks a notice; with an action it stays for ten seconds. */
export function say(text: string, action?: { readonly label: string; readonly run: () => void }): void {
  const status = find<HTMLElement>('#status');
  if (status === null) return;
  clearTimeout(noticeEnds);
  const clear = () => status.replaceChildren();
  status.replaceChildren(text);
  if (action !== undefined) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = action.label;
    button.addEventListener('click', () => {
      clear();
      action.run();
    });
    status.append(button);
  }
  noticeEnds = setTimeout(clear, action === undefined ? noticeMs : 10_000);
}

export interface ApiAnswer {
  /** 0 when there was no answer at all. */
  readonly status: number;
  readonly retryAfterSeconds: number;
  readonly body: unknown;
}

/** One call of the JSON API; an answer that never came has status 0. */
export async function callApi(
  method: string,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<ApiAnswer> {
  try {
    const response = await fetch(path, {
      method,
      headers: {
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      retryAfterSeconds: Number(response.headers.get('retry-after') ?? 1),
      body: text === '' ? null : JSON.parse(text),
    };
  } catch {
    return { status: 0, retryAfterSeconds: 1, body: null };
  }
}

/** Says why a call of the API did not work. */
export function sayFailure(answer: ApiAnswer): void {
  say(answer.status === 429 ? message('tooMany', { seconds: answer.retryAfterSeconds }) : message('failed'));
}

function remember(name: string, value: string): void {
  // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API does not exist on plain http
  document.cookie = `${name}=${value}; Path=/; Max-Age=31536000; SameSite=Lax`;
}

export const browserZone = new Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';
/** Tells the server the browser's zone from the next page on. True when it did not know it yet. */
export function rememberZone(): boolean {
  const known = document.cookie.split('; ').includes(`tz=${browserZone}`);
  if (!known) remember('tz', browserZone);
  return !known;
}

function switchTheme(): void {
  const root = document.documentElement;
  const dark =
    root.dataset['theme'] === 'dark' || (!root.dataset['theme'] && matchMedia('(prefers-color-scheme: dark)').matches);
  const theme = dark ? 'light' : 'dark';
  root.dataset['theme'] = theme;
  find('meta[name="color-scheme"]')?.setAttribute('content', theme);
  remember('theme', theme);
}

async function copy(button: HTMLElement): Promise<void> {
  const text = button.dataset['copy'] ?? '';
  try {
    await navigator.clipboard.writeText(text);
    say(message('copied'));
  } catch {
    // No permission, or plain http: then the person copies, from a selection that is ready.
    const shown = button.closest('.result')?.querySelector('.short-url') ?? find('h1 bdi');
    const selection = getSelection();
    if (shown !== null && selection !== null) selection.selectAllChildren(shown);
    say(message('copyHelp'));
  }
}

/** Times in the browser's own zone, and distances that grow while one looks. */
export function refreshTimes(within: ParentNode = document): void {
  const format = new Intl.DateTimeFormat(data.language, { dateStyle: 'medium', timeStyle: 'short' });
  for (const element of within.querySelectorAll('time')) {
    const ms = Date.parse(element.dateTime);
    const text = 'ago' in element.dataset ? distance(ms) : format.format(ms);
    if (element.textContent !== text) element.textContent = text;
    if ('ago' in element.dataset) element.title = format.format(ms);
  }
}

const steps = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
] as const;

function distance(ms: number): string {
  const seconds = Math.round((Math.min(ms, Date.now()) - Date.now()) / 1000);
  const [unit, length] = steps.find(([, length]) => -seconds >= length) ?? (['second', 1] as const);
  return new Intl.RelativeTimeFormat(data.language, { numeric: 'auto' }).format(Math.trunc(seconds / length), unit);
}

/** Shows what only some browsers can do. */
export function offerSharing(within: ParentNode = document): void {
  if (typeof navigator.share !== 'function') return;
  for (const button of within.querySelectorAll<HTMLElement>('[data-action="share"]')) button.hidden = false;
}

export interface Swapped {
  readonly status: number;
  /** The data block of the page that came. */
  readonly data: unknown;
}

/** The swap that was asked for last: earlier ones come too late. */
let latestSwap = 0;

/**
 * Exchanges the element with this id for that of the page at `address`. What was unfolded stays unfolded, what had the
 * focus gets it again. Null when nothing came, or something newer was asked for meanwhile.
 */
export async function swapRegion(id: string, address: string): Promise<Swapped | null> {
  const turn = ++latestSwap;
  const region = document.getElementById(id);
  region?.setAttribute('aria-busy', 'true');
  try {
    const response = await fetch(address, { headers: { accept: 'text/html' } });
    const page = new DOMParser().parseFromString(await response.text(), 'text/html');
    const fresh = page.getElementById(id);
    if (turn !== latestSwap || region === null || fresh === null) return null;
    const unfolded = [...region.querySelectorAll('details[open]')].map(keyOf);
    const focused = region.contains(document.activeElement) ? keyOf(document.activeElement as Element) : null;
    region.replaceChildren(...fresh.childNodes);
    document.title = page.title;
    for (const details of region.querySelectorAll('details'))
      if (unfolded.includes(keyOf(details))) details.open = true;
    if (focused !== null)
      [...region.querySelectorAll<HTMLElement>('a, button, input, select, svg, summary')]
        .find((e) => keyOf(e) === focused)
        ?.focus({ preventScroll: true });
    refreshTimes(region);
    offerSharing(region);
    return { status: response.status, data: JSON.parse(page.getElementById('data')?.textContent ?? 'null') };
  } catch {
    return null;
  } finally {
    if (turn === latestSwap) region?.removeAttribute('aria-busy');
  }
}

/** What tells an element from the others of its kind on the page. */
function keyOf(element: Element): string {
  const own =
    element.id || element.getAttribute('name') || element.getAttribute('href') || element.getAttribute('data-key');
  const around = element.closest('[data-dimension]')?.getAttribute('data-dimension') ?? '';
  return `${element.tagName} ${around} ${own ?? element.className}`;
}

/** Puts the state of a form of this page into an address, without its empty fields. */
export function addressOf(form: HTMLFormElement): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of new FormData(form))
    if (typeof value === 'string' && value !== '') parameters.append(name, value);
  const search = parameters.toString();
  return `${new URL(form.action).pathname}${search === '' ? '' : `?${search}`}`;
}

/** Calls `go` for clicks and submissions that stay on this page, and when one goes back to an earlier state of it. */
export function stayOnPage(selector: string, go: (address: string) => void): void {
  document.addEventListener('click', (event) => {
    const link = (event.target as Element).closest<HTMLAnchorElement>(selector);
    if (link === null || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    move(link.href);
  });
  const move = (address: string) => {
    history.pushState(null, '', address);
    go(address);
  };
  document.addEventListener('submit', (event) => {
    const form = event.target as HTMLFormElement;
    if (!form.matches('[data-swap], [role="search"]')) return;
    event.preventDefault();
    move(addressOf(form));
  });
  addEventListener('popstate', () => go(location.href));
}

/** True while the person types, or holds a modifier: then keys are not ours. */
export function isTyping(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement;
  return (
    event.ctrlKey ||
    event.metaKey ||
    event.altKey ||
    target.isContentEditable ||
    find(':is(input, select, textarea):focus') !== null
  );
}

document.addEventListener('click', (event) => {
  const button = (event.target as Element).closest<HTMLElement>('[data-action]');
  switch (button?.dataset['action']) {
    case 'theme':
      return switchTheme();
    case 'copy':
      void copy(button);
      return;
    case 'share':
      // Closing the sheet without sharing rejects: that is a choice, not a failure.
      navigator.share({ url: button.dataset['share'] ?? '' }).catch(() => undefined);
  }
});

offerSharing();
refreshTimes();
setInterval(refreshTimes, 5000);
