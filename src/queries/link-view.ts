/** A link as queries answer it: its folded state together with its numbers. */
import type { Link } from '../domain/link.ts';
import type { VisitTotals } from '../domain/statistics.ts';

/** A link with its all-time numbers and the status that follows from both and the time. */
export interface LinkView {
  readonly link: Link;
  readonly status: LinkStatus;
  readonly visits: Pick<VisitTotals, 'total' | 'nonBots' | 'bots' | 'lastVisitAt'>;
}

export type LinkStatus = 'active' | 'disabled' | 'expired' | 'exhausted' | 'deleted';
