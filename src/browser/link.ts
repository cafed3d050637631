/** The page of one link: changes, disables, enables, deletes and restores it through the API, with a way back. */
import { completed, fieldOf, instantOf, nameZone, showProblems, showRefusal, tagsOf } from './form.ts';
import { callApi, find, message, rememberZone, say, sayFailure, swapRegion } from './page.ts';
import { followTotals } from './totals.ts';

type Action = 'disable' | 'enable' | 'delete' | 'restore';

const calls: Readonly<Record<Action, { method: string; path: string; body?: unknown; done: string; undo?: Action }>> = {
  disable: { method: 'PATCH', path: '', body: { status: 'disabled' }, done: 'disabled', undo: 'enable' },
  enable: { method: 'PATCH', path: '', body: { status: 'active' }, done: 'enabled' },
  delete: { method: 'DELETE', path: '', done: 'deleted', undo: 'restore' },
  restore: { method: 'POST', path: '/restore', done: 'restored' },
};

rememberZone();
const follow = followTotals();
prepare();

document.addEventListener('click', (event) => {
  const button = (event.target as Element).closest<HTMLElement>('.manage [data-action]');
  const action = button?.dataset['action'] as Action | undefined;
  if (action !== undefined && action in calls) void run(action);
});
document.addEventListener('submit', (event) => {
  const form = event.target as HTMLFormElement;
  if (form.id !== 'edit-form') return;
  event.preventDefault();
  void save(form);
});

const code = () => find<HTMLElement>('.manage')?.dataset['link'] ?? '';

/** Shows the expiry in the browser's zone, as its field wants it. */
function prepare(): void {
  nameZone();
  const expiresAt = find<HTMLInputElement>('#expiresAt');
  const instant = expiresAt?.dataset['instant'];
  if (expiresAt === null || !instant) return;
  const at = new Date(instant);
  // To the second: a field with milliseconds would show them.
  expiresAt.defaultValue = new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** Sends what was changed, under the version that was shown: what somebody else did meanwhile is not overwritten. */
async function save(form: HTMLFormElement): Promise<void> {
  const read: Readonly<Record<string, (typed: string) => unknown>> = {
    url: (typed) => completed(form, typed),
    expiresAt: (typed) => (typed === '' ? null : instantOf(typed)),
    maxVisits: (typed) => (typed.trim() === '' ? null : Number(typed)),
    tags: tagsOf,
    note: (typed) => (typed === '' ? null : typed),
  };
  const changes: Record<string, unknown> = {};
  for (const [name, parse] of Object.entries(read)) {
    const field = fieldOf(form, name);
    if (field !== null && (field.value !== field.defaultValue || field.validity.badInput))
      changes[name] = field.validity.badInput ? field.value || 'invalid' : parse(field.value);
  }
  showProblems(form, []);
  const answer = await callApi('PATCH', `/api/links/${code()}`, changes, {
    'if-match': `"${form.dataset['version']}"`,
  });
  if (answer.status === 412 || answer.status === 409)
    return say(message('changedMeanwhile'), { label: message('loadAnew'), run: () => void show() });
  if (answer.status !== 200) return showRefusal(form, answer);
  find<HTMLDetailsElement>('#edit')?.removeAttribute('open');
  say(message('saved'));
  await show();
  find<HTMLElement>('#edit > summary')?.focus({ preventScroll: true });
}

async function run(action: Action): Promise<void> {
  const { method, path, body, done, undo } = calls[action];
  const answer = await callApi(method, `/api/links/${code()}${path}`, body);
  if (answer.status < 200 || answer.status > 299) return sayFailure(answer);
  say(message(done), undo && { label: message('undo'), run: () => void run(undo) });
  await show();
}

/** The link as it is now. That it has just been made is no longer worth saying. */
async function show(): Promise<void> {
  await swapRegion('main', location.pathname);
  prepare();
  follow();
}
