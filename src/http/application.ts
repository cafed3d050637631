/** What HTTP asks of the product: the use-cases, as `composition/` wires them. */
import type { ChangeLink } from '../commands/change-link.ts';
import type { CreateLink } from '../commands/create-link.ts';
import type { DeleteLink } from '../commands/delete-link.ts';
import type { RestoreLink } from '../commands/restore-link.ts';
import type { RollBackLink } from '../commands/roll-back-link.ts';
import type { AnswerStore } from '../ports/answer-store.ts';
import type { Clock } from '../ports/clock.ts';
import type { LinkTable } from '../ports/link-table.ts';
import type { Logger } from '../ports/logger.ts';
import type { Random } from '../ports/random.ts';
import type { StatisticsReadModel } from '../ports/statistics-read-model.ts';
import type { FindOwnLink } from '../queries/find-own-link.ts';
import type { GetLink } from '../queries/get-link.ts';
import type { LinkHistory } from '../queries/link-history.ts';
import type { LinkStatisticsQuery } from '../queries/link-statistics.ts';
import type { ListLinks } from '../queries/list-links.ts';

export interface Application {
  readonly commands: {
    readonly createLink: CreateLink;
    readonly changeLink: ChangeLink;
    readonly deleteLink: DeleteLink;
    readonly restoreLink: RestoreLink;
    readonly rollBackLink: RollBackLink;
  };
  readonly queries: {
    readonly getLink: GetLink;
    readonly listLinks: ListLinks;
    readonly linkHistory: LinkHistory;
    readonly findOwnLink: FindOwnLink;
    readonly linkStatistics: LinkStatisticsQuery;
  };
  readonly linkTable: LinkTable;
  readonly statistics: StatisticsReadModel;
  readonly answers: AnswerStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}
