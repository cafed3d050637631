/** Numbers on the page that follow the live totals: every element with `data-total="code"`. */
import { openLive, type Totals } from './live.ts';
import { formatNumber } from './page.ts';

/** Follows all totals on the page; call the result again after elements came or went. */
export function followTotals(): () => void {
  const live = openLive(showTotals, () => undefined);
  const follow = () => {
    const codes = [...document.querySelectorAll<HTMLElement>('[data-total]')].map(
      (element) => element.dataset['total'] ?? '',
    );
    live.want([...new Set(codes)]);
  };
  follow();
  return follow;
}

export function showTotals(totals: Totals): void {
  const text = formatNumber(totals.nonBots);
  for (const element of document.querySelectorAll<HTMLElement>(`[data-total="${totals.code}"]`)) {
    const before = element.textContent;
    if (before === text) continue;
    element.textContent = text;
    const label = element.getAttribute('aria-label');
    if (label !== null && before !== null) element.setAttribute('aria-label', label.replace(/[^ ]*$/, text));
  }
}
