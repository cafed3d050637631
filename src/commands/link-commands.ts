/** All commands on links, built on one submission so that one command id is never under way twice in a process. */
import { type ChangeLink, createChangeLink } from './change-link.ts';
import { type CreateLink, createCreateLink } from './create-link.ts';
import { createDeleteLink, type DeleteLink } from './delete-link.ts';
import { createExistingLinkChange } from './existing-link-change.ts';
import { createLinkEventSubmission, type LinkCommandDependencies } from './link-event-submission.ts';
import { createRestoreLink, type RestoreLink } from './restore-link.ts';
import { createRollBackLink, type RollBackLink } from './roll-back-link.ts';

export interface LinkCommands {
  readonly createLink: CreateLink;
  readonly changeLink: ChangeLink;
  readonly deleteLink: DeleteLink;
  readonly restoreLink: RestoreLink;
  readonly rollBackLink: RollBackLink;
}

export function createLinkCommands(deps: LinkCommandDependencies): LinkCommands {
  const submission = createLinkEventSubmission(deps);
  const changeExisting = createExistingLinkChange(deps.linkTable, submission);
  return {
    createLink: createCreateLink(deps, submission),
    changeLink: createChangeLink(changeExisting),
    deleteLink: createDeleteLink(changeExisting),
    restoreLink: createRestoreLink(changeExisting),
    rollBackLink: createRollBackLink(deps.linkTable, changeExisting),
  };
}
