/** The form that changes a link. It needs a script: what differs goes to the API, under the version that is shown here. */
import type { Link } from '../../domain/link.ts';
import { bareTypedUrl } from '../../domain/target-url.ts';
import { formFields } from './form-fields.ts';
import { type Html, html } from './html.ts';
import type { View } from './view.ts';

export function editForm(view: View, link: Link): Html {
  const { t } = view;
  const fields = formFields(view, []);
  return html`<details class="options" id="edit">
<summary>${t.link.edit}</summary>
<form id="edit-form" novalidate data-version="${link.version}" data-bare-address="${bareTypedUrl.source}">
${fields.summary}
<div class="grid">
<div class="field whole">
<label for="url">${t.home.url}</label>
<input id="url" name="url" type="url" inputmode="url" autocomplete="off" autocapitalize="none" spellcheck="false" required value="${link.url}">
${fields.error('url')}
</div>
<div class="field">
<label for="expiresAt">${t.link.expires}</label>
<input id="expiresAt" name="expiresAt" type="datetime-local" step="1" data-instant="${link.expiresAt !== null && new Date(link.expiresAt).toISOString()}"${fields.described('expiresAt', true)}>
<p class="hint" id="expiresAt-hint" data-message="${t.link.expiresHint}"></p>
${fields.error('expiresAt')}
</div>
${fields.maxVisits(link.maxVisits === null ? '' : String(link.maxVisits))}
${fields.tags(link.tags.join(', '))}
${fields.note(link.note ?? '')}
</div>
<p class="actions"><button class="primary" type="submit">${t.link.save}</button></p>
</form>
</details>`;
}
