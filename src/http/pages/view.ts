/**
 * How one request wants its pages: language, theme, time zone and now. Read from the query, from cookies that the
 * pages set themselves, and from `Accept-Language`; anything unexpected in them is ignored.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { type Content, type Html, html } from './html.ts';
import type { Messages } from './messages/en.ts';
import { acceptedLanguage, isLanguage, type Language, languages } from './messages/messages.ts';

export interface View {
  readonly language: Language;
  /** The strings of the language. */
  readonly t: Messages;
  /** Set by the person, or null to follow the system. */
  readonly theme: 'light' | 'dark' | null;
  /** IANA name; UTC until a script has told the browser's zone. */
  readonly timezone: string;
  readonly nowMs: number;
  /** Path and query of the page, for the language switch. */
  readonly path: string;
}

export interface ViewRequest {
  readonly headers: IncomingHttpHeaders;
  /** Path and query as requested. */
  readonly url: string;
}

export function createView(request: ViewRequest, nowMs: number): View {
  const cookies = readCookies(request.headers.cookie);
  const asked = new URLSearchParams(request.url.split('?')[1] ?? '').get('lang');
  const remembered = cookies.get('lang');
  const language = isLanguage(asked)
    ? asked
    : isLanguage(remembered)
      ? remembered
      : acceptedLanguage(request.headers['accept-language']);
  const theme = cookies.get('theme');
  const timezone = cookies.get('tz') ?? 'UTC';
  return {
    language,
    t: languages[language],
    theme: theme === 'light' || theme === 'dark' ? theme : null,
    timezone: isTimeZone(timezone) ? timezone : 'UTC',
    nowMs,
    path: request.url,
  };
}

/** Values of our own cookies; at most 4 KB are looked at. */
function readCookies(header: string | undefined): ReadonlyMap<string, string> {
  const cookies = new Map<string, string>();
  for (const pair of (header ?? '').slice(0, 4096).split(';')) {
    const at = pair.indexOf('=');
    if (at > 0)
      cookies.set(
        pair.slice(0, at).trim(),
        pair
          .slice(at + 1)
          .trim()
          .replaceAll('%2F', '/'),
      );
  }
  return cookies;
}

export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z0-9_+/-]{1,64}$/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** Puts values in the `{name}` places of a string. */
export function fill(message: string, values: Readonly<Record<string, string | number>>): string {
  return message.replace(/\{(\w+)\}/g, (place, name: string) => String(values[name] ?? place));
}

/** The same with markup for values. */
export function fillHtml(message: string, values: Readonly<Record<string, Content>>): Html {
  const parts = message.split(/\{(\w+)\}/);
  return html`${parts.map((part, i) => (i % 2 === 0 ? part : values[part]))}`;
}

/** The form of a counted string for `n`, with `n` written in the language. */
export function plural(view: View, forms: { readonly one: string; readonly other: string }, n: number): string {
  const form = new Intl.PluralRules(view.language).select(n) === 'one' ? forms.one : forms.other;
  return fill(form, { n: formatNumber(view, n) });
}

export function formatNumber(view: View, n: number): string {
  return new Intl.NumberFormat(view.language).format(n);
}

export function formatPercent(view: View, fraction: number, signed = false): string {
  return new Intl.NumberFormat(view.language, {
    style: 'percent',
    maximumFractionDigits: 0,
    ...(signed && { signDisplay: 'exceptZero' }),
  }).format(fraction);
}

/** A moment for people and scripts: printed in the view's zone, which a script may replace by the browser's. */
export function time(view: View, ms: number): Html {
  const text = new Intl.DateTimeFormat(view.language, {
    dateStyle: 'medium',
    timeStyle: 'short',
    timeZone: view.timezone,
  }).format(ms);
  return html`<time datetime="${new Date(ms).toISOString()}">${text}${view.timezone === 'UTC' && ' UTC'}</time>`;
}

/** A moment as its distance from now ("12 seconds ago"), with the moment itself as its title. */
export function ago(view: View, ms: number): Html {
  return html`<time datetime="${new Date(ms).toISOString()}" data-ago>${distance(view, ms)}</time>`;
}

const steps: readonly (readonly [unit: Intl.RelativeTimeFormatUnit, seconds: number])[] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

function distance(view: View, ms: number): string {
  const seconds = Math.round((ms - view.nowMs) / 1000);
  const format = new Intl.RelativeTimeFormat(view.language, { numeric: 'auto' });
  const [unit, length] = steps.find(([, length]) => Math.abs(seconds) >= length) ?? (['second', 1] as const);
  return format.format(Math.trunc(seconds / length), unit);
}
