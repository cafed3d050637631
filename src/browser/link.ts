/** The page of one link: disables, enables, deletes and restores it through the API, with a way back. */
import { callApi, find, message, rememberZone, say, sayFailure } from './page.ts';
import { swapRegion } from './swap.ts';
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

document.addEventListener('click', (event) => {
  const button = (event.target as Element).closest<HTMLElement>('.manage [data-action]');
  const action = button?.dataset['action'] as Action | undefined;
  if (action !== undefined && action in calls) void run(action);
});

async function run(action: Action): Promise<void> {
  const code = find<HTMLElement>('.manage')?.dataset['link'] ?? '';
  const { method, path, body, done, undo } = calls[action];
  const answer = await callApi(method, `/api/links/${code}${path}`, body);
  if (answer.status < 200 || answer.status > 299) return sayFailure(answer);
  say(message(done), undo && { label: message('undo'), run: () => void run(undo) });
  // The short link stays as it is: only what says "your link is ready" no longer belongs here.
  await swapRegion('main', location.pathname);
  follow();
}
