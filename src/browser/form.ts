/** Forms that send JSON: their fields' values as the API takes them, and what it refuses told at each field. */
import { type ApiAnswer, browserZone, data, fill, find, plural, sayFailure } from './page.ts';

export interface FieldProblem {
  readonly field: string;
  readonly code: string;
  readonly detail: string;
}

export function fieldOf(form: ParentNode, name: string): HTMLInputElement | null {
  return find(`[name="${name}"]`, form);
}

/** `host.tld/path` gets its https://; the rule is the server's. */
export function completed(form: HTMLFormElement, typed: string): string {
  const bare = new RegExp(form.dataset['bareAddress'] ?? '^$', 'u');
  return bare.test(typed.trim()) ? `https://${typed.trim()}` : typed;
}

/** A time of the browser's zone as an instant; what is none is passed on as typed, to be refused by name. */
export function instantOf(local: string): string {
  const moment = new Date(local);
  return Number.isNaN(moment.getTime()) ? local : moment.toISOString();
}

export function tagsOf(typed: string): readonly string[] {
  return typed.split(',').flatMap((tag) => tag.trim() || []);
}

/** Says in which zone times are typed. */
export function nameZone(): void {
  const hint = find<HTMLElement>('#expiresAt-hint');
  if (hint !== null) hint.textContent = fill(hint.dataset['message'] ?? '', { zone: browserZone.replaceAll('_', ' ') });
}

export function showRefusal(form: HTMLFormElement, answer: ApiAnswer): void {
  const errors = (answer.body as { errors?: readonly FieldProblem[] } | null)?.errors ?? [];
  if (errors.length === 0) sayFailure(answer);
  else showProblems(form, errors);
}

export function wording({ code, detail }: FieldProblem): string {
  return (data['refused'] as Record<string, string> | undefined)?.[code] ?? detail;
}

/** The field an error belongs to: `tags[2]` is about `tags`. */
const fieldName = (problem: FieldProblem) => /^\w+/.exec(problem.field)?.[0] ?? 'url';

/** An empty list takes back what was told. */
export function showProblems(form: HTMLFormElement, problems: readonly FieldProblem[]): void {
  for (const shown of form.querySelectorAll<HTMLElement>('.field-error')) {
    const name = shown.id.replace('-error', '');
    const input = fieldOf(form, name);
    const problem = problems.find((p) => fieldName(p) === name);
    shown.hidden = problem === undefined;
    shown.textContent = problem === undefined ? '' : wording(problem);
    if (input === null) continue;
    const described = (input.getAttribute('aria-describedby') ?? '')
      .split(' ')
      .filter((id) => id !== '' && id !== shown.id);
    if (problem !== undefined) described.push(shown.id);
    if (described.length > 0) input.setAttribute('aria-describedby', described.join(' '));
    else input.removeAttribute('aria-describedby');
    if (problem === undefined) input.removeAttribute('aria-invalid');
    else input.setAttribute('aria-invalid', 'true');
  }
  const summary = find<HTMLElement>('#summary', form);
  if (summary === null) return;
  summary.hidden = problems.length === 0;
  if (problems.length === 0) {
    summary.replaceChildren();
    return;
  }
  const heading = document.createElement('p');
  heading.textContent = data['errors'] === undefined ? '' : plural(data['errors'], problems.length);
  const list = document.createElement('ul');
  for (const problem of problems) {
    const link = document.createElement('a');
    link.href = `#${fieldName(problem)}`;
    link.textContent = wording(problem);
    const item = document.createElement('li');
    item.append(link);
    list.append(item);
  }
  summary.replaceChildren(heading, list);
  if (problems.some((problem) => fieldName(problem) !== 'url'))
    find<HTMLDetailsElement>('.options', form)?.setAttribute('open', '');
  const first = problems[0];
  if (first !== undefined) fieldOf(form, fieldName(first))?.focus();
}
