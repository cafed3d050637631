/** Answers that show one link: with its ETag, and with its numbers where they can be read. */
import { type Link, statusOf } from '../../domain/link.ts';
import { StatisticsRebuilding, StatisticsUnavailable } from '../../ports/statistics-read-model.ts';
import { type Answer, jsonAnswer } from '../answer.ts';
import { entityTagOf } from '../entity-tag.ts';
import { linkJson, type ShownLink } from '../link-json.ts';
import type { ApiContext } from './context.ts';

export function linkAnswer(
  context: ApiContext,
  shown: ShownLink,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return jsonAnswer(status, linkJson(shown, context.baseUrl), { ETag: entityTagOf(shown.link), ...headers });
}

/**
 * The link as a command left it. The command took effect, so its answer must not fail because the numbers cannot be
 * read: then `visits` is null.
 */
export async function shownAfterCommand(context: ApiContext, link: Link): Promise<ShownLink> {
  try {
    const view = await context.application.queries.getLink(link.code);
    if (view) return { ...view, link };
  } catch (error) {
    if (!(error instanceof StatisticsRebuilding || error instanceof StatisticsUnavailable)) throw error;
  }
  // Without the numbers nobody can tell whether the visits are used up.
  return { link, status: statusOf(link, context.application.clock.nowMs(), 0), visits: null };
}
