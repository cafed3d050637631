/** What the forms that make and change a link have in common: the summary of errors, and fields tied to hint and error. */
import type { FieldError } from '../../domain/refusal.ts';
import { type Content, type Html, html } from './html.ts';
import { plural, type View } from './view.ts';

export interface FormFields {
  /** Attributes that tie a field to its hint and error. */
  described(name: string, hint: boolean): Content;
  /** The place of a field's error; a script fills it too. */
  error(name: string): Html;
  readonly summary: Html;
  maxVisits(typed: string): Html;
  tags(typed: string): Html;
  note(typed: string): Html;
}

/** @param errors the first one's field gets the focus */
export function formFields(view: View, errors: readonly FieldError[]): FormFields {
  const { t } = view;
  const errorOf = (name: string) =>
    errors.find(({ field }) => field === name || field.startsWith(`${name}[`) || field.startsWith(`${name}.`));
  const wording = (error: FieldError | undefined) => error && (t.refused[error.code] ?? error.detail);

  const described = (name: string, hint: boolean): Content => {
    const error = errorOf(name);
    const ids = [hint && `${name}-hint`, error && `${name}-error`].filter(Boolean).join(' ');
    return [
      ids !== '' && html` aria-describedby="${ids}"`,
      error !== undefined && html` aria-invalid="true"`,
      error !== undefined && error === errors[0] && html` autofocus`,
    ];
  };
  const error = (name: string): Html =>
    html`<p class="field-error" id="${name}-error"${!errorOf(name) && html` hidden`}>${wording(errorOf(name))}</p>`;

  return {
    described,
    error,
    summary: html`<div class="summary" id="summary" role="alert" tabindex="-1"${errors.length === 0 && html` hidden`}>${
      errors.length > 0 &&
      html`<p>${plural(view, t.home.errors, errors.length)}</p>
<ul>${errors.map((one) => html`<li><a href="#${fieldId(one.field)}">${wording(one)}</a></li>`)}</ul>`
    }</div>`,
    maxVisits: (typed) => html`<div class="field">
<label for="maxVisits">${t.home.maxVisits}</label>
<input id="maxVisits" name="maxVisits" type="number" inputmode="numeric" min="1" max="1000000000" value="${typed}"${described('maxVisits', true)}>
<p class="hint" id="maxVisits-hint">${t.home.maxVisitsHint}</p>
${error('maxVisits')}
</div>`,
    tags: (typed) => html`<div class="field">
<label for="tags">${t.home.tags}</label>
<input id="tags" name="tags" autocomplete="off" value="${typed}"${described('tags', true)}>
<p class="hint" id="tags-hint">${t.home.tagsHint}</p>
${error('tags')}
</div>`,
    note: (typed) => html`<div class="field whole">
<label for="note">${t.home.note}</label>
<textarea id="note" name="note" rows="2" maxlength="1000"${described('note', false)}>
${typed}</textarea>
${error('note')}
</div>`,
  };
}

function fieldId(field: string): string {
  return /^\w+/.exec(field)?.[0] ?? 'url';
}
