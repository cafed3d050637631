/** The form that makes a link: its markup with what was typed and refused, and its reading from a form-encoded body. */
import type { FieldError } from '../../domain/refusal.ts';
import { bareTypedUrl, completeTypedUrl } from '../../domain/target-url.ts';
import { formFields } from './form-fields.ts';
import { type Html, html } from './html.ts';
import { fill, type View } from './view.ts';

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
    url: completeTypedUrl(form.url),
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
  const fields = formFields(view, errors);
  const preset = (value: string, label: string) =>
    html`<option value="${value}"${typed.expires === value && html` selected`}>${label}</option>`;
  const optionsOpen = errors.some(({ field }) => field !== 'url') || typed.alias !== '';

  return html`<form id="create" method="post" action="/" novalidate data-bare-address="${bareTypedUrl.source}">
<input type="hidden" name="key" value="${typed.key}">
${fields.summary}
<div class="field">
<label for="url">${t.home.url}</label>
<div class="address">
<input id="url" name="url" type="url" inputmode="url" autocomplete="off" autocapitalize="none" spellcheck="false" placeholder="https://" value="${typed.url}" required${fields.described('url', true)}>
<button class="primary" type="submit">${t.home.create}</button>
</div>
<p class="hint" id="url-hint">${t.home.urlHint}</p>
${fields.error('url')}
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
<input id="alias" name="alias" autocomplete="off" autocapitalize="none" spellcheck="false" maxlength="64" value="${typed.alias}"${fields.described('alias', true)}>
<p class="hint" id="alias-hint">${t.home.aliasHint}</p>
<p class="hint" id="alias-state" role="status"></p>
${fields.error('alias')}
</div>
<div class="field">
<label for="expires">${t.home.expires}</label>
<select id="expires" name="expires">${preset('never', t.home.never)}${preset('1h', t.home.in1h)}${preset('1d', t.home.in1d)}${preset('7d', t.home.in7d)}${preset('30d', t.home.in30d)}${preset('at', t.home.at)}</select>
<div class="moment">
<label for="expiresAt">${t.home.expiresAt}</label>
<input id="expiresAt" name="expiresAt" type="datetime-local" step="1" value="${typed.expiresAt}"${fields.described('expiresAt', true)}>
<p class="hint" id="expiresAt-hint" data-message="${t.home.expiresAtHint}">${fill(t.home.expiresAtHint, { zone: 'UTC' })}</p>
${fields.error('expiresAt')}
</div>
</div>
${fields.maxVisits(typed.maxVisits)}
${fields.tags(typed.tags)}
${fields.note(typed.note)}
<label class="check whole"><input type="checkbox" name="reuse" value="1"${typed.reuse && html` checked`}> <span>${t.home.reuse}</span></label>
</div>
</details>`
}
</form>`;
}
