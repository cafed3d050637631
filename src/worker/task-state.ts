/**
 * The life of a task:
 *
 *   created ──► catching-up ──► running ──► closed
 *      │             │             │          ▲
 *      └─────────────┴──► halted ◄─┴──────────┘
 *
 * `catching-up` lasts until the log's end as it was when the store was opened is folded: until then a number could be smaller
 * than one shown before, so nothing is read. `halted` needs a person; it keeps its store closed and its place in the log.
 */
export type TaskState = 'created' | 'catching-up' | 'running' | 'closed' | 'halted';

const allowed: Readonly<Record<TaskState, readonly TaskState[]>> = {
  created: ['catching-up', 'halted', 'closed'],
  'catching-up': ['running', 'halted', 'closed'],
  running: ['halted', 'closed'],
  halted: ['closed'],
  closed: [],
};

export function transition(from: TaskState, to: TaskState): TaskState {
  if (!allowed[from].includes(to)) throw new Error(`a task cannot go from ${from} to ${to}`);
  return to;
}
