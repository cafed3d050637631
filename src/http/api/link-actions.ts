/** `POST /api/links/:code/restore` and `…/rollback`: undo of a delete, and an earlier version again as a new one. */
import type { Request } from 'express';
import type { CommandContext } from '../../commands/command-context.ts';
import type { Link } from '../../domain/link.ts';
import type { FieldError, Refusal } from '../../domain/refusal.ts';
import type { Answer } from '../answer.ts';
import { expectedVersion, parseIfMatch } from '../entity-tag.ts';
import { type JsonObject, jsonType, readEmptyBody, readJsonBody } from '../json-body.ts';
import { invalidInput } from '../problem.ts';
import { problemOfRefusal } from '../problem-table.ts';
import { queryParameters } from '../query-parameters.ts';
import type { Route } from '../route.ts';
import { type ApiContext, linkOfPath } from './context.ts';
import { linkAnswer, shownAfterCommand } from './link-answer.ts';

export function linkActionRoutes(context: ApiContext): readonly Route[] {
  return [
    { path: '/api/links/:code/restore', methods: { POST: (request) => restore(context, request) } },
    { path: '/api/links/:code/rollback', methods: { POST: (request) => rollBack(context, request) } },
  ];
}

async function restore(context: ApiContext, request: Request): Promise<Answer> {
  const body = await readEmptyBody(request);
  return act(context, request, body, (code, commandContext) =>
    context.application.commands.restoreLink(code, commandContext),
  );
}

async function rollBack(context: ApiContext, request: Request): Promise<Answer> {
  const { value, bytes } = await readJsonBody(request, jsonType);
  return act(context, request, bytes, (code, commandContext) =>
    context.application.commands.rollBackLink(code, parseVersion(value), commandContext),
  );
}

type Action = (code: string, context: CommandContext) => Promise<Link | Refusal>;

async function act(context: ApiContext, request: Request, body: Buffer, action: Action): Promise<Answer> {
  queryParameters(request.url, []);
  const precondition = parseIfMatch(request.get('If-Match'));
  const keyed = { key: request.get('Idempotency-Key'), method: 'POST', path: request.path, body };
  return context.idempotency.run(keyed, async (commandId) => {
    const link = linkOfPath(context, request);
    // A command that is in the log already passed its precondition then: the link has moved on by it.
    const repeated = context.application.linkTable.outcomeOf(commandId) !== undefined;
    const expected = repeated ? null : expectedVersion(precondition, link.version);
    const outcome = await action(link.code, { commandId, by: 'anonymous', expectedVersion: expected });
    if ('refusal' in outcome) throw problemOfRefusal(outcome);
    return linkAnswer(context, await shownAfterCommand(context, outcome));
  });
}

function parseVersion(body: JsonObject): number {
  const { version } = body;
  const errors: FieldError[] = Object.keys(body)
    .filter((field) => field !== 'version')
    .map((field) => ({ field, code: 'unknown-member', detail: 'The only member known here is version.' }));
  if (version === undefined) {
    errors.push({ field: 'version', code: 'required', detail: 'Give the version to go back to.' });
  } else if (typeof version !== 'number') {
    errors.push({ field: 'version', code: 'wrong-type', detail: 'Must be a number.' });
  } else if (!Number.isSafeInteger(version) || version < 1) {
    errors.push({ field: 'version', code: 'out-of-range', detail: 'Must be a whole number from 1.' });
  }
  if (errors.length > 0 || typeof version !== 'number') throw invalidInput(errors.slice(0, 20));
  return version;
}
