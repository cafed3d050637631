/** The icons of the pages as inline SVG: drawn in the text's colour, hidden from screen readers, no request. */
import { Html, html } from './html.ts';

const paths = {
  copy: '<rect x="8" y="8" width="12" height="12" rx="2.5"/><path d="M16 8V6.5A2.5 2.5 0 0 0 13.5 4h-7A2.5 2.5 0 0 0 4 6.5v7A2.5 2.5 0 0 0 6.5 16H8"/>',
  share: '<path d="M12 15V4m0 0L8 8m4-4 4 4M5 13v4.5A2.5 2.5 0 0 0 7.5 20h9a2.5 2.5 0 0 0 2.5-2.5V13"/>',
  chart: '<path d="M5 20v-7m7 7V4m7 16v-10"/>',
  qr: '<rect x="4" y="4" width="6" height="6" rx="1"/><rect x="14" y="4" width="6" height="6" rx="1"/><rect x="4" y="14" width="6" height="6" rx="1"/><path d="M14 14h2v2m4-2v2m-6 4h2m4 0h-2v-2"/>',
  theme: '<circle cx="12" cy="12" r="8"/><path d="M12 4a8 8 0 0 1 0 16z" fill="currentColor"/>',
  search: '<circle cx="11" cy="11" r="6.5"/><path d="m16 16 4 4"/>',
  arrow: '<path d="M5 12h14m0 0-5.5-5.5M19 12l-5.5 5.5"/>',
  download: '<path d="M12 4v11m0 0 4-4m-4 4-4-4M5 20h14"/>',
  alert: '<circle cx="12" cy="12" r="8.5"/><path d="M12 8v4.5m0 3v.1"/>',
} as const;

export function icon(name: keyof typeof paths): Html {
  return html`<svg class="icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">${new Html(paths[name])}</svg>`;
}

/** Four strokes and the one that hops over them: a tally of five. */
export const logo = html`<svg class="logo" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true"><path d="M7 14v12M13 14v12M19 14v12M25 14v12"/><path class="hop" d="M3 18C7 3 24 3 29 9"/></svg>`;
