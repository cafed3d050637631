/** The form with a script: makes the link without leaving the page, says what is wrong at its field, keeps recent links. */
import { completed, fieldOf, instantOf, nameZone, showProblems, showRefusal, tagsOf, wording } from './form.ts';
import { callApi, data, find, message, offerSharing, rememberZone } from './page.ts';

interface MadeLink {
  readonly code: string;
  readonly shortUrl: string;
  readonly url: string;
}

const recentMax = 20;
const recentName = 'tallyhop.recent';
const aliasMs = 250;
const presetMs: Readonly<Record<string, number>> = {
  '1h': 3_600_000,
  '1d': 86_400_000,
  '7d': 604_800_000,
  '30d': 2_592_000_000,
};

const form = find<HTMLFormElement>('#create');
const baseUrl = String(data['baseUrl'] ?? location.origin);
let sent = 0;
let busy = false;

function field(name: string): HTMLInputElement | null {
  return fieldOf(form ?? document, name);
}

const text = (name: string): string => field(name)?.value ?? '';

/** The body for the API. Times are read in the browser's zone; what is no number or time is sent as typed, to be refused by name. */
function linkInput(form: HTMLFormElement): Record<string, unknown> {
  const preset = presetMs[text('expires')];
  const expiresAt =
    preset !== undefined
      ? new Date(Date.now() + preset).toISOString()
      : text('expires') === 'at'
        ? instantOf(text('expiresAt'))
        : undefined;
  const maxVisits = text('maxVisits').trim();
  const tags = tagsOf(text('tags'));
  const reuse = field('reuse');
  return {
    url: completed(form, text('url')),
    ...(text('alias') !== '' && { alias: text('alias') }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(maxVisits !== '' && { maxVisits: Number(maxVisits) }),
    ...(tags.length > 0 && { tags }),
    ...(text('note') !== '' && { note: text('note') }),
    ...(reuse !== null && !reuse.checked && { unique: true }),
  };
}

async function create(): Promise<void> {
  if (form === null || busy) return;
  busy = true;
  const button = find<HTMLButtonElement>('button[type="submit"]', form);
  const label = button?.textContent ?? '';
  button?.setAttribute('aria-busy', 'true');
  if (button !== null && data['creating']) button.textContent = String(data['creating']);
  showProblems(form, []);
  find('#alias-state')?.replaceChildren();
  const answer = await callApi('POST', '/api/links', linkInput(form), { 'idempotency-key': `${text('key')}-${sent}` });
  if (button !== null) button.textContent = label;
  button?.removeAttribute('aria-busy');
  busy = false;
  // An answer means the key is used up; without one the same key makes a retry harmless.
  if (answer.status !== 0 && answer.status < 500) sent++;
  if (answer.status === 200 || answer.status === 201) showResult(answer.body as MadeLink, answer.status === 201);
  else showRefusal(form, answer);
}

function showResult(link: MadeLink, created: boolean): void {
  remember(link);
  const template = find<HTMLTemplateElement>('#result');
  const results = find('#results');
  if (template === null || results === null) {
    location.assign(`/links/${link.code}?new=${created ? 'created' : 'existing'}`);
    return;
  }
  const card = template.content.cloneNode(true) as DocumentFragment;
  const part = <E extends Element>(name: string) => find<E>(`[data-part="${name}"]`, card);
  const short = part<HTMLAnchorElement>('short');
  if (short !== null) {
    short.href = link.shortUrl;
    short.replaceChildren(withoutScheme(link.shortUrl));
  }
  const target = part<HTMLAnchorElement>('target');
  if (target !== null) {
    target.textContent = link.url;
    target.className = 'url';
    if (/^https?:\/\//i.test(link.url)) target.href = link.url;
  }
  for (const button of card.querySelectorAll<HTMLElement>('[data-copy]')) button.dataset['copy'] = link.shortUrl;
  for (const button of card.querySelectorAll<HTMLElement>('[data-share]')) button.dataset['share'] = link.shortUrl;
  const api = `/api/links/${link.code}`;
  part('stats')?.setAttribute('href', `/stats/${link.code}`);
  const image = part<HTMLImageElement>('qr');
  if (image !== null) {
    image.alt += link.shortUrl;
    image.src = `${api}/qr.svg`;
  }
  for (const [name, file] of [
    ['qr-svg', 'qr.svg'],
    ['qr-png', 'qr.png?size=512'],
  ] as const) {
    part(name)?.setAttribute('href', `${api}/${file}`);
    part(name)?.setAttribute('download', `${link.code}.${name.slice(3)}`);
  }
  const heading = part<HTMLElement>('heading');
  if (heading !== null) heading.textContent = String(data[created ? 'ready' : 'existing']);
  results.replaceChildren(card);
  offerSharing(results);
  find<HTMLElement>('#results h2')?.focus();
  showRecent();
}

const withoutScheme = (url: string) => url.replace(/^https?:\/\//, '');

function recent(): readonly MadeLink[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(recentName) ?? '[]');
    return Array.isArray(kept)
      ? kept.filter((link): link is MadeLink => /^[\w-]{1,64}$/.test(link?.code)).slice(0, recentMax)
      : [];
  } catch {
    return [];
  }
}

function remember(link: MadeLink): void {
  const kept = [{ code: link.code, url: link.url }, ...recent().filter(({ code }) => code !== link.code)];
  try {
    localStorage.setItem(recentName, JSON.stringify(kept.slice(0, recentMax)));
  } catch {
    // Storage is full or forbidden: the list is a convenience.
  }
}

let follow: (() => void) | undefined;

/** The links made last on this device, each with its live count. The stream is loaded only when there are any. */
function showRecent(): void {
  const section = find<HTMLElement>('#recent');
  const list = find('#recent-list');
  const template = find<HTMLTemplateElement>('#recent-row');
  if (section === null || list === null || template === null) return;
  const links = recent();
  section.hidden = links.length === 0;
  list.replaceChildren(
    ...links.map(({ code, url }) => {
      const row = template.content.cloneNode(true) as DocumentFragment;
      const short = find<HTMLAnchorElement>('[data-part="short"]', row);
      const count = find<HTMLAnchorElement>('[data-part="stats"]', row);
      const target = find('[data-part="target"]', row);
      if (short !== null) {
        short.href = `/links/${code}`;
        short.textContent = withoutScheme(`${baseUrl}/${code}`);
      }
      if (target !== null) target.textContent = url;
      if (count !== null) {
        count.href = `/stats/${code}`;
        const number = document.createElement('span');
        number.className = 'number';
        number.dataset['total'] = code;
        number.textContent = '–';
        const [before = '', after = ''] = String((data['visits'] as { other: string }).other).split('{n}');
        count.append(before, number, after);
      }
      return row;
    }),
  );
  if (links.length === 0) return;
  if (follow !== undefined) follow();
  else {
    void import('./totals.ts').then(({ followTotals }) => {
      follow ??= followTotals();
    });
  }
}

let checking = 0;
/** Whether an ending is free, while it is typed. */
function checkAlias(): void {
  clearTimeout(checking);
  const alias = text('alias');
  const shown = find('#alias-state');
  if (shown === null) return;
  shown.textContent = '';
  if (alias === '') return;
  checking = setTimeout(() => {
    void callApi('GET', `/api/aliases/${encodeURIComponent(alias)}`).then(({ body }) => {
      if (text('alias') !== alias) return;
      const { available, reason } = (body ?? {}) as { available?: boolean; reason?: string };
      if (available === true) shown.textContent = message('free', { url: `${withoutScheme(baseUrl)}/${alias}` });
      else if (available === false) {
        // What else is wrong with it, its rule says best.
        const code = reason === 'alias-taken' || reason === 'alias-reserved' ? reason : 'alias-format';
        shown.textContent = wording({ field: 'alias', code, detail: '' });
      }
    });
  }, aliasMs);
}

/** An address that is one of our own short links: offers its statistics instead. */
function noticeOurs(): void {
  const notice = find<HTMLElement>('#ours');
  const typed = form === null ? '' : completed(form, text('url')).trim();
  const ours = /^\/([\w-]{3,64})\+?$/.exec(typed.startsWith(`${baseUrl}/`) ? typed.slice(baseUrl.length) : '');
  if (notice === null) return;
  notice.hidden = ours === null;
  if (ours?.[1] !== undefined) find('a', notice)?.setAttribute('href', `/stats/${ours[1]}`);
}

rememberZone();
nameZone();

form?.addEventListener('submit', (event) => {
  event.preventDefault();
  void create();
});
field('alias')?.addEventListener('input', checkAlias);
field('url')?.addEventListener('input', noticeOurs);

document.addEventListener('click', (event) => {
  const action = (event.target as Element).closest<HTMLElement>('[data-action]')?.dataset['action'];
  if (action === 'another') {
    find('#results')?.replaceChildren();
    form?.reset();
    field('url')?.focus();
  } else if (action === 'clear-recent') {
    localStorage.removeItem(recentName);
    showRecent();
    field('url')?.focus();
  }
});

showRecent();
