/**
 * The template of every page: a tagged literal that escapes whatever is put into it, so that forgetting is safe.
 * It knows nothing of pages; only markup written in our own sources is ever taken as markup.
 */

/** Markup that is safe to send. Made by {@link html} and {@link jsonScript} alone. */
export class Html {
  readonly #markup: string;
  constructor(markup: string) {
    this.#markup = markup;
  }
  toString(): string {
    return this.#markup;
  }
}

/** What may stand in a template: text is escaped, markup is kept, lists are joined, nothing is left out. */
export type Content = Html | string | number | null | undefined | false | readonly Content[];

export function html(literals: TemplateStringsArray, ...contents: readonly Content[]): Html {
  let markup = literals[0] ?? '';
  contents.forEach((content, i) => {
    markup += render(content) + (literals[i + 1] ?? '');
  });
  return new Html(markup);
}

/**
 * A data block that a script of ours reads. `<` is written as an escape of JSON, so that no value can end the block
 * (HTML Standard, "Restrictions for contents of script elements").
 */
export function jsonScript(id: string, value: unknown): Html {
  const json = JSON.stringify(value).replaceAll('<', '\\u003c');
  return new Html(`<script type="application/json" id="${escapeText(id)}">${json}</script>`);
}

/** The target if it may become a link: only http and https, whatever else was stored or handed in. */
export function linkable(url: string): string | null {
  return /^https?:\/\//i.test(url) ? url : null;
}

function render(content: Content): string {
  if (content === null || content === undefined || content === false) return '';
  if (content instanceof Html) return content.toString();
  if (typeof content === 'string') return escapeText(content);
  if (typeof content === 'number') return String(content);
  return content.map(render).join('');
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? '');
}
