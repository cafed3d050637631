/** The languages of the pages, and the choice between them: asked for, remembered, or what the browser accepts. */
import { de } from './de.ts';
import { en, type Messages } from './en.ts';

export type Language = keyof typeof languages;

export const languages = { en, de } satisfies Record<string, Messages>;

export function isLanguage(value: unknown): value is Language {
  return typeof value === 'string' && Object.hasOwn(languages, value);
}

/** The best language for an `Accept-Language` header (RFC 9110, 12.5.4); English when none fits. */
export function acceptedLanguage(header: string | undefined): Language {
  const wanted = (header ?? '')
    .slice(0, 500)
    .split(',')
    .map((part, place) => {
      const [range = '', ...parameters] = part.trim().toLowerCase().split(';');
      const weight = parameters.map((p) => /^\s*q=([\d.]+)\s*$/.exec(p)?.[1]).find((q) => q !== undefined);
      return { language: range.split('-')[0], weight: weight === undefined ? 1 : Number(weight), place };
    })
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight || a.place - b.place);
  for (const { language } of wanted) if (isLanguage(language)) return language;
  return 'en';
}
