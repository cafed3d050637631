/** The form that makes a link: its markup with what was typed and refused, and its reading from a form-encoded body. */
import type { FieldError } from '../../domain/refusal.ts';
import { type Content, type Html, html } from './html.ts';
import { fill, plural, type View } from './view.ts';

/** What was typed, as text: it is shown again when something is refused. */
export interface TypedForm {
  /** Identity of this view of the form: sent twice, it makes one link. */
  readonly key: string;
  readonly url: string;
  readonly alias: string;
  readonly expires: string;
  readonly expiresAt: string;
  readonly maxVisits: string;
  readonly tags: string;
  readonly note: string;
  readonly reuse: boolean;
}

export function emptyForm(key: string): TypedForm {
  return {
    key,
    url: '',
    alias: '',
    expires: 'never',
    expiresAt: '',
    maxVisits: '',
    tags: '',
    note: '',
    reuse: true,
  };
}

/** A host with a dot and a top-level domain of letters, then perhaps port, path, query: what lacks only its scheme. */
export const bareAddress = '^[^\\s/:?#@\\\\]+\\.[a-z\\u00a1-\\uffff][^\\s/:?#@\\\\.]*(:\\d{1,5})?([/?#][^\\s\\\\]*)?$';
const bareAddressPattern = new RegExp(bareAddress, 'i');

/** `host.tld/path` becomes `https://host.tld/path`; everything else stays as it was typed. Only the form does this, never the API. */
export function completeAddress(typed: string): string {
  return bareAddressPattern.test(typed.trim()) ? `https://${typed.trim()}` : typed;
}

const presetMs: Readonly<Record<string, number>> = {
  '1h': 3_600_000,
  '1d': 86_400_000,
  '7d': 7 * 86_400_000,
  '30d': 30 * 86_400_000,
};

/** The typed form of a parsed form-encoded body; members that are missing or repeated count as empty. */
export function readForm(body: unknown): TypedForm {
  const members: Readonly<Record<string, unknown>> = typeof body === 'object' && body !== null ? { ...body } : {};
  const text = (name: string) => {
    const value = members[name];
    return typeof value === 'string' ? value : '';
  };
  return {
    key: text('key'),
    url: text('url'),
    alias: text('alias'),
    expires: text('expires') || 'never',
    expiresAt: text('expiresAt'),
    maxVisits: text('maxVisits'),
    tags: text('tags'),
    note: text('note'),
    reuse: text('reuse') !== '' || !('options' in members),
  };
}

/** The body that `POST /api/links` would have got. What cannot be read as a number or time is passed on as typed, to be refused there. */
export function linkInput(form: TypedForm, nowMs: number): Record<string, unknown> {
  const preset = presetMs[form.expires];
  const expiresAt =
    preset !== undefined
      ? new Date(nowMs + preset).toISOString()
      : form.expires === 'at'
        ? instantOfLocal(form.expiresAt)
        : undefined;
  const tags = form.tags.split(',').flatMap((tag) => tag.trim() || []);
  const maxVisits = form.maxVisits.trim();
  return {
    url: completeAddress(form.url),
    ...(form.alias !== '' && { alias: form.alias }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(maxVisits !== '' && { maxVisits: /^\d{1,15}$/.test(maxVisits) ? Number(maxVisits) : maxVisits }),
    ...(tags.length > 0 && { tags }),
    ...(form.note !== '' && { note: form.note }),
    ...(!form.reuse && { unique: true }),
  };
}

/** Without a script nothing tells the browser's zone: the form says that it means UTC. */
function instantOfLocal(typed: string): string {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$/.test(typed) ? `${typed}Z` : typed;
}

/** @param short true shows the address alone, for pages where the form is an offer beside something else */
export function createForm(view: View, typed: TypedForm, errors: readonly FieldError[], short = false): Html {
  const { t } = view;
  const errorOf = (name: string) =>
    errors.find(({ field }) => field === name || field.startsWith(`${name}[`) || field.startsWith(`${name}.`));
  const refusal = (error: FieldError | undefined) => error && (t.refused[error.code] ?? error.detail);
  /** Attributes that tie a field to its hint and error. */
  const described = (name: string, hint: boolean): Content => {
    const error = errorOf(name);
    const ids = [hint && `${name}-hint`, error && `${name}-error`].filter(Boolean).join(' ');
    return [
      ids !== '' && html` aria-describedby="${ids}"`,
      error !== undefined && html` aria-invalid="true"`,
      error !== undefined && error === errors[0] && html` autofocus`,
    ];
  };
  const errorText = (name: string): Html =>
    html`<p class="field-error" id="${name}-error"${!errorOf(name) && html` hidden`}>${refusal(errorOf(name))}</p>`;
  const preset = (value: string, label: string) =>
    html`<option value="${value}"${typed.expires === value && html` selected`}>${label}</option>`;
  const optionsOpen = errors.some(({ field }) => field !== 'url') || typed.alias !== '';

  return html`<form id="create" method="post" action="/" novalidate data-bare-address="${bareAddress}">
<input type="hidden" name="key" value="${typed.key}">
<div class="summary" id="summary" role="alert" tabindex="-1"${errors.length === 0 && html` hidden`}>${
    errors.length > 0 &&
    html`<p>${plural(view, t.home.errors, errors.length)}</p>
<ul>${errors.map((error) => html`<li><a href="#${fieldId(error.field)}">${refusal(error)}</a></li>`)}</ul>`
  }</div>
<div class="field">
<label for="url">${t.home.url}</label>
<div class="address">
<input id="url" name="url" type="url" inputmode="url" autocomplete="off" autocapitalize="none" spellcheck="false" placeholder="https://" value="${typed.url}" required${described('url', true)}>
<button class="primary" type="submit">${t.home.create}</button>
</div>
<p class="hint" id="url-hint">${t.home.urlHint}</p>
${errorText('url')}
<p class="notice" id="ours" hidden>${t.home.ours} <a href="/links">${t.home.oursStats}</a></p>
</div>
${
  !short &&
  html`<details class="options"${optionsOpen && html` open`}>
<summary>${t.home.options}</summary>
<input type="hidden" name="options" value="1">
<div class="grid">
<div class="field">
<label for="alias">${t.home.alias}</label>
<input id="alias" name="alias" autocomplete="off" autocapitalize="none" spellcheck="false" maxlength="64" value="${typed.alias}"${described('alias', true)}>
<p class="hint" id="alias-hint">${t.home.aliasHint}</p>
<p class="hint" id="alias-state" role="status"></p>
${errorText('alias')}
</div>
<div class="field">
<label for="expires">${t.home.expires}</label>
<select id="expires" name="expires">${preset('never', t.home.never)}${preset('1h', t.home.in1h)}${preset('1d', t.home.in1d)}${preset('7d', t.home.in7d)}${preset('30d', t.home.in30d)}${preset('at', t.home.at)}</select>
<div class="moment">
<label for="expiresAt">${t.home.expiresAt}</label>
<input id="expiresAt" name="expiresAt" type="datetime-local" step="1" value="${typed.expiresAt}"${described('expiresAt', true)}>
<p class="hint" id="expiresAt-hint" data-message="${t.home.expiresAtHint}">${fill(t.home.expiresAtHint, { zone: 'UTC' })}</p>
${errorText('expiresAt')}
</div>
</div>
<div class="field">
<label for="maxVisits">${t.home.maxVisits}</label>
<input id="maxVisits" name="maxVisits" type="number" inputmode="numeric" min="1" max="1000000000" value="${typed.maxVisits}"${described('maxVisits', true)}>
<p class="hint" id="maxVisits-hint">${t.home.maxVisitsHint}</p>
${errorText('maxVisits')}
</div>
<div class="field">
<label for="tags">${t.home.tags}</label>
<input id="tags" name="tags" autocomplete="off" value="${typed.tags}"${described('tags', true)}>
<p class="hint" id="tags-hint">${t.home.tagsHint}</p>
${errorText('tags')}
</div>
<div class="field whole">
<label for="note">${t.home.note}</label>
<textarea id="note" name="note" rows="2" maxlength="1000"${described('note', false)}>${typed.note}</textarea>
${errorText('note')}
</div>
<label class="check whole"><input type="checkbox" name="reuse" value="1"${typed.reuse && html` checked`}> <span>${t.home.reuse}</span></label>
</div>
</details>`
}
</form>`;
}

function fieldId(field: string): string {
  return /^\w+/.exec(field)?.[0] ?? 'url';
}
