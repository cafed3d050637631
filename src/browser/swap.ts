/** Moves to another state of the same page: fetches it as the server renders it and exchanges one region. */
import { find, offerSharing, refreshTimes } from './page.ts';

export interface Swapped {
  readonly status: number;
  /** The data block of the page that came. */
  readonly data: unknown;
}

let latest = 0;

/**
 * Exchanges the element with this id for that of the page at `address`. What was unfolded stays unfolded, what had the
 * focus gets it again. Null when nothing came, or something newer was asked for meanwhile.
 */
export async function swapRegion(id: string, address: string): Promise<Swapped | null> {
  const turn = ++latest;
  const region = document.getElementById(id);
  region?.setAttribute('aria-busy', 'true');
  try {
    const response = await fetch(address, { headers: { accept: 'text/html' } });
    const page = new DOMParser().parseFromString(await response.text(), 'text/html');
    const fresh = page.getElementById(id);
    if (turn !== latest || region === null || fresh === null) return null;
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
    if (turn === latest) region?.removeAttribute('aria-busy');
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
