/**
 * The life of a task:
 *
 *   catching-up ──► running ──► closed
 *        └───────────────────────▲
 *
 * `catching-up` lasts until the log's end as it was when the store was opened is folded: until then a number could be smaller
 * than one shown before, so nothing is read. A task that fails is dropped as it is: its store says where it stood.
 */
export type TaskState = 'catching-up' | 'running' | 'closed';

const allowed: Readonly<Record<TaskState, readonly TaskState[]>> = {
  'catching-up': ['running', 'closed'],
  running: ['closed'],
  closed: [],
};

export function transition(from: TaskState, to: TaskState): TaskState {
  if (!allowed[from].includes(to)) throw new Error(`a task cannot go from ${from} to ${to}`);
  return to;
}
