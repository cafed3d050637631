/** The list: searches while one types, pages and sorts in place, keeps the counts live. */
import { addressOf, find, isTyping, message, rememberZone, say, stayOnPage, swapRegion } from './page.ts';
import { followTotals } from './totals.ts';

const searchMs = 250;
const search = find<HTMLFormElement>('#search');
const box = find<HTMLInputElement>('#q');
let typing = 0;

rememberZone();
const follow = followTotals();

async function go(address: string): Promise<void> {
  const swapped = await swapRegion('list', address);
  if (swapped === null) return;
  if (swapped.status >= 400) say(message('failed'));
  keepFilters();
  follow();
}

/** The search form carries the filters along: they follow the address. */
function keepFilters(): void {
  const parameters = new URLSearchParams(location.search);
  for (const hidden of search?.querySelectorAll('input[type="hidden"]') ?? []) hidden.remove();
  for (const name of ['tag', 'status', 'sort', 'order']) {
    const value = parameters.get(name);
    if (value === null) continue;
    const hidden = document.createElement('input');
    hidden.type = 'hidden';
    hidden.name = name;
    hidden.value = value;
    search?.append(hidden);
  }
  if (box !== null && document.activeElement !== box) box.value = parameters.get('q') ?? '';
}

stayOnPage(
  '#list .filters a, #list .sort, #list .paging a, #list .row-tags a, #list .empty a[href="/links"]',
  (address) => {
    void go(address).then(() => find('#list')?.scrollIntoView({ block: 'nearest' }));
  },
);

box?.addEventListener('input', () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    if (search === null) return;
    const address = addressOf(search);
    history.replaceState(null, '', address);
    void go(address);
  }, searchMs);
});

document.addEventListener('keydown', (event) => {
  if (event.key !== '/' || isTyping(event)) return;
  event.preventDefault();
  box?.focus();
});
if (location.hash === '#q') box?.focus();
